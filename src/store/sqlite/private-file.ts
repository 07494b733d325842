import { closeSync, openSync } from "node:fs";

/**
 * Makes a database file that its user alone may read: SQLite itself makes it as the umask says, and
 * gives the files beside it the mode that it has. One that is there is not even opened: closing it
 * would end the locks that this process has on it.
 *
 * Throws  the file system's error.
 */
export function makePrivateFile(path: string): void {
  if (path === ":memory:") return;
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    if (!isThere) throw cause;
  }
}
