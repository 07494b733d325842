// ChargeState as it travels: what the simulator answers and the gateway client accepts.

import { z } from "zod";

import { AMOUNT_MINOR_MAX } from "../core/limits.ts";
import type { ChargeState } from "../core/ports/payments.ts";

const amountMinor = z.int().min(0).max(AMOUNT_MINOR_MAX);

const chargeState = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("paid"), amountMinor, refundedMinor: amountMinor }),
  z.object({ kind: z.literal("declined") }),
  z.object({ kind: z.literal("pending") }),
  z.object({ kind: z.literal("voided") }),
  z.object({ kind: z.literal("not_found") }),
]);

/** Returns  null for anything that is not a state, also when more is refunded than was paid. */
export function parseChargeState(value: unknown): ChargeState | null {
  const parsed = chargeState.safeParse(value);
  if (!parsed.success) return null;
  const state = parsed.data;
  if (state.kind === "paid" && state.refundedMinor > state.amountMinor) return null;
  return state;
}
