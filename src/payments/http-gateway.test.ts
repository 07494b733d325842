import { afterAll, expect, test } from "bun:test";

import { Fault } from "../core/errors.ts";
import type { Charge, PaymentGateway } from "../core/ports/payments.ts";
import { HttpPaymentGateway } from "./http-gateway.ts";
import { ANSWER_BYTES_MAX } from "./limits.ts";

const deadlineMs = 150;
const cleanUps: (() => unknown)[] = [];
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

const charge: Charge = {
  orderId: `ord_${"1".repeat(34)}`,
  amountMinor: 500,
  currency: "INR",
  token: "tok_ok",
  payUntilMs: 0,
};

const CALLS: Record<keyof PaymentGateway, (gateway: PaymentGateway) => Promise<unknown>> = {
  charge: (gateway) => gateway.charge(charge),
  inquire: (gateway) => gateway.inquire(charge.orderId),
  void: (gateway) => gateway.void(charge.orderId),
  refund: (gateway) => gateway.refund(charge.orderId),
};

function gatewayOf(url: string): HttpPaymentGateway {
  return new HttpPaymentGateway({ url, chargeDeadlineMs: deadlineMs, callDeadlineMs: deadlineMs });
}

/** A server that treats bytes as it pleases. */
function startSocketServer(onData: (socket: Bun.Socket) => void): string {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => onData(socket) },
  });
  cleanUps.push(() => listener.stop(true));
  return `http://127.0.0.1:${listener.port}`;
}

function startHttpServer(answer: (request: Request) => Response | Promise<Response>) {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  cleanUps.push(() => server.stop(true));
  return server.url.origin;
}

function rawAnswer(body: string, status = "200 OK"): string {
  return `HTTP/1.1 ${status}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const closedPort = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
closedPort.stop(true);

const elsewhere = startHttpServer(() => Response.json({ kind: "declined" }));

const BAD_SERVERS: Record<string, string> = {
  "reads and says nothing": startSocketServer(() => {}),
  "closes at once": startSocketServer((socket) => socket.end()),
  "cuts the connection": startSocketServer((socket) => socket.terminate()),
  "is not there": `http://127.0.0.1:${closedPort.port}`,
  "answers half a status line": startSocketServer((socket) => socket.write("HTTP/1.1 20")),
  "answers half a body": startSocketServer((socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{"kind":"pa'),
  ),
  "answers half a body and closes": startSocketServer((socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{"kind":"declined"}'),
  ),
  "answers bytes that are no HTTP": startSocketServer((socket) => socket.end("\x16\x03\x01\x00")),
  "answers no JSON": startSocketServer((socket) => socket.write(rawAnswer("<html>paid</html>"))),
  "answers an empty body": startSocketServer((socket) => socket.write(rawAnswer(""))),
  "answers an unknown kind": startHttpServer(() => Response.json({ kind: "maybe" })),
  "answers a fraction": startHttpServer(() =>
    Response.json({ kind: "paid", amountMinor: 500.5, refundedMinor: 500.5 }),
  ),
  "answers amounts as text": startHttpServer(() =>
    Response.json({ kind: "paid", amountMinor: "500", refundedMinor: "500" }),
  ),
  "answers more refunded than paid": startHttpServer(() =>
    Response.json({ kind: "paid", amountMinor: 500, refundedMinor: 501 }),
  ),
  "answers 500": startHttpServer(() => Response.json({ kind: "declined" }, { status: 500 })),
  "answers 201": startHttpServer(() => Response.json({ kind: "declined" }, { status: 201 })),
  "answers a proxy's 404": startHttpServer(() => Response.json({ kind: "paid" }, { status: 404 })),
  "says not_found with 200": startHttpServer(() => Response.json({ kind: "not_found" })),
  "sends somewhere else": startHttpServer(() => Response.redirect(elsewhere, 307)),
  "never stops sending": startHttpServer(
    () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)),
        }),
      ),
  ),
  "drips a byte at a time": startHttpServer(
    () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            await Bun.sleep(20);
            controller.enqueue(new Uint8Array([32]));
          },
        }),
      ),
  ),
};

