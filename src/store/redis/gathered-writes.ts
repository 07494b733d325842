// ioredis writes each command to its socket alone, and a write to a socket takes some 20 µs whatever
// its size. A node with many partitions sends as many claims and checks in one turn of the event loop.

import type { Writable } from "node:stream";

/**
 * From now on texts that are written in one turn of the event loop leave in one write, in their
 * order, when the turn and the promises that it settled are done. What waits when the socket is
 * ended or destroyed is never sent.
 */
export function gatherWrites(socket: Writable): void {
  const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
  let waiting = "";

  function flush(): void {
    const text = waiting;
    waiting = "";
    if (text !== "" && socket.writable) write(text);
  }

  socket.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    if (typeof chunk !== "string" || rest.length > 0) {
      flush();
      return write(chunk, ...rest);
    }
    // A tick that is asked for by a promise comes after all promises.
    if (waiting === "") queueMicrotask(() => process.nextTick(flush));
    waiting += chunk;
    return true;
  };
}
