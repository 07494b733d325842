// Servers of known behaviour, for the generator's own tests: what it measures is known beforehand.
//
//   stub-server.ts <port> stall    answers at once, but sleeps 200 ms every 2 s
//   stub-server.ts <port> raw      answers each chunk with constant bytes: the cheapest there is

const STALL_MS = 200;
const EVERY_MS = 2_000;
const ANSWER = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"held":true}',
);

const [port, kind] = [Number(process.argv[2]), process.argv[3]];
const HEALTH = Buffer.from("GET ");
Bun.listen({
  hostname: "127.0.0.1",
  port,
  socket: {
    data(socket, bytes) {
      socket.write(ANSWER);
      if (bytes.subarray(0, HEALTH.length).equals(HEALTH)) socket.end();
    },
  },
});
if (kind === "stall") {
  // By the clock and not by an interval, which would begin anew after each sleep.
  let nextMs = performance.now();
  const stall = (): void => {
    Bun.sleepSync(STALL_MS);
    nextMs += EVERY_MS;
    setTimeout(stall, nextMs - performance.now());
  };
  setTimeout(stall, 0);
}
