// The SKUs of a run as each arm needs them.

import { skuKeyOf } from "../../src/core/ids.ts";
import { catalogueSku } from "../generator/requests.ts";
import { CATALOGUE_STOCK, HOT_STOCK, SALE, type Stage } from "./arm.ts";

export type StagedSku = { readonly sku: string; readonly stock: number };

export function stagedSkus(stage: Stage): readonly StagedSku[] {
  const catalogue = Array.from({ length: stage.catalogueSize }, (_, number) => ({
    sku: catalogueSku(number),
    stock: CATALOGUE_STOCK,
  }));
  return [
    { sku: "hot", stock: HOT_STOCK },
    { sku: "gone", stock: 0 },
    { sku: "flash", stock: stage.flashUnits },
    ...catalogue,
  ];
}

export function stagedKey(sku: string): string {
  return skuKeyOf(SALE, sku);
}
