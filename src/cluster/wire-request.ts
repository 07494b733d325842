// Requests on the wire, format 1. Hot path (bench/router.ts): one concatenation a request out, one
// split a line in.
//
//   <id> <leftMs> h <key> <shopper> <quantity>                    hold
//   <id> <leftMs> g <key> <shopper>                               give back
//   <id> <leftMs> p <key> <shopper> <orderId> <quantity> <price>  pin
//   <id> <leftMs> u <key> <shopper> <orderId>                     unpin
//   <id> <leftMs> c <key> <shopper> <orderId> <quantity>          confirm
//   <id> <leftMs> r <key> <shopper> <orderId> <quantity>          return
//   <id> <leftMs> v <key> <version> <phase> <startsAtMs> …        configure
//   <id> <leftMs> C <shopper> <partition> …                       cart
//   <id> <leftMs> N <key> …                                       counts
//
// <key> is an index into the message's list of keys.

import { unreachable } from "../core/assert.ts";
import { SHOPPER_ID } from "../core/ids.ts";
import { HOLD_UNITS_MAX, PARTITIONS_MAX, STOCK_UNITS_MAX } from "../core/limits.ts";
import type { SkuRef } from "../core/ports/stock.ts";
import type { Command, Configure } from "../core/stock/command.ts";
import { Garbled, integer, type Message, textOf } from "./wire-message.ts";

export type Question =
  | { readonly kind: "ask"; readonly sku: SkuRef; readonly command: Command }
  | { readonly kind: "cart"; readonly shopper: string; readonly partitions: readonly number[] }
  | { readonly kind: "counts"; readonly skus: readonly SkuRef[] };

export type WireRequest = {
  readonly id: number;
  readonly leftMs: number;
  readonly question: Question;
};

/** Gathers the requests of one message. */
export class RequestLines {
  readonly #indexes = new Map<string, number>();
  #keys = "";
  #lines = "";

  /** About the bytes of it: everything is ASCII. */
  get byteCount(): number {
    return this.#keys.length + this.#lines.length;
  }

  get keys(): string {
    return this.#keys;
  }

  get lines(): string {
    return this.#lines;
  }

  add(id: number, leftMs: number, question: Question): void {
    const head = `\n${id}\t${Math.ceil(leftMs)}\t`;
    if (question.kind === "ask") {
      this.#lines += head + commandText(this.#indexOf(question.sku), question.command);
    } else if (question.kind === "cart") {
      this.#lines += `${head}C\t${question.shopper}\t${question.partitions.join("\t")}`;
    } else {
      const indexes = question.skus.map((sku) => this.#indexOf(sku));
      this.#lines += `${head}N\t${indexes.join("\t")}`;
    }
  }

  #indexOf(sku: SkuRef): number {
    let index = this.#indexes.get(sku.key);
    if (index === undefined) {
      index = this.#indexes.size;
      this.#indexes.set(sku.key, index);
      this.#keys += `${index === 0 ? "" : "\t"}${sku.partition}\t${sku.key}`;
    }
    return index;
  }
}

function commandText(key: number, command: Command): string {
  switch (command.kind) {
    case "hold":
      return `h\t${key}\t${command.shopper}\t${command.quantity}`;
    case "give_back":
      return `g\t${key}\t${command.shopper}`;
    case "pin": {
      const { shopper, orderId, quantity, priceMinor } = command;
      return `p\t${key}\t${shopper}\t${orderId}\t${quantity}\t${priceMinor}`;
    }
    case "unpin":
      return `u\t${key}\t${command.shopper}\t${command.orderId}`;
    case "confirm":
      return `c\t${key}\t${command.shopper}\t${command.orderId}\t${command.quantity}`;
    case "return":
      return `r\t${key}\t${command.shopper}\t${command.orderId}\t${command.quantity}`;
    case "configure":
      return `v\t${key}\t${configureText(command)}`;
    default:
      return unreachable(command);
  }
}

