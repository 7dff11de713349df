// Diagnoses of events within a budget: one walk for all events of a page, kept for a moment.
// One device may use half of the budget. The last quarter is for those that use little: several that storm leave it alone.

import type { FaultDiagnosis } from "../../backends/diagnosis.ts";
import type { FaultRecord } from "../../backends/faults.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { Clock } from "./ports.ts";
import { TokenBuckets } from "./token-buckets.ts";

/** Diagnoses kept, of all devices. */
export const DIAGNOSES_MAX = 1024;
/** Of the budget, what is kept for devices that use little, and how many of them it is enough for. */
const KEPT_PART = 1 / 4;
const QUIET_DEVICES = 16;
/** How long one is good. */
export const DIAGNOSIS_MS = 250;

interface Kept {
  readonly diagnosis: FaultDiagnosis;
  readonly untilMs: number;
}

export interface DiagnoserDeps {
  readonly clock: Clock;
  /** 0: none. */
  readonly perSecond: number;
  /** Backend.diagnose. */
  diagnose(fault: FaultRecord): FaultDiagnosis;
}

export class FaultDiagnoser {
  readonly counts = { made: 0, cached: 0, overBudget: 0 };
  readonly #deps: DiagnoserDeps;
  readonly #budget: TokenBuckets;
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(deps: DiagnoserDeps) {
    this.#deps = deps;
    this.#budget = new TokenBuckets(deps.clock);
  }

  /** Undefined: over the budget. */
  diagnose(fault: FaultRecord): FaultDiagnosis | undefined {
    const { clock } = this.#deps;
    const key = keyOf(fault);
    const kept = this.#kept.get(key);
    if (kept !== undefined && clock.monotonicMs() < kept.untilMs) {
      this.counts.cached += 1;
      return kept.diagnosis;
    }
    if (!this.#mayWalk(fault.device)) {
      this.counts.overBudget += 1;
      return undefined;
    }
    this.counts.made += 1;
    const diagnosis = this.#deps.diagnose(fault);
    this.#kept.delete(key); // so that it is the newest again
    this.#kept.set(key, { diagnosis, untilMs: clock.monotonicMs() + DIAGNOSIS_MS });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > DIAGNOSES_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return diagnosis;
  }

  /** The device has another owner, or none: what its tables were is nobody's any more. */
  forget(device: DeviceID): void {
    for (const key of this.#kept.keys()) if (key.startsWith(`${device} `)) this.#kept.delete(key);
  }

  #mayWalk(device: DeviceID): boolean {
    const { perSecond } = this.#deps;
    if (perSecond === 0) return false;
    const kept = perSecond * KEPT_PART;
    // A device that has used up its share takes nothing of what is everybody's.
    if (this.#takes(`device ${device}`, perSecond / 2) && this.#takes("all", perSecond - kept)) return true;
    return this.#takes(`quiet ${device}`, kept / QUIET_DEVICES) && this.#takes("quiet", kept);
  }

  #takes(name: string, perSecond: number): boolean {
    return this.#budget.take(name, { perSecond, burst: Math.max(1, perSecond) }) === 0;
  }
}

/** What a walk depends on, but for the place within the page. */
function keyOf(fault: FaultRecord): string {
  const { device, inputAddress, instruction, ipa, privileged, read, stage, substreamID, type } = fault;
  const page = inputAddress === undefined ? "" : (inputAddress >> 12n).toString(16);
  return [device, type, stage, fault.class, substreamID, page, ipa, read, instruction, privileged].join(" ");
}
