// What is under way when the daemon stops: counted while it runs, told that the daemon drains, waited for to the last.
// Nothing new is let in from then on.

import { drainingError } from "./failure.ts";

export class Draining {
  readonly #listeners = new Set<() => void>();
  #isDraining = false;
  #inFlight = 0;
  #whenIdle: (() => void)[] = [];

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Unary calls that are running, and batches of streams. */
  get inFlight(): number {
    return this.#inFlight;
  }

  began(): void {
    this.#inFlight += 1;
  }

  ended(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) for (const idle of this.#whenIdle.splice(0)) idle();
  }

  /** @throws BrokerError draining */
  requireOpen(): void {
    if (this.#isDraining) throw drainingError();
  }

  /**
   * Told once, when draining begins.
   * @returns calls it off
   */
  onDrain(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Refuses what is new, tells whoever listens, and resolves when nothing is under way. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const listener of [...this.#listeners]) listener();
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }
}
