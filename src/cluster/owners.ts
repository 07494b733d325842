/** Who owns what, as far as this node knows. Built from the member list and announced claims. */
export interface Owners {
  /** The live member with the highest announced claim, else the one that placement names. */
  ownerOf(partition: number): string | null;
  /** Placed here and being claimed or handed over: whoever asks may wait for it. */
  parkable(partition: number): boolean;
  /** Called whenever an answer of `ownerOf` or `parkable` may have changed. */
  onChange(handler: () => void): void;
  /** Called for a member that was evicted: its answers may be late, and need not come at all. */
  onEvicted(handler: (nodeId: string) => void): void;
}
