/** Room for so many at once. Whoever gets none asks again later. */
export class Slots {
  #free: number;

  constructor(atOnceMax: number) {
    this.#free = atOnceMax;
  }

  /** True: it is the caller's until `give`. */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  give(): void {
    this.#free++;
  }
}
