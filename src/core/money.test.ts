import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { AMOUNT_MINOR_MAX } from "./limits.ts";
import { exponentOf, formatAmount, parseAmount } from "./money.ts";

const currency = fc.constantFrom("INR", "USD", "JPY", "KWD");
const amountMinor = fc.oneof(
  fc.integer({ min: 0, max: 100_000 }),
  fc.integer({ min: 0, max: AMOUNT_MINOR_MAX }),
);

describe("money is integer minor units (I10)", () => {
  test("what is printed is read back, exactly", () => {
    fc.assert(
      fc.property(amountMinor, currency, (minor, code) => {
        const text = formatAmount({ amountMinor: minor, currency: code });
        expect(parseAmount(text, code)).toEqual({ ok: true, amountMinor: minor });
      }),
    );
  });

  test.each(["INR", "JPY", "KWD"])(
    "the largest amount in %s is read back, one more is not",
    (code) => {
      const largest = formatAmount({ amountMinor: AMOUNT_MINOR_MAX, currency: code });
      const more = formatAmount({ amountMinor: AMOUNT_MINOR_MAX + 1, currency: code });
      expect(parseAmount(largest, code)).toEqual({ ok: true, amountMinor: AMOUNT_MINOR_MAX });
      expect(parseAmount(more, code).ok).toBe(false);
    },
  );

  test("an amount read is the decimal's, and never rounded", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.integer({ min: 0, max: 9_999 }),
        currency,
        (whole, fraction, code) => {
          const exponent = exponentOf(code)!;
          const digits = String(fraction).padStart(4, "0");
          const parsed = parseAmount(`${whole}.${digits}`, code);
          // Four decimals are more than any currency has: refused, even when they are zeros.
          expect(parsed.ok).toBe(false);
          const fitting = digits.slice(0, exponent);
          const amount = parseAmount(exponent === 0 ? `${whole}` : `${whole}.${fitting}`, code);
          expect(amount).toEqual({
            ok: true,
            amountMinor: whole * 10 ** exponent + Number(fitting || "0"),
          });
        },
      ),
    );
  });

  test.each([
    ["19999.00", "INR", 1_999_900],
    ["0.05", "USD", 5],
    ["7", "USD", 700],
    ["7.5", "USD", 750],
    ["1500", "JPY", 1_500],
    ["1.234", "KWD", 1_234],
    ["0", "INR", 0],
  ])("%s %s", (text, code, minor) => {
    expect(parseAmount(text, code)).toEqual({ ok: true, amountMinor: minor });
  });

  test.each([
    ["1.5", "JPY", "JPY has 0 decimals, not 1"],
    ["1.234", "INR", "INR has 2 decimals, not 3"],
    ["1", "ZZZ", "unknown currency ZZZ"],
    ["1", "inr", "unknown currency inr"],
    ["-1", "INR", 'must be a decimal such as "19.99", in quotes'],
    ["1e3", "INR", 'must be a decimal such as "19.99", in quotes'],
    ["1,000", "INR", 'must be a decimal such as "19.99", in quotes'],
    [".5", "INR", 'must be a decimal such as "19.99", in quotes'],
    ["1.", "INR", 'must be a decimal such as "19.99", in quotes'],
    [" 1", "INR", 'must be a decimal such as "19.99", in quotes'],
    ["", "INR", 'must be a decimal such as "19.99", in quotes'],
    ["10000000000000.01", "INR", "must be at most 1000000000000000 minor units"],
    ["999999999999999.99", "INR", "must be at most 1000000000000000 minor units"],
  ])("%p %s is refused", (text, code, reason) => {
    expect(parseAmount(text, code)).toEqual({ ok: false, reason });
  });

  test("the largest amount is taken, one more is not", () => {
    expect(parseAmount("10000000000000.00", "INR")).toEqual({
      ok: true,
      amountMinor: AMOUNT_MINOR_MAX,
    });
  });

  test("no currency has two exponents", () => {
    expect([exponentOf("INR"), exponentOf("JPY"), exponentOf("KWD")]).toEqual([2, 0, 3]);
    expect(exponentOf("XAU")).toBeNull();
  });
});
