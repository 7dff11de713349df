// An empty message on a stream that was silent for a while: the client sees that the subscription stands.

import { integer } from "./field.ts";
import type { ServerStream } from "./server-stream.ts";

/** Fewer would let a client keep the server busy with empty messages; more is no heartbeat. */
const HEARTBEAT_MS = { min: 100, max: 3_600_000 };

/** @param asked  0: the server's default */
export function parseHeartbeat(asked: number, defaultMs: number): number {
  return asked === 0 ? defaultMs : integer(asked, "heartbeat_ms", HEARTBEAT_MS);
}

export class Heartbeat<Message> {
  readonly #stream: ServerStream<Message>;
  readonly #message: () => Message;
  readonly #timer: NodeJS.Timeout;

  constructor(stream: ServerStream<Message>, silenceMs: number, message: () => Message) {
    this.#stream = stream;
    this.#message = message;
    this.#timer = setTimeout(() => this.beat(), silenceMs);
    stream.onOver(() => clearTimeout(this.#timer));
  }

  beat(): void {
    if (this.#stream.isOver) return;
    if (!this.#stream.isBehind) this.#stream.write(this.#message());
    this.postpone();
  }

  postpone(): void {
    if (!this.#stream.isOver) this.#timer.refresh();
  }
}
