// The payment gateway over HTTP. Hot path of a checkout; bench: bench/payments.ts.
//
// G1  Every call settles within its deadline, also while the gateway hangs (I9).
// G2  Only an answer that was read whole and makes sense is a state; all else is a Fault and means
//     "unknown": the call may have been done. Every call may be repeated.
// G3  A paid charge has the amount that was asked for, in integer minor units (I10).

import { assert } from "../core/assert.ts";
import { Fault } from "../core/errors.ts";
import type { Charge, ChargeState, PaymentGateway } from "../core/ports/payments.ts";
import { CallLane } from "./call-lane.ts";
import { parseChargeState } from "./charge-state.ts";
import * as limits from "./limits.ts";

export type HttpPaymentGatewayOptions = {
  /** PAYMENT_URL, without `/v1`. */
  readonly url: string;
  readonly chargeDeadlineMs?: number;
  readonly callDeadlineMs?: number;
  /** Above the default, raise BUN_CONFIG_MAX_HTTP_REQUESTS too. */
  readonly chargesAtOnceMax?: number;
  readonly waitingMax?: number;
};

const JSON_HEADERS = { "content-type": "application/json" };

/** What each call may be answered; any other state is garbage. */
const ANSWERS = {
  charge: ["paid", "declined", "pending", "voided"],
  inquire: ["paid", "declined", "pending", "voided", "not_found"],
  void: ["voided", "paid", "declined"],
  refund: ["paid", "declined", "pending", "voided", "not_found"],
} as const satisfies Record<keyof PaymentGateway, readonly ChargeState["kind"][]>;

export class HttpPaymentGateway implements PaymentGateway {
  readonly #chargesUrl: string;
  readonly #charges: CallLane;
  readonly #others: CallLane;

  constructor(options: HttpPaymentGatewayOptions) {
    const url = new URL(options.url);
    assert(url.protocol === "http:" || url.protocol === "https:", "the gateway speaks HTTP");
    this.#chargesUrl = `${url.href.replace(/\/+$/, "")}/v1/charges`;
    const waitingMax = options.waitingMax ?? limits.CALLS_WAITING_MAX;
    this.#charges = new CallLane({
      name: "charge",
      deadlineMs: options.chargeDeadlineMs ?? limits.CHARGE_DEADLINE_MS,
      atOnceMax: options.chargesAtOnceMax ?? limits.CHARGES_AT_ONCE_MAX,
      promptMax: limits.CHARGES_PROMPT_MAX,
      waitingMax,
    });
    this.#others = new CallLane({
      name: "payment call",
      deadlineMs: options.callDeadlineMs ?? limits.CALL_DEADLINE_MS,
      atOnceMax: limits.OTHER_CALLS_AT_ONCE_MAX,
      waitingMax,
    });
  }

  async charge(charge: Charge): Promise<ChargeState> {
    assert(Number.isSafeInteger(charge.amountMinor) && charge.amountMinor >= 0, "whole units");
    const { orderId, amountMinor, currency, token, payUntilMs } = charge;
    const body = JSON.stringify({ orderId, amountMinor, currency, token, payUntilMs });
    const state = await this.#charges.run((signal) =>
      this.#ask("charge", this.#chargesUrl, {
        method: "POST",
        headers: JSON_HEADERS,
        body,
        signal,
      }),
    );
    if (state.kind === "paid" && state.amountMinor !== amountMinor) {
      throw unavailable(`${orderId}: paid ${state.amountMinor} instead of ${amountMinor}`);
    }
    return state;
  }

  inquire(orderId: string): Promise<ChargeState> {
    const url = this.#urlOf(orderId);
    return this.#others.run((signal) => this.#ask("inquire", url, { method: "GET", signal }));
  }

  void(orderId: string): Promise<ChargeState> {
    const url = `${this.#urlOf(orderId)}/void`;
    return this.#others.run((signal) => this.#ask("void", url, { method: "POST", signal }));
  }

  async refund(orderId: string): Promise<ChargeState> {
    const url = `${this.#urlOf(orderId)}/refund`;
    const state = await this.#others.run((signal) =>
      this.#ask("refund", url, { method: "POST", signal }),
    );
    if (state.kind === "paid" && state.refundedMinor !== state.amountMinor) {
      throw unavailable(`${orderId}: refunded ${state.refundedMinor} of ${state.amountMinor}`);
    }
    return state;
  }

  #urlOf(orderId: string): string {
    return `${this.#chargesUrl}/${encodeURIComponent(orderId)}`;
  }

  async #ask(call: keyof PaymentGateway, url: string, init: RequestInit): Promise<ChargeState> {
    const response = await fetch(url, { ...init, redirect: "manual" });
    const text = await readBounded(response);
    // 404 is an answer too, but only when its body says so: a proxy's 404 is no state.
    if (response.status !== 200 && response.status !== 404) {
      throw unavailable(`${call}: HTTP ${response.status}`);
    }
    const state = parseChargeState(parseJson(text));
    const isDefinite = (response.status === 404) === (state?.kind === "not_found");
    if (state === null || !isDefinite || !isAnswerTo(call, state)) {
      throw unavailable(`${call}: HTTP ${response.status} with an answer that makes no sense`);
    }
    return state;
  }
}

function isAnswerTo(call: keyof PaymentGateway, state: ChargeState): boolean {
  return (ANSWERS[call] as readonly ChargeState["kind"][]).includes(state.kind);
}

function unavailable(detail: string, cause?: unknown): Fault {
  return new Fault("payment_unavailable", detail, { cause });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unavailable("the gateway's answer is no JSON", cause);
  }
}

/** A server that never stops sending must not fill our memory before the deadline. */
async function readBounded(response: Response): Promise<string> {
  const { headers } = response;
  const declaredBytes = Number(headers.get("content-length") ?? Number.NaN);
  if (declaredBytes <= limits.ANSWER_BYTES_MAX && !headers.has("content-encoding")) {
    return response.text();
  }
  const decoder = new TextDecoder();
  let text = "";
  let readBytes = 0;
  for await (const chunk of response.body ?? []) {
    readBytes += chunk.byteLength;
    if (readBytes > limits.ANSWER_BYTES_MAX) {
      throw unavailable(`the gateway's answer has more than ${limits.ANSWER_BYTES_MAX} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