function configureText(command: Configure): string {
  const { version, phase, startsAtMs, endsAtMs, holdMs, payMs, limit } = command;
  const { priceMinor, released, group, groupLimit } = command;
  const rules = `${version}\t${phase}\t${startsAtMs}\t${endsAtMs}\t${holdMs}\t${payMs}\t${limit}`;
  return `${rules}\t${priceMinor}\t${released}\t${group ?? ""}\t${groupLimit}`;
}

/** All requests of a message, or Garbled: what comes from another node is parsed, never trusted. */
export function decodeRequests(message: Message): WireRequest[] {
  const skus = skusOf(message.keys);
  return message.lines.map((fields) => ({
    id: integer(fields[0]),
    leftMs: integer(fields[1]),
    question: questionOf(fields, skus),
  }));
}

function skusOf(keys: readonly string[]): SkuRef[] {
  if (keys.length % 2 !== 0) throw new Garbled("a key without its partition");
  const skus: SkuRef[] = [];
  for (let index = 0; index < keys.length; index += 2) {
    skus.push({ partition: partitionIn(keys[index]), key: textOf(keys[index + 1]) });
  }
  return skus;
}

function partitionIn(field: string | undefined): number {
  return within(integer(field), 0, PARTITIONS_MAX - 1);
}

function questionOf(fields: readonly string[], skus: readonly SkuRef[]): Question {
  const tag = fields[2];
  if (tag === "C") {
    const partitions = fields.slice(4).map((field) => partitionIn(field));
    return { kind: "cart", shopper: shopperIn(fields[3]), partitions };
  }
  if (tag === "N") {
    return { kind: "counts", skus: fields.slice(3).map((field) => skuIn(field, skus)) };
  }
  return { kind: "ask", sku: skuIn(fields[3], skus), command: commandOf(tag, fields) };
}

function skuIn(field: string | undefined, skus: readonly SkuRef[]): SkuRef {
  const sku = skus[integer(field)];
  if (sku === undefined) throw new Garbled("a key that is not in the list");
  return sku;
}

function commandOf(tag: string | undefined, fields: readonly string[]): Command {
  switch (tag) {
    case "h":
      return { kind: "hold", shopper: shopperIn(fields[4]), quantity: quantityIn(fields[5]) };
    case "g":
      return { kind: "give_back", shopper: shopperIn(fields[4]) };
    case "p":
      return {
        kind: "pin",
        shopper: shopperIn(fields[4]),
        orderId: textOf(fields[5]),
        quantity: quantityIn(fields[6]),
        priceMinor: within(integer(fields[7]), 0, Number.MAX_SAFE_INTEGER),
      };
    case "u":
      return { kind: "unpin", shopper: shopperIn(fields[4]), orderId: textOf(fields[5]) };
    case "c":
    case "r":
      return {
        kind: tag === "c" ? "confirm" : "return",
        shopper: shopperIn(fields[4]),
        orderId: textOf(fields[5]),
        quantity: quantityIn(fields[6]),
      };
    case "v":
      return configureIn(fields);
    default:
      throw new Garbled("no command has this tag");
  }
}

function configureIn(fields: readonly string[]): Configure {
  const phase = fields[5];
  if (phase !== "live" && phase !== "paused" && phase !== "ended" && phase !== "cancelled") {
    throw new Garbled("no phase has this name");
  }
  return {
    kind: "configure",
    version: within(integer(fields[4]), 1, Number.MAX_SAFE_INTEGER),
    phase,
    startsAtMs: integer(fields[6]),
    endsAtMs: integer(fields[7]),
    holdMs: integer(fields[8]),
    payMs: integer(fields[9]),
    limit: integer(fields[10]),
    priceMinor: integer(fields[11]),
    released: within(integer(fields[12]), 0, STOCK_UNITS_MAX),
    group: fields[13] === "" ? null : textOf(fields[13]),
    groupLimit: integer(fields[14]),
  };
}

function shopperIn(field: string | undefined): string {
  if (field === undefined || !SHOPPER_ID.test(field)) throw new Garbled("no shopper's id");
  return field;
}

function quantityIn(field: string | undefined): number {
  return within(integer(field), 1, HOLD_UNITS_MAX);
}

function within(value: number, min: number, max: number): number {
  if (value < min || value > max) throw new Garbled("a number out of its range");
  return value;
}
