/** Commands and early refusals in a second: about a tenth of what one core answers (ADR 0013). */
const RUSH_PER_S = 5_000;

/** What stays of the count after a tick; over many ticks it is then about that of a second. */
const KEPT = 0.9;

/**
 * Are shoppers storming this node's partitions? Then what can wait does. `tick` is called ten times a second.
 *
 * Hot path: an addition for each command.
 */
export class Rush {
  #asked = 0;
  #lastSecond = 0;

  asked(): void {
    this.#asked++;
  }

  tick(): void {
    this.#lastSecond = this.#lastSecond * KEPT + this.#asked;
    this.#asked = 0;
  }

  get isOn(): boolean {
    return this.#lastSecond >= RUSH_PER_S;
  }
}