for (const [what, url] of Object.entries(BAD_SERVERS)) {
  test(`a gateway that ${what} is unavailable within the deadline, for every call`, async () => {
    const gateway = gatewayOf(url);
    await Promise.all(
      Object.values(CALLS).map(async (call) => {
        const startedMs = performance.now();
        const fault = await call(gateway).catch((thrown: unknown) => thrown);
        expect(fault).toBeInstanceOf(Fault);
        expect((fault as Fault).code).toBe("payment_unavailable");
        // Room for a busy test machine, not for the gateway.
        expect(performance.now() - startedMs).toBeLessThan(deadlineMs + 500);
      }),
    );
  });
}

test("an answer without end is given up for its size, long before the deadline", async () => {
  const gateway = new HttpPaymentGateway({ url: BAD_SERVERS["never stops sending"] ?? "" });
  const fault = await gateway.charge(charge).catch((thrown: unknown) => thrown);
  expect(String(fault)).toContain(`more than ${ANSWER_BYTES_MAX} bytes`);
});

test("a hung call's connection is closed at its deadline", async () => {
  const closed = Promise.withResolvers<string>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data() {}, close: () => closed.resolve("closed") },
  });
  cleanUps.push(() => listener.stop(true));
  const url = `http://127.0.0.1:${listener.port}`;
  await gatewayOf(url)
    .inquire(charge.orderId)
    .catch(() => {});
  expect(await Promise.race([closed.promise, Bun.sleep(2_000)])).toBe("closed");
});

test("an answer that its call cannot have is unknown", async () => {
  const impossible: [keyof PaymentGateway, object, number][] = [
    ["charge", { kind: "not_found" }, 404],
    ["charge", { kind: "paid", amountMinor: 499, refundedMinor: 0 }, 200],
    ["void", { kind: "pending" }, 200],
    ["void", { kind: "not_found" }, 404],
    ["refund", { kind: "paid", amountMinor: 500, refundedMinor: 0 }, 200],
  ];
  for (const [call, answer, status] of impossible) {
    const gateway = gatewayOf(startHttpServer(() => Response.json(answer, { status })));
    const fault = await CALLS[call](gateway).catch((thrown: unknown) => thrown);
    expect(fault).toBeInstanceOf(Fault);
  }
});

test("an answer in chunks, without a length, is read", async () => {
  const parts = ['{"kind":', '"declined"}'];
  const url = startHttpServer(
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            const part = parts.shift();
            if (part === undefined) controller.close();
            else controller.enqueue(new TextEncoder().encode(part));
          },
        }),
      ),
  );
  expect(await gatewayOf(url).inquire(charge.orderId)).toEqual({ kind: "declined" });
});

test("a hung gateway holds so many connections and no more; later calls get through", async () => {
  let isHanging = true;
  let openCount = 0;
  let mostOpen = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open() {
        mostOpen = Math.max(mostOpen, ++openCount);
      },
      close() {
        openCount -= 1;
      },
      data(socket) {
        if (!isHanging) socket.write(rawAnswer('{"kind":"declined"}'));
      },
    },
  });
  cleanUps.push(() => listener.stop(true));
  const gateway = new HttpPaymentGateway({
    url: `http://127.0.0.1:${listener.port}`,
    chargeDeadlineMs: deadlineMs,
    chargesAtOnceMax: 8,
    waitingMax: 100,
  });
  const settled = await Promise.allSettled(
    Array.from({ length: 200 }, () => gateway.charge(charge)),
  );
  expect(settled.every(({ status }) => status === "rejected")).toBe(true);
  expect(mostOpen).toBe(8);
  isHanging = false;
  expect(await gateway.charge(charge)).toEqual({ kind: "declined" });
});

test("calls one after another use one connection", async () => {
  let openCount = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open() {
        openCount += 1;
      },
      data: (socket) => {
        socket.write(rawAnswer('{"kind":"declined"}'));
      },
    },
  });
  cleanUps.push(() => listener.stop(true));
  const gateway = gatewayOf(`http://127.0.0.1:${listener.port}/`);
  for (let call = 0; call < 20; call += 1) await gateway.charge(charge);
  expect(openCount).toBe(1);
});
