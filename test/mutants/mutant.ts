/** A deliberate breakage. `find` must stand exactly once in its file. */
export type Mutant = {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};
