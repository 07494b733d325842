// What every message begins with: the format and the cluster it belongs to.
//
//   1 <clusterId>
//   payload

import { FORMAT, FORMAT_OLDEST_READ } from "../core/formats.ts";

export type Unsealed =
  | { readonly kind: "ours"; readonly payload: string }
  | { readonly kind: "ignored"; readonly reason: "garbage" | "other_format" | "other_cluster" };

const GARBAGE: Unsealed = { kind: "ignored", reason: "garbage" };
const OTHER_FORMAT: Unsealed = { kind: "ignored", reason: "other_format" };
const OTHER_CLUSTER: Unsealed = { kind: "ignored", reason: "other_cluster" };

/** Digits of a format number and of a cluster id: no header of ours is longer. */
const HEADER_LENGTH_MAX = 128;

export class Envelope {
  readonly #clusterId: string;
  readonly #writes: () => number;
  #format = 0;
  #header = "";

  /** `writes`: the format that every member reads; this build's own when nobody says. */
  constructor(clusterId: string, writes: () => number = () => FORMAT) {
    this.#clusterId = clusterId;
    this.#writes = writes;
  }

  seal(payload: string): string {
    const format = this.#writes();
    if (format !== this.#format) {
      this.#format = format;
      this.#header = `${format}\t${this.#clusterId}\n`;
    }
    return this.#header + payload;
  }

  /** Never throws, whatever the text is. */
  unseal(text: string): Unsealed {
    const end = text.indexOf("\n");
    if (end === -1 || end > HEADER_LENGTH_MAX) return GARBAGE;
    const tab = text.indexOf("\t");
    if (tab === -1 || tab > end) return GARBAGE;
    const digits = text.slice(0, tab);
    if (!/^[1-9]\d{0,5}$/.test(digits)) return GARBAGE;
    const format = Number(digits);
    if (format < FORMAT_OLDEST_READ || format > FORMAT) return OTHER_FORMAT;
    if (text.slice(tab + 1, end) !== this.#clusterId) return OTHER_CLUSTER;
    return { kind: "ours", payload: text.slice(end + 1) };
  }
}
