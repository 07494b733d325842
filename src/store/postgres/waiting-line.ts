import { assert } from "../../core/assert.ts";
import { Fault } from "../../core/errors.ts";

/**
 * A bounded number of slots and a bounded line before them, first come first served.
 *
 *   W1  at most `slots` are inside; at most `waitingMax` wait; the next is refused now
 *   W2  a wait ends: with a slot, or with Fault("busy") after its time; nothing was sent then
 */
export class WaitingLine {
  readonly #slots: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<() => void>();
  #inside = 0;

  constructor(options: { readonly slots: number; readonly waitingMax: number }) {
    assert(options.slots >= 1, "a line leads to at least one slot");
    assert(options.waitingMax >= 0, "a line has a length");
    this.#slots = options.slots;
    this.#waitingMax = options.waitingMax;
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Throws: Fault("busy"). Whoever got in leaves once. */
  async enter(what: string, waitMs: number): Promise<void> {
    if (this.#inside < this.#slots) {
      this.#inside += 1;
      return;
    }
    if (this.#waiting.size >= this.#waitingMax) {
      throw new Fault("busy", `${what}: ${this.#waiting.size} calls wait already`);
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(goIn);
        reject(new Fault("busy", `${what}: no connection free in ${waitMs} ms`));
      }, waitMs);
      const goIn = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(goIn);
    });
  }

  leave(): void {
    assert(this.#inside > 0, "only who is inside leaves");
    const [next] = this.#waiting;
    // The slot is handed over: it is never free in between.
    if (next === undefined) {
      this.#inside -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
