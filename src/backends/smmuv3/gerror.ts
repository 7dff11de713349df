// Global errors: a bit is active while GERROR and GERRORN differ; software acknowledges by copying it.
// Source: IHI 0070G.b §7.5, §6.3.18, §6.3.19.

import type { Field } from "../../spec/layout.ts";
import { GERROR } from "../../spec/registers.ts";
import { and32 } from "../../spec/u64.ts";

const KNOWN_BITS = Object.values(GERROR).reduce((bits, field) => bits + 2 ** field.lsb, 0);

export class GlobalErrors {
  #gerror = 0;
  #gerrorn = 0;
  readonly #raised: () => void;

  /** @param raised called when an inactive error becomes active */
  constructor(raised: () => void) {
    this.#raised = raised;
  }

  get gerror(): number {
    return this.#gerror;
  }

  get gerrorn(): number {
    return this.#gerrorn;
  }

  isActive(error: Field): boolean {
    return bitOf(this.#gerror, error) !== bitOf(this.#gerrorn, error);
  }

  /** An error that is already active is not raised again. */
  raise(error: Field): void {
    if (this.isActive(error)) return;
    this.#gerror += (bitOf(this.#gerror, error) === 0 ? 1 : -1) * 2 ** error.lsb;
    this.#raised();
  }

  acknowledge(gerrorn: number): void {
    this.#gerrorn = and32(gerrorn, KNOWN_BITS);
  }
}

function bitOf(value: number, field: Field): number {
  return Math.floor(value / 2 ** field.lsb) % 2;
}
