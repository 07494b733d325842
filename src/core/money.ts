// Money is integer minor units with an ISO 4217 code, from request to database (I10).

import { AMOUNT_MINOR_MAX } from "./limits.ts";

export type Money = { readonly amountMinor: number; readonly currency: string };

/**
 * Digits after the decimal point by ISO 4217 code. Currencies not listed are not sold in.
 *
 * Source  ISO 4217 list one (active codes), funds and metals left out.
 */
const EXPONENT_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const EXPONENT_3 = "BHD IQD JOD KWD LYD OMR TND";
const EXPONENT_2 =
  "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD " +
  "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD " +
  "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD " +
  "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP " +
  "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS " +
  "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW";

const EXPONENTS: ReadonlyMap<string, number> = new Map([
  ...EXPONENT_0.split(" ").map((code) => [code, 0] as const),
  ...EXPONENT_2.split(" ").map((code) => [code, 2] as const),
  ...EXPONENT_3.split(" ").map((code) => [code, 3] as const),
]);

/** Digits after the point, or null when the code is not a currency we know. */
export function exponentOf(currency: string): number | null {
  return EXPONENTS.get(currency) ?? null;
}

export type ParsedAmount =
  | { readonly ok: true; readonly amountMinor: number }
  | { readonly ok: false; readonly reason: string };

/**
 * An exact decimal ("19999.00") as minor units.
 *
 * Shape    digits, then optionally a point and at most as many digits as the currency has.
 * Returns  the reason when the text is no such decimal; never rounds.
 */
export function parseAmount(text: string, currency: string): ParsedAmount {
  const exponent = exponentOf(currency);
  if (exponent === null) return { ok: false, reason: `unknown currency ${currency}` };
  const match = /^(\d{1,16})(?:\.(\d+))?$/.exec(text);
  if (match === null) {
    return { ok: false, reason: 'must be a decimal such as "19.99", in quotes' };
  }
  const decimals = match[2] ?? "";
  if (decimals.length > exponent) {
    return { ok: false, reason: `${currency} has ${exponent} decimals, not ${decimals.length}` };
  }
  const amountMinor = Number(`${match[1]}${decimals.padEnd(exponent, "0")}`);
  if (!Number.isSafeInteger(amountMinor) || amountMinor > AMOUNT_MINOR_MAX) {
    return { ok: false, reason: `must be at most ${AMOUNT_MINOR_MAX} minor units` };
  }
  return { ok: true, amountMinor };
}

/** Minor units as an exact decimal: the inverse of `parseAmount`. */
export function formatAmount({ amountMinor, currency }: Money): string {
  const exponent = exponentOf(currency) ?? 0;
  if (exponent === 0) return String(amountMinor);
  const digits = String(amountMinor).padStart(exponent + 1, "0");
  return `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
