// The sale file: what merchants write, as YAML or JSON, and what PUT /v1/admin/sales/:sale takes.
// (Types first; the zod schema and the checks of meaning follow.)

import type { SaleHeader, SaleSku } from "../core/sale/sale.ts";

/** `field` is a path such as `skus[3].price`. */
export type FieldError = { readonly field: string; readonly message: string };

/** A file that was read, checked and resolved; `merchantId` and `phase` are not the file's to say. */
export type SaleFile = {
  readonly header: Omit<SaleHeader, "merchantId" | "phase">;
  readonly skus: readonly SaleSku[];
};

export type ParsedSaleFile =
  | { readonly ok: true; readonly file: SaleFile }
  | { readonly ok: false; readonly errors: readonly FieldError[] };
