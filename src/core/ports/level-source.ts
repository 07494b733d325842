/** What an owner of partitions tells about its stock, for those who announce it. */
export interface LevelSource {
  /** Called after each commit with the SKUs that it changed. Never on the path of an answer. */
  onChanged(handler: (partition: number, skuKeys: readonly string[]) => void): void;
  /**
   * Those of the SKUs that are sold out with nothing held, under a confirmation asked for after the
   * call. `announce` is called with them at once, if there are any: it must tell the edges before it
   * returns, for the partition is bound by it from then on.
   */
  announceSoldOut(
    partition: number,
    keys: readonly string[],
    announce: (keys: readonly string[]) => void,
  ): Promise<void>;
}
