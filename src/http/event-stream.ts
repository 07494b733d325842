// One watcher's stream. What it has not read is never more than STREAM_BYTES and one event: a slow
// reader is not sent what it missed but, once it reads again, the whole; one that reads nothing for
// long is dropped.

/** Events in order, with what stands for all of them. */
export interface EventLog {
  readonly latest: number;
  /** The event after `seen`, or the whole for null and for what is too old; null: nothing is newer. */
  after(seen: number | null): { readonly number: number; readonly bytes: Uint8Array } | null;
  /** The reader is gone. */
  gone(stream: EventStream): void;
}

/** Unread bytes above which a stream is sent nothing more. */
const STREAM_BYTES = 64 * 1_024;

/** A reader that takes nothing for this long is gone. */
const STALLED_MS = 30_000;

/** Looked at once a second, so sent within 10 s. */
const COMMENT_EVERY_MS = 9_000;
const COMMENT = new TextEncoder().encode(": \n\n");
/** Browsers come back after 3 s by themselves; a stampede should come back spread. */
const HELLO = new TextEncoder().encode("retry: 2000\n\n");

export class EventStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #events: EventLog;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #seen: number | null;
  #sentAtMs: number;
  #stalledSinceMs = Number.POSITIVE_INFINITY;

  constructor(events: EventLog, seen: number | null, nowMs: number) {
    this.#events = events;
    this.#seen = seen;
    this.#sentAtMs = nowMs;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          controller.enqueue(HELLO);
        },
        cancel: () => this.#forget(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: STREAM_BYTES }),
    );
  }

  /** Sends what it has not seen, as far as it reads. */
  catchUp(nowMs: number): void {
    while (this.#seen !== this.#events.latest) {
      if (!this.#hasRoom()) {
        // What it misses now it will never be sent one by one.
        this.#seen = null;
        return;
      }
      const next = this.#events.after(this.#seen);
      if (next === null) return;
      this.#send(next.bytes, nowMs);
      this.#seen = next.number;
    }
  }

  /** Keeps proxies and readers sure that the line lives, and notices those that are gone. */
  beat(nowMs: number): void {
    if (this.#hasRoom()) {
      this.#stalledSinceMs = Number.POSITIVE_INFINITY;
      if (nowMs - this.#sentAtMs >= COMMENT_EVERY_MS) this.#send(COMMENT, nowMs);
      return;
    }
    this.#stalledSinceMs = Math.min(this.#stalledSinceMs, nowMs);
    if (nowMs - this.#stalledSinceMs >= STALLED_MS) this.end();
  }

  end(): void {
    const controller = this.#controller;
    this.#forget();
    controller?.close();
  }

  #send(bytes: Uint8Array, nowMs: number): void {
    this.#controller?.enqueue(bytes);
    this.#sentAtMs = nowMs;
  }

  #hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  #forget(): void {
    this.#controller = null;
    this.#events.gone(this);
  }
}
