// The bytes of requests: one template for each kind, of which each request patches the holes. No
// string is built while the clock runs.

import { assert } from "../../src/core/assert.ts";
import { seededRandom, zipf } from "../stats/random.ts";
import { shopperOf, type TokenMint } from "./tokens.ts";

/** Which SKU a request is for. `catalogue` SKUs are `sku-00000` and up, chosen by a zipf draw. */
export type SkuChoice =
  | { readonly kind: "one"; readonly sku: string }
  | { readonly kind: "catalogue"; readonly size: number; readonly seed: number };

const CATALOGUE_DIGITS = 5;

export function catalogueSku(number: number): string {
  return `sku-${String(number).padStart(CATALOGUE_DIGITS, "0")}`;
}

/** Returns: the number of the catalogue's SKU for each of `count` requests; null: all alike. */
export function skuNumbers(choice: SkuChoice, count: number): Uint32Array | null {
  if (choice.kind === "one") return null;
  const draw = zipf(choice.size, 1, seededRandom(choice.seed));
  return Uint32Array.from({ length: count }, draw);
}

const HOLE_SHOPPER = shopperOf(0);

type Template = {
  readonly bytes: Buffer;
  readonly tokenAt: number;
  /** Where the SKU's digits stand; -1: it is the same for all. */
  readonly skuAt: number;
  /** Where the shopper stands in plain (an idempotency key); -1: nowhere. */
  readonly shopperAt: number;
};

/** Requests of one kind. `fill` hands out the same buffer each time: send it before the next one. */
export class Requests {
  readonly #template: Template;
  readonly #mint: TokenMint;
  readonly #skuNumbers: Uint32Array | null;

  private constructor(template: Template, mint: TokenMint, numbers: Uint32Array | null) {
    this.#template = template;
    this.#mint = mint;
    this.#skuNumbers = numbers;
  }

  static holds(of: { sale: string; choice: SkuChoice; mint: TokenMint; count: number }): Requests {
    const sku = of.choice.kind === "one" ? of.choice.sku : catalogueSku(0);
    const head = `PUT /v1/sales/${of.sale}/skus/${sku}/hold HTTP/1.1`;
    const text = requestText(head, of.mint.sample, [], '{"quantity":1}');
    const skuAt = of.choice.kind === "one" ? -1 : text.indexOf(sku) + sku.length - CATALOGUE_DIGITS;
    const tokenAt = text.indexOf(of.mint.sample);
    const template = { bytes: Buffer.from(text), tokenAt, skuAt, shopperAt: -1 };
    return new Requests(template, of.mint, skuNumbers(of.choice, of.count));
  }

  static checkouts(of: { sale: string; sku: string; card: string; mint: TokenMint }): Requests {
    const body = JSON.stringify({
      sale: of.sale,
      lines: [{ sku: of.sku, quantity: 1 }],
      payment: { method: "card", token: of.card },
    });
    const key = `Idempotency-Key: ${HOLE_SHOPPER}`;
    const text = requestText("POST /v1/checkout HTTP/1.1", of.mint.sample, [key], body);
    const shopperAt = text.indexOf(key) + key.length - HOLE_SHOPPER.length;
    const tokenAt = text.indexOf(of.mint.sample);
    return new Requests({ bytes: Buffer.from(text), tokenAt, skuAt: -1, shopperAt }, of.mint, null);
  }

  /** Hot path. `shopper` is the token's, `index` the request's place in the run. */
  fill(shopper: number, index: number): Buffer {
    const { bytes, tokenAt, skuAt, shopperAt } = this.#template;
    this.#mint.write(bytes, tokenAt, shopper);
    if (this.#skuNumbers !== null) {
      writeDigits(bytes, skuAt, CATALOGUE_DIGITS, this.#skuNumbers[index] as number);
    }
    if (shopperAt !== -1) writeDigits(bytes, shopperAt + 1, HOLE_SHOPPER.length - 1, shopper);
    return bytes;
  }
}

function writeDigits(target: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let digit = digits - 1; digit >= 0; digit -= 1) {
    target[at + digit] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  assert(rest === 0, "the number fits its hole");
}

function requestText(
  head: string,
  token: string,
  headers: readonly string[],
  body: string,
): string {
  return [
    head,
    "Host: 127.0.0.1",
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    ...headers,
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}
