import type { Sale, SaleHeader, SaleSku } from "../sale/sale.ts";

/**
 * A change of a sale on its way. It is stored first (`begin`), then sent to each SKU's owner, and
 * becomes visible last (`publish`), in one row.
 */
export type VersionDraft = {
  readonly header: SaleHeader;
  /** The version it was made from; 0 for a new sale. */
  readonly baseVersion: number;
  /** SKUs that are new or differ from the base, whole. */
  readonly changes: readonly SaleSku[];
  /** Given for repeats: the same key and fingerprint answer as the first did. */
  readonly idempotencyKey?: string;
  readonly fingerprint?: string;
};

export type BeginResult =
  | { readonly kind: "begun"; readonly version: number }
  /** The key was used before for this sale with the same fingerprint. */
  | { readonly kind: "replayed"; readonly version: number; readonly state: VersionState }
  | { readonly kind: "idempotency_mismatch" }
  /** Another version was published meanwhile, or one is on its way. */
  | { readonly kind: "changed_meanwhile"; readonly version: number }
  /** The sale's id belongs to another merchant. */
  | { readonly kind: "not_found" };

export type VersionState = "pending" | "published" | "abandoned";

export type PendingVersion = {
  readonly saleId: string;
  readonly version: number;
  readonly header: SaleHeader;
  readonly changes: readonly SaleSku[];
};

/** Sales, their versions and SKUs in the control database. Faults: store_unavailable, unknown. */
export interface Catalogue {
  begin(draft: VersionDraft): Promise<BeginResult>;
  /** Makes a pending version the sale; one statement. False when it was not pending any more. */
  publish(saleId: string, version: number): Promise<boolean>;
  /** Marks a pending version as failed; its number is not used again. */
  abandon(saleId: string, version: number): Promise<boolean>;
  /** Versions still on their way that began before `beforeMs`. */
  pending(beforeMs: number): Promise<readonly PendingVersion[]>;
  /** Published sales (drafts hidden), newest start first, after the sale id `after`. */
  sales(request: {
    readonly merchantId?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly Sale[]>;
  /**
   * The versions of all published sales, added up: it grows with each publish, so whoever has the
   * same sum has the same sales.
   */
  versionSum(): Promise<number>;
  /** A sale, also a draft (version 0); null when there is none. */
  sale(saleId: string): Promise<Sale | null>;
  /** All SKUs of the published version, by SKU. */
  skus(saleId: string): Promise<readonly SaleSku[]>;
}
