/**
 * Gives partitions their turns: one `soon` for the whole node, after the sockets have been read, so
 * that everything decoded from the same reads joins one batch. No timer, no linger.
 */
export class Turns<T extends { turn(): void }> {
  readonly #soon: (task: () => void) => void;
  #waiting: T[] = [];
  #scheduled = false;

  constructor(soon: (task: () => void) => void) {
    this.#soon = soon;
  }

  /** The caller sees to it that it asks once a turn. */
  request(partition: T): void {
    this.#waiting.push(partition);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#soon(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const partition of waiting) partition.turn();
  };
}
