# The engine, and with another command the payment simulator and the CLI.
#
#   docker build -t doorbuster .
#   docker run --rm -p 127.0.0.1:3000:3000 -v doorbuster:/data doorbuster      # embedded

FROM oven/bun:1.4.5-slim AS packages
WORKDIR /app
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production

FROM oven/bun:1.4.5-slim
# An init as process 1 hands SIGTERM on and reaps what health checks leave behind.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY drizzle drizzle
COPY src src
RUN mkdir /data && chown bun:bun /data
USER bun
VOLUME /data
ENV NODE_ENV=production DOORBUSTER_HOST=0.0.0.0 DOORBUSTER_PORT=3000 DOORBUSTER_DATA_DIR=/data
EXPOSE 3000
# Alive, not ready: an orchestrator restarts what hangs, not what waits for Redis.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["bun", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.DOORBUSTER_PORT}/livez`)).ok ? 0 : 1)"]
# The engine finishes what it accepted within 20 s of SIGTERM: docker stop -t 25.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--"]
CMD ["bun", "src/main.ts"]
