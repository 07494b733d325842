// Puts a test between the use cases and their ports: to fail the n-th call, to stop before it.

import type { ShopPorts } from "../../src/shop/ports.ts";

/** `name` is such as `orders.create`; `call` does it. */
export type Around = (name: string, call: () => Promise<unknown>) => Promise<unknown>;

/** The same ports, with every call to the outside going through `around`. */
export function intercepted(ports: ShopPorts, around: Around): ShopPorts {
  return {
    ...ports,
    stock: wrapped(ports.stock, "stock", around),
    orders: wrapped(ports.orders, "orders", around),
    payments: wrapped(ports.payments, "payments", around),
    catalogue: wrapped(ports.catalogue, "catalogue", around),
    accounts: wrapped(ports.accounts, "accounts", around),
  };
}

function wrapped<T extends object>(port: T, name: string, around: Around): T {
  return new Proxy(port, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]): Promise<unknown> =>
        around(`${name}.${String(member)}`, async () => Reflect.apply(value, target, given));
    },
  });
}
