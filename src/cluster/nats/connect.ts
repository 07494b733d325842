// The connection to NATS. Its defaults are those of a short script (notes: c-17 to c-22): it gives up
// after 20 s of outage, notices a dead link after minutes, and stops for good at a second
// authentication error. An engine must come back by itself.

import { connect, type NatsConnection } from "nats";

import { Fault } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";

const RECONNECT_MS = 250;
const RECONNECT_JITTER_MS = 100;
const DIAL_MS = 2_000;
/** Two unanswered pings, so a half-open link is noticed within 6 s. */
const PING_EVERY_MS = 2_000;
const PINGS_UNANSWERED_MAX = 2;

/** A server that is not there at the first start: how long it is waited for. */
const FIRST_CONNECT_MS = 15_000;

export type NatsOptions = {
  /** One URL, or several with commas. */
  readonly url: string;
  /** Shown to NATS operators. */
  readonly name: string;
  readonly log: Logger;
};

/** Throws  Fault("store_unavailable") when no server took us within FIRST_CONNECT_MS. */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const { servers, user, pass, token } = serversOf(options.url);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Fault("store_unavailable", "NATS does not answer"));
  }, FIRST_CONNECT_MS);
  const connecting = connect({
    servers,
    ...(user === null ? {} : { user }),
    ...(pass === null ? {} : { pass }),
    ...(token === null ? {} : { token }),
    name: options.name,
    reconnect: true,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    timeout: DIAL_MS,
    pingInterval: PING_EVERY_MS,
    maxPingOut: PINGS_UNANSWERED_MAX,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (cause) {
    // One that comes after all is not wanted any more.
    connecting.then(
      (connection) => connection.close(),
      () => undefined,
    );
    throw cause instanceof Fault
      ? cause
      : new Fault("store_unavailable", "NATS does not take us", { cause });
  } finally {
    clearTimeout(timer);
  }
}

/** nats.js takes no user information in a URL. */
function serversOf(url: string): {
  readonly servers: string[];
  readonly user: string | null;
  readonly pass: string | null;
  readonly token: string | null;
} {
  const servers: string[] = [];
  let user = "";
  let pass = "";
  for (const part of url.split(",")) {
    const parsed = new URL(part.trim());
    user ||= decodeURIComponent(parsed.username);
    pass ||= decodeURIComponent(parsed.password);
    parsed.username = "";
    parsed.password = "";
    servers.push(`${parsed.protocol}//${parsed.host}`);
  }
  if (user !== "" && pass === "") return { servers, user: null, pass: null, token: user };
  return user === ""
    ? { servers, user: null, pass: null, token: null }
    : { servers, user, pass, token: null };
}
