// A server that says what it should on opening, then the same reply to every script.

import { DURABILITY_REQUIRED } from "../../src/store/redis/redis-durability.ts";
import { SCRIPT_SHAS } from "../../src/store/redis/scripts.ts";

export type Reply = string | readonly Reply[];

export function startLyingRedis(reply: Reply): { readonly port: number; stop(): void } {
  const settings = Object.entries({ ...DURABILITY_REQUIRED, "cluster-enabled": "no" }).flat();
  const opening = encoded(settings) + Object.values(SCRIPT_SHAS).map(encoded).join("");
  const server = Bun.listen<{ isOpen: boolean }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void (socket.data = { isOpen: false }),
      data: (socket, bytes) => {
        if (bytes.toString().includes("EVALSHA")) socket.write(encoded(reply));
        else if (!socket.data.isOpen) socket.write(opening);
        socket.data.isOpen = true;
      },
    },
  });
  return { port: server.port, stop: () => server.stop(true) };
}

/** As Redis writes it: bulk strings and arrays. */
function encoded(reply: Reply): string {
  if (typeof reply === "string") return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
  return `*${reply.length}\r\n${reply.map(encoded).join("")}`;
}
