// How many streams of one kind each session has open: counted while they are, and refused above a limit.

interface Stream {
  onOver(cleanup: () => void): void;
}

export class StreamsPerSession {
  readonly #max: number;
  readonly #refusal: () => Error;
  readonly #open = new Map<string, number>();

  /** @param refusal  of one more than `max` */
  constructor(max: number, refusal: () => Error) {
    this.#max = max;
    this.#refusal = refusal;
  }

  /** Counts a stream until it is over. @throws the refusal */
  enter(session: string, stream: Stream): void {
    const open = this.#open.get(session) ?? 0;
    if (open >= this.#max) throw this.#refusal();
    this.#open.set(session, open + 1);
    stream.onOver(() => {
      const left = (this.#open.get(session) ?? 1) - 1;
      if (left === 0) this.#open.delete(session);
      else this.#open.set(session, left);
    });
  }
}
