type Waiting = { readonly urgencyOf: () => number; readonly begin: () => void };

/**
 * Lets at most so many claims and loads of a node run at once. Of the rest the most urgent is next,
 * asked when there is room for it; equally urgent ones go in order.
 */
export class LoadGate {
  #free: number;
  readonly #waiting: Waiting[] = [];

  constructor(atOnceMax: number) {
    this.#free = atOnceMax;
  }

  async run<T>(urgencyOf: () => number, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else {
      await new Promise<void>((begin) => {
        this.#waiting.push({ urgencyOf, begin });
      });
    }
    try {
      return await work();
    } finally {
      const next = this.#takeMostUrgent();
      if (next === undefined) this.#free++;
      else next.begin();
    }
  }

  #takeMostUrgent(): Waiting | undefined {
    let best = 0;
    for (let index = 1; index < this.#waiting.length; index++) {
      if (this.#waiting[index]!.urgencyOf() > this.#waiting[best]!.urgencyOf()) best = index;
    }
    return this.#waiting.splice(best, 1)[0];
  }
}
