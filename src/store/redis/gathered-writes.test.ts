import { expect, test } from "bun:test";
import { Writable } from "node:stream";

import { gatherWrites } from "./gathered-writes.ts";

function gathering(): { readonly socket: Writable; readonly written: string[] } {
  const written: string[] = [];
  const socket = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  gatherWrites(socket);
  return { socket, written };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("what one turn writes leaves in one write, also from the promises that it settles", async () => {
  const { socket, written } = gathering();
  const later = (text: string) => Promise.resolve().then(() => void socket.write(text));
  socket.write("a");
  const both = [later("c"), later("d")];
  socket.write("b");
  expect(written).toEqual([]);
  await Promise.all(both);
  await nextTurn();
  expect(written).toEqual(["abcd"]);
  socket.write("e");
  await nextTurn();
  expect(written).toEqual(["abcd", "e"]);
});

test("bytes go out at once, behind the text that waited", async () => {
  const { socket, written } = gathering();
  socket.write("a");
  socket.write(Buffer.from("b"));
  expect(written).toEqual(["a", "b"]);
  socket.write("c");
  await nextTurn();
  expect(written).toEqual(["a", "b", "c"]);
});

test.each(["destroy", "end"] as const)(
  "after %s nothing is sent, and nothing thrown",
  async (ending) => {
    const { socket, written } = gathering();
    const errors: unknown[] = [];
    socket.on("error", (error) => errors.push(error));
    socket.write("a");
    socket[ending]();
    await nextTurn();
    expect(written).toEqual([]);
    expect(errors).toEqual([]);
  },
);
