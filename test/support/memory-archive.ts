import type { Archive, ArchivedText } from "../../src/core/ports/archive.ts";

type Request = Parameters<Archive["get"]>[0];

/** The archive as a map, which a test can take away, hold, or cut behind an effect. */
export class MemoryArchive implements Archive {
  readonly texts = new Map<string, string>();
  fault: Error | null = null;
  puts = 0;
  gets = 0;
  #held: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;

  /** Calls wait from now on. */
  hold(): void {
    this.#held = Promise.withResolvers<void>();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }

  async put(texts: readonly ArchivedText[]): Promise<void> {
    this.puts++;
    await this.#held?.promise;
    if (this.fault !== null) throw this.fault;
    for (const one of texts) {
      const key = keyOf(one);
      if (!this.texts.has(key)) this.texts.set(key, one.text);
    }
  }

  async get(request: Request): Promise<string | null> {
    this.gets++;
    await this.#held?.promise;
    if (this.fault !== null) throw this.fault;
    return this.texts.get(keyOf(request)) ?? null;
  }
}

function keyOf({ partition, unit, digest }: Request): string {
  return `${partition} ${unit} ${digest}`;
}
