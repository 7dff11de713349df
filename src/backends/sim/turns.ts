// Long work in short turns: who counts what it has done lets the event loop run between two turns, so that a guest with
// much memory delays nobody's lease and nobody's fault.

/** Units of work, a few tenths of a microsecond each, in one turn. */
const TURN_UNITS = 16_384;

export class Turns {
  #spent = 0;

  /** Counts work done; a promise when it is time to let others run. */
  spend(units: number): Promise<void> | undefined {
    this.#spent += units;
    if (this.#spent < TURN_UNITS) return undefined;
    this.#spent = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
