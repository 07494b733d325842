// What a request and its answer cost the load generator, by the client API: Bun.connect against
// node:net, each in a closed loop against the same stub, CPU time of this process alone.
//
//   bun bench/sockets.ts [seconds]

import { connect } from "node:net";

import { freePort } from "../test/support/servers.ts";
import { startProgram } from "./arms/start-arm.ts";

const SECONDS = Number(process.argv[2] ?? 2);
const CONNECTIONS = 64;
const REQUEST = Buffer.from(`PUT /x HTTP/1.1\r\nA: ${"a".repeat(400)}\r\n\r\n`);

type Close = () => void;

async function withBun(port: number, answered: () => boolean): Promise<Close> {
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(opened) {
        if (answered()) opened.write(REQUEST);
      },
    },
  });
  socket.setNoDelay(true);
  socket.write(REQUEST);
  return () => socket.terminate();
}

async function withNode(port: number, answered: () => boolean): Promise<Close> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: "127.0.0.1", port, noDelay: true }, resolve);
  socket.on("data", () => {
    if (answered()) socket.write(REQUEST);
  });
  await promise;
  socket.write(REQUEST);
  return () => socket.destroy();
}

async function measure(open: typeof withBun): Promise<string> {
  const port = await freePort();
  const stub = await startProgram("stub", "stub-server.ts", [String(port), "raw"], port);
  try {
    let count = 0;
    const endMs = performance.now() + SECONDS * 1_000;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const answered = (): boolean => {
      count += 1;
      if (performance.now() < endMs) return true;
      resolve();
      return false;
    };
    const before = process.cpuUsage();
    const closes = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => open(port, answered)),
    );
    await ended;
    const cpu = process.cpuUsage(before);
    for (const close of closes) close();
    const each = (cpu.user + cpu.system) / count;
    return `${Math.round(count / SECONDS)}/s, ${each.toFixed(2)} µs of CPU each`;
  } finally {
    await stub.stop();
  }
}

for (const round of [1, 2, 3]) {
  console.log(`round ${round}  Bun.connect ${await measure(withBun)}`);
  console.log(`round ${round}  node:net    ${await measure(withNode)}`);
}
process.exit(0);
