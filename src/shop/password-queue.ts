// argon2id is slow on purpose and fills a core: one at a time, so that a flood of sign-ins never
// slows a sale, and a short line, so that nobody waits for an answer that comes too late (I9).

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import { PASSWORD_QUEUE_MAX, REQUEST_DEADLINE_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Passwords } from "./ports.ts";

export class PasswordQueue implements Passwords {
  readonly #passwords: Passwords;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(passwords: Passwords, clock: Clock) {
    this.#passwords = passwords;
    this.#clock = clock;
  }

  hash(password: string): Promise<string> {
    return this.#inTurn(() => this.#passwords.hash(password));
  }

  verify(password: string, hash: string): Promise<boolean> {
    return this.#inTurn(() => this.#passwords.verify(password, hash));
  }

  /** Throws  Fault("busy") when the line is full, or its turn came after its deadline. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    // One of those counted is being hashed.
    if (this.#waiting > PASSWORD_QUEUE_MAX) {
      throw new Fault("busy", `${PASSWORD_QUEUE_MAX} passwords wait already`);
    }
    this.#waiting++;
    const startedMs = this.#clock.monotonicMs();
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      await before;
      if (this.#clock.monotonicMs() - startedMs > REQUEST_DEADLINE_MS) {
        throw new Fault("busy", "a password waited for longer than its request");
      }
      return await work();
    } finally {
      this.#waiting--;
      assert(this.#waiting >= 0, "who leaves the line was in it");
      resolve();
    }
  }
}
