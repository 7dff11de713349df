// Global errors: a bit is active while GERROR and GERRORN differ; software acknowledges by copying it.
// Source: IHI 0070G.b §7.5, §6.3.18, §6.3.19.

import type { Field } from "../../spec/layout.ts";
import { GERROR } from "../../spec/registers.ts";
import { and32 } from "../../spec/u64.ts";
import type { Features } from "./id-registers.ts";

export class GlobalErrors {
  #gerror = 0;
  #gerrorn = 0;
  readonly #known: number;
  readonly #raised: () => void;

  /**
   * @param known   errors that this SMMU can have; the other bits are RES0
   * @param raised  called when an inactive error becomes active, and the architecture sends its interrupt
   */
  constructor(known: readonly Field[], raised: () => void) {
    this.#known = known.reduce((bits, field) => bits + 2 ** field.lsb, 0);
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
    if (error !== GERROR.MSI_GERROR_ABT_ERR) this.#raised(); // its interrupt would abort as the last one did (§7.5.1)
  }

  acknowledge(gerrorn: number): void {
    this.#gerrorn = and32(gerrorn, this.#known);
  }
}

/** The errors that exist with these features. Source: §6.3.19. */
export function errorsOf(features: Features): readonly Field[] {
  const known = [GERROR.CMDQ_ERR, GERROR.EVENTQ_ABT_ERR, GERROR.SFM_ERR];
  if (features.pri) known.push(GERROR.PRIQ_ABT_ERR);
  if (features.msi) known.push(GERROR.MSI_CMDQ_ABT_ERR, GERROR.MSI_EVENTQ_ABT_ERR, GERROR.MSI_GERROR_ABT_ERR);
  if (features.msi && features.pri) known.push(GERROR.MSI_PRIQ_ABT_ERR);
  return known;
}

function bitOf(value: number, field: Field): number {
  return Math.floor(value / 2 ** field.lsb) % 2;
}
