// POST /v1/accounts and POST /v1/sessions.

import { z } from "zod";

import { jsonBody } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { type Endpoint, endpoint } from "./endpoint.ts";
import { plainProblem, problem } from "./problem.ts";
import { json } from "./render.ts";
import { safeText } from "./text.ts";

const EMAIL_CHARS_MAX = 254;
/** Long enough for any passphrase, short enough that hashing it costs no more. */
const PASSWORD_CHARS_MAX = 256;
const PASSWORD_CHARS_MIN = 8;

const email = z.email().max(EMAIL_CHARS_MAX);
const signUpBody = z.strictObject({
  email,
  password: safeText(PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX),
});
/** Looser than a sign-up: what is no account is answered like a wrong password. */
const signInBody = z.strictObject({
  email: safeText(1, EMAIL_CHARS_MAX),
  password: safeText(1, PASSWORD_CHARS_MAX),
});

export function accountEndpoints({ shop }: HttpContext): readonly Endpoint[] {
  return [
    endpoint({
      method: "POST",
      path: "/v1/accounts",
      tag: "accounts",
      summary: "Open a shopper's account",
      caller: "anyone",
      body: jsonBody(signUpBody),
      answers: {
        201: { description: "Opened", schema: z.object({ accountId: z.string() }) },
      },
      refusals: ["email_taken"],
      async handle({ body }) {
        const result = await shop.signUp(body);
        if (result.kind === "email_taken") return plainProblem("email_taken");
        return json({ accountId: result.accountId }, { status: 201 });
      },
    }),
    endpoint({
      method: "POST",
      path: "/v1/sessions",
      tag: "accounts",
      summary: "Sign in: a token for shoppers' calls",
      caller: "anyone",
      body: jsonBody(signInBody),
      answers: {
        200: {
          description: "Signed in",
          schema: z.object({
            accessToken: z.string(),
            tokenType: z.literal("Bearer"),
            expiresIn: z.int().describe("seconds"),
          }),
        },
      },
      refusals: ["unauthenticated"],
      async handle({ body }) {
        const result = await shop.signIn(body);
        if (result.kind === "wrong_credentials") {
          return problem("unauthenticated", { detail: "Wrong e-mail address or password." });
        }
        const { accessToken, expiresInS } = result;
        return json(
          { accessToken, tokenType: "Bearer", expiresIn: expiresInS },
          { headers: { "cache-control": "no-store" } },
        );
      },
    }),
  ];
}
