/** What a hold is made of. */
export type NewHoldOf<Sku> = {
  readonly sku: Sku;
  readonly shopper: string;
  /** Grows by one with each new hold of the SKU; with the SKU's tag it is the hold id. */
  readonly number: number;
  readonly quantity: number;
  readonly priceMinor: number;
  readonly deadlineMs: number;
  /** The order that has it pinned (`paying`), or null (`open`). */
  readonly orderId: string | null;
  /** True once a pin has set the deadline: a second pin never moves it. */
  readonly wasPinned: boolean;
};

/** A hold as it is at this moment. */
export type HoldOf<Sku> = NewHoldOf<Sku> & { readonly slot: number };
