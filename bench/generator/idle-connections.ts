// Connections without a request under way, the longest idle one first: each shopper has a connection
// of their own, and none is left so long that its server closes it.

import type { Connection } from "./connection.ts";

export class IdleConnections {
  readonly #ring: (Connection | undefined)[];
  #first = 0;
  #count = 0;

  constructor(connections: readonly Connection[]) {
    this.#ring = [...connections];
    this.#count = connections.length;
  }

  /** Hot path. There is room: a connection is in here at most once. */
  push(connection: Connection): void {
    this.#ring[(this.#first + this.#count) % this.#ring.length] = connection;
    this.#count += 1;
  }

  /** Hot path. */
  shift(): Connection | undefined {
    if (this.#count === 0) return undefined;
    const connection = this.#ring[this.#first];
    this.#first = (this.#first + 1) % this.#ring.length;
    this.#count -= 1;
    return connection;
  }
}
