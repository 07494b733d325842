import type { Passwords, ShopPorts } from "./ports.ts";
import type { SignInResult } from "./shop.ts";
import { emailOf } from "./sign-up.ts";

/**
 * Answers a wrong e-mail and a wrong password alike, in words and in time: an unknown e-mail is
 * verified against the hash of a password that nobody knows.
 */
export class SignIn {
  readonly #ports: Pick<ShopPorts, "accounts" | "issueToken" | "newUuid">;
  readonly #passwords: Passwords;
  #nobody: Promise<string> | null = null;

  constructor(ports: Pick<ShopPorts, "accounts" | "issueToken" | "newUuid">, passwords: Passwords) {
    this.#ports = ports;
    this.#passwords = passwords;
  }

  async signIn(request: { email: string; password: string }): Promise<SignInResult> {
    const account = await this.#ports.accounts.accountByEmail(emailOf(request.email));
    const hash = account?.passwordHash ?? (await this.#nobodysHash());
    const isRight = await this.#passwords.verify(request.password, hash);
    if (account === null || !isRight) return { kind: "wrong_credentials" };
    const { accessToken, expiresInS } = await this.#ports.issueToken(account.accountId);
    return { kind: "signed_in", accessToken, expiresInS };
  }

  /** Made once, at the first need; a failed attempt is made again. */
  async #nobodysHash(): Promise<string> {
    this.#nobody ??= this.#passwords.hash(this.#ports.newUuid());
    try {
      return await this.#nobody;
    } catch (fault) {
      this.#nobody = null;
      throw fault;
    }
  }
}
