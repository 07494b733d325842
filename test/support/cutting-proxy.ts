// A TCP proxy before a server that can lose one reply: the server has done its work, the client
// never hears of it.

import { createConnection, createServer, type Socket } from "node:net";

export type CuttingProxy = {
  readonly port: number;
  /** Cuts the connection instead of handing over the next reply that contains the text. */
  cutReplyWith(text: string): void;
  /** How many replies were cut. */
  readonly cutCount: number;
  close(): Promise<void>;
};

export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let armed: string | null = null;
  let cutCount = 0;
  const server = createServer((client) => {
    const upstream = createConnection(targetPort, "127.0.0.1");
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", cut);
      socket.on("close", () => {
        sockets.delete(socket);
        cut();
      });
    }
    client.on("data", (bytes) => upstream.write(bytes));
    upstream.on("data", (bytes) => {
      if (armed !== null && bytes.includes(armed)) {
        armed = null;
        cutCount += 1;
        cut();
      } else {
        client.write(bytes);
      }
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a proxy has a port");
  return {
    port: address.port,
    cutReplyWith: (text) => {
      armed = text;
    },
    get cutCount() {
      return cutCount;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolved) => server.close(() => resolved()));
    },
  };
}
