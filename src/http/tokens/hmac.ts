import { assert } from "../../core/assert.ts";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/**
 * HMAC-SHA-256 (RFC 2104) under one key, of messages that are written into it.
 *
 * Hot path (bench/token.ts). Two one-shot hashes over arrays that stay: a hasher that is made or
 * copied for each message leaves the garbage collector an object with memory of its own.
 */
export class HmacSha256 {
  /** To be filled by the caller. */
  readonly message: Uint8Array;
  /** Of the message that was signed last. */
  readonly digest = new Uint8Array(DIGEST_BYTES);
  /** The key's first block, then the message. */
  readonly #inner: Uint8Array;
  /** The key's second block, then the inner digest. */
  readonly #outer = new Uint8Array(BLOCK_BYTES + DIGEST_BYTES);
  readonly #innerDigest = this.#outer.subarray(BLOCK_BYTES);
  /** Views of `#inner` by the length of the message, made when first needed. */
  readonly #inputs: (Uint8Array | undefined)[] = [];

  constructor(key: Uint8Array, messageBytesMax: number) {
    this.#inner = new Uint8Array(BLOCK_BYTES + messageBytesMax);
    this.message = this.#inner.subarray(BLOCK_BYTES);
    const block = new Uint8Array(BLOCK_BYTES);
    if (key.length <= BLOCK_BYTES) block.set(key);
    else Bun.SHA256.hash(key, block.subarray(0, DIGEST_BYTES));
    for (const [index, byte] of block.entries()) {
      this.#inner[index] = byte ^ 0x36;
      this.#outer[index] = byte ^ 0x5c;
    }
  }

  /** Puts the code of the first `bytes` bytes of `message` into `digest`. */
  sign(bytes: number): void {
    assert(bytes <= this.message.length, "a message fits");
    const input = (this.#inputs[bytes] ??= this.#inner.subarray(0, BLOCK_BYTES + bytes));
    Bun.SHA256.hash(input, this.#innerDigest);
    Bun.SHA256.hash(this.#outer, this.digest);
  }
}
