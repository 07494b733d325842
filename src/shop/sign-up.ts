import type { Passwords, ShopPorts } from "./ports.ts";
import type { SignUpResult } from "./shop.ts";

/** The e-mail as it is stored and compared. */
export function emailOf(text: string): string {
  return text.trim().toLowerCase();
}

/** An e-mail that is taken costs no hash. */
export async function signUp(
  ports: Pick<ShopPorts, "accounts" | "newUuid">,
  passwords: Passwords,
  request: { email: string; password: string },
): Promise<SignUpResult> {
  const email = emailOf(request.email);
  if ((await ports.accounts.accountByEmail(email)) !== null) return { kind: "email_taken" };
  const passwordHash = await passwords.hash(request.password);
  const accountId = `acc_${ports.newUuid().replaceAll("-", "")}`;
  const isCreated = await ports.accounts.createAccount({ accountId, email, passwordHash });
  return isCreated ? { kind: "created", accountId } : { kind: "email_taken" };
}
