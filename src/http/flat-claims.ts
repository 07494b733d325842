// The claims of nearly all tokens, read without JSON.parse, which makes an object of a shape of its
// own for each and costs half of a token's check (bench/token.ts).
//
//   F1  what this reads it reads as JSON.parse would; what it does not know it leaves to JSON.parse
//   F2  any order of claims: identity providers have their own

/** The claims that a check looks at; undefined: not there. */
export class FlatClaims {
  iss: string | undefined = undefined;
  aud: string | undefined = undefined;
  sub: string | undefined = undefined;
  role: string | undefined = undefined;
  exp: number | undefined = undefined;
  iat: number | undefined = undefined;
  nbf: number | undefined = undefined;
}

/** A value that nobody looks at must at least be a string of JSON: no raw control character. */
const PLAIN = /^[ -~]*$/;

const QUOTE = 34;
const COMMA = 44;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;

/** So many digits are always an exact integer. */
const DIGITS_MAX = 15;

/**
 * Hot path (bench/token.ts).
 *
 * Shape    {"iss":"…","exp":123,…}: no blanks, no escapes, strings and unsigned integers, and no
 *          claims but those of FlatClaims and jti.
 * Returns  null when it is anything else, which may well be a fine token.
 */
export function flatClaimsOf(text: string): FlatClaims | null {
  if (text.charCodeAt(0) !== BRACE_OPEN || text.includes("\\")) return null;
  const claims = new FlatClaims();
  let at = 0;
  do {
    const keyAt = at + 2;
    const keyEnd = text.indexOf('"', keyAt);
    if (text.charCodeAt(at + 1) !== QUOTE || text.charCodeAt(keyEnd + 1) !== COLON) return null;
    const key = text.slice(keyAt, keyEnd);
    at = keyEnd + 2;
    if (text.charCodeAt(at) === QUOTE) {
      const end = text.indexOf('"', at + 1);
      if (end === -1 || !setText(claims, key, text.slice(at + 1, end))) return null;
      at = end + 1;
    } else {
      const from = at;
      let value = 0;
      for (
        let code = text.charCodeAt(at);
        code >= ZERO && code <= NINE;
        code = text.charCodeAt(at)
      ) {
        value = value * 10 + code - ZERO;
        at += 1;
      }
      const digits = at - from;
      if (digits === 0 || digits > DIGITS_MAX) return null;
      if (digits > 1 && text.charCodeAt(from) === ZERO) return null;
      if (!setNumber(claims, key, value)) return null;
    }
  } while (text.charCodeAt(at) === COMMA);
  return text.charCodeAt(at) === BRACE_CLOSE && at + 1 === text.length ? claims : null;
}

/** By name and not by key: a computed property costs more than all else here. */
function setText(claims: FlatClaims, key: string, value: string): boolean {
  if (key === "sub") claims.sub = value;
  else if (key === "iss") claims.iss = value;
  else if (key === "aud") claims.aud = value;
  else if (key === "role") claims.role = value;
  else return key === "jti" && PLAIN.test(value);
  return true;
}

function setNumber(claims: FlatClaims, key: string, value: number): boolean {
  if (key === "exp") claims.exp = value;
  else if (key === "iat") claims.iat = value;
  else if (key === "nbf") claims.nbf = value;
  else return false;
  return true;
}
