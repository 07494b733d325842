// Free loopback ports for test servers.
//
// Taken below the kernel's ephemeral range on purpose: while a server is down, a client that goes on
// reconnecting to an ephemeral port can be given that very port as its own and connect to itself.

import { createServer } from "node:net";

const PORT_MIN = 15_000;
const PORT_MAX = 32_000;
const ATTEMPTS_MAX = 200;

const handedOut = new Set<number>();

/** A loopback port on which nothing listens; this process never hands it out twice. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (handedOut.has(port) || !(await canListen(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free loopback port in ${PORT_MIN}…${PORT_MAX}`);
}

/** Whether something accepts connections on the port now. */
export async function isListening(port: number): Promise<boolean> {
  return !(await canListen(port));
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
