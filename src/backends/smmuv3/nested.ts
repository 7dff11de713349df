// Stage 1 on top of stage 2: each stage 1 descriptor lies at an IPA, so its address goes through stage 2 first.
// A descriptor is read or updated as privileged data; stage 2's XN plays no part.
// Source: IHI 0070G.b §3.3.3, §7.3.22 (order of faults), §3.13.5.

import type { StageFault } from "./fault.ts";
import { PERMISSION } from "./permissions.ts";
import type { Stage2, Stage2Config } from "./stage2.ts";
import type { DescriptorPath } from "./walk.ts";

/** The path of a stage 1 walk: straight through without stage 2, by way of stage 2 with it. */
export class NestedPath implements DescriptorPath {
  /** Stage 2 of the transaction under way; undefined: none. */
  config: Stage2Config | undefined = undefined;
  hi = 0;
  lo = 0;
  /** Why locate() failed. */
  fault: StageFault | undefined = undefined;
  readonly #stage2: Stage2;

  constructor(stage2: Stage2) {
    this.#stage2 = stage2;
  }

  locate(hi: number, lo: number, isWrite: boolean): boolean {
    if (this.config === undefined) {
      this.hi = hi;
      this.lo = lo;
      return true;
    }
    const need = isWrite ? PERMISSION.PRIVILEGED_WRITE : PERMISSION.PRIVILEGED_READ;
    this.fault = this.#stage2.translate(this.config, hi, lo, need, "TTD");
    this.hi = this.#stage2.paHi;
    this.lo = this.#stage2.paLo;
    return this.fault === undefined;
  }
}
