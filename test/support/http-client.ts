// Calls to a server under test, answers whole.

type Sent = {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a bearer token; null: none. */
  readonly token?: string | null;
};

type Heard = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; a test looks into it as it likes. */
  readonly body: ReturnType<typeof JSON.parse>;
};

export type Call = (method: string, path: string, sent?: Sent) => Promise<Heard>;

/** A body that is a string is sent as it is, anything else as JSON. */
export function callerOf(url: string, ownToken: string): Call {
  return async (method, path, { body, headers, token = ownToken } = {}) => {
    const sent = new Headers(headers);
    if (token !== null) sent.set("authorization", `Bearer ${token}`);
    if (body !== undefined && !sent.has("content-type")) {
      sent.set("content-type", "application/json");
    }
    const bytes = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method, headers: sent, ...(body === undefined ? {} : { body: bytes }) };
    const response = await fetch(`${url}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : null,
    };
  };
}
