// As little of HTTP/1.1 as a load generator needs: the status and where an answer ends. Answers come
// whole nearly always; a split one is put together first. Only Content-Length bodies are known:
// every arm answers so, anything else is an error that is counted.

const SPACE = 32;
const CR = 13;
const LF = 10;
const COLON = 58;

/** `content-length`, lower case. */
const NAME = Buffer.from("content-length");

export type ParsedHead = {
  status: number;
  /** Bytes of head and body; -1: the head is not complete yet; -2: not an answer we understand. */
  totalBytes: number;
};

/** Hot path: reads the head at `from` into `into`. Fits statuses of three digits. */
export function parseHead(bytes: Uint8Array, from: number, into: ParsedHead): void {
  into.totalBytes = -1;
  const end = bytes.length;
  if (end - from < 16) return;
  const version = from + 8;
  if (bytes[from] !== 72 || bytes[version] !== SPACE) {
    into.totalBytes = -2;
    return;
  }
  into.status =
    (bytes[version + 1] as number) * 100 +
    (bytes[version + 2] as number) * 10 +
    (bytes[version + 3] as number) -
    48 * 111;
  let bodyBytes = into.status === 204 || into.status === 304 ? 0 : -1;
  let at = version + 4;
  for (;;) {
    while (at < end && bytes[at] !== LF) at += 1;
    at += 1;
    if (at + 1 >= end) return;
    if (bytes[at] === CR) break;
    if (bodyBytes < 0 && isContentLength(bytes, at)) bodyBytes = numberAt(bytes, at + 15);
  }
  into.totalBytes = bodyBytes < 0 ? -2 : at + 2 + bodyBytes - from;
}

function isContentLength(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 14] !== COLON) return false;
  for (let index = 0; index < 14; index += 1) {
    const byte = bytes[at + index] as number;
    if ((byte === 45 ? byte : byte | 32) !== NAME[index]) return false;
  }
  return true;
}

function numberAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  let index = at;
  while (bytes[index] === SPACE) index += 1;
  for (;;) {
    const digit = (bytes[index] ?? 0) - 48;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
    index += 1;
  }
}
