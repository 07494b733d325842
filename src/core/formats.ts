/**
 * Format numbers. Batches, snapshots and wire messages begin with one; a node reads N and N − 1
 * and writes the lowest that all members announce. A golden file of each is replayed by a test.
 */
export const FORMAT = 1;
export const FORMAT_OLDEST_READ = 1;
