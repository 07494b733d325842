// One socket of the generator, with at most one request outstanding: nothing is ever pipelined.
//
// Bun.connect and not node:net: 2.6 against 3.4 to 5.1 µs of CPU for a request and its answer, the
// kernel's share included (bench/sockets.ts). Of what is ours here, 82 % is write(2).

import type { Socket } from "bun";

import { type ParsedHead, parseHead } from "./response-parser.ts";

export type AnswerHandler = {
  /** An answer has come whole. Hot path. */
  answered(connection: Connection, status: number): void;
  /** The socket closed, or answered with what we do not understand, with a request under way. */
  lost(connection: Connection): void;
};

export class Connection {
  /** The request that is under way, as the handler counts them; -1: none. */
  index = -1;
  /** What the handler may note of the request under way. */
  note = 0;
  readonly port: number;
  readonly #handler: AnswerHandler;
  readonly #head: ParsedHead = { status: 0, totalBytes: 0 };
  #socket: Socket<Connection> | null = null;
  #rest: Buffer | null = null;

  private constructor(port: number, handler: AnswerHandler) {
    this.port = port;
    this.#handler = handler;
  }

  static async open(port: number, handler: AnswerHandler): Promise<Connection> {
    const connection = new Connection(port, handler);
    connection.#socket = await Bun.connect<Connection>({
      hostname: "127.0.0.1",
      port,
      data: connection,
      socket: SOCKET_HANDLER,
    });
    connection.#socket.setNoDelay(true);
    return connection;
  }

  get isOpen(): boolean {
    return this.#socket !== null;
  }

  /** Hot path. A request is far smaller than a socket's buffer, and only one is under way. */
  send(bytes: Buffer, index: number): void {
    this.index = index;
    if (this.#socket === null || this.#socket.write(bytes) !== bytes.length) this.#fail();
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.index = -1;
    socket?.terminate();
  }

  /** Hot path: called by the socket. */
  receive(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    parseHead(bytes, 0, this.#head);
    const { status, totalBytes } = this.#head;
    if (totalBytes === -1 || totalBytes > bytes.length) {
      this.#rest = bytes === chunk ? Buffer.from(chunk) : bytes;
      return;
    }
    this.#rest = null;
    // More than one answer to one request is no HTTP.
    if (totalBytes !== bytes.length || this.index === -1) {
      this.#fail();
      return;
    }
    this.#handler.answered(this, status);
  }

  closed(): void {
    if (this.#socket === null) return;
    this.#socket = null;
    this.#handler.lost(this);
  }

  #fail(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#handler.lost(this);
    socket?.terminate();
  }
}

/** One handler for all sockets: they share its code. */
const SOCKET_HANDLER = {
  data(socket: Socket<Connection>, chunk: Buffer) {
    socket.data.receive(chunk);
  },
  close(socket: Socket<Connection>) {
    socket.data.closed();
  },
  error(socket: Socket<Connection>) {
    socket.data.closed();
  },
};
