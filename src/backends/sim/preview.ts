// What the hardware would say to an STE that is not installed: a second SMMU of the same registers, its stream table one
// entry long and made of that STE, is given a transaction. It reads the same memory and writes none of it.
// Only what the configuration brings about counts: faults of the translation tables depend on the address.

import { set, wordsOf } from "../../spec/layout.ts";
import { CR0, REGISTER } from "../../spec/registers.ts";
import { STE_BYTES } from "../../spec/ste.ts";
import { hex } from "../../spec/u64.ts";
import type { BindPreview } from "../backend.ts";
import type { IdRegisters } from "../inventory.ts";
import { checkCD, decodeCD } from "../smmuv3/cd.ts";
import type { PhysicalMemory, SwapResult } from "../smmuv3/memory.ts";
import { type Fault, Smmu } from "../smmuv3/smmu.ts";
import { checkSTE, decodeSTE } from "../smmuv3/ste.ts";
import type { SteWords } from "./make-ste.ts";

type WouldFault = BindPreview["wouldFault"][number];

/**
 * The configuration fault of the stream's first transaction without SubstreamID; empty when there is none.
 *
 * @param readCD  the 8 doublewords of CD 0 behind the STE, for the reason; empty when it cannot be read
 */
export function previewFaults(of: {
  registers: IdRegisters;
  memory: PhysicalMemory;
  hostSTE: SteWords;
  readCD: () => readonly bigint[];
}): readonly WouldFault[] {
  const smmu = new Smmu(of.registers, new PreviewMemory(of.memory, of.hostSTE), {
    eventQueue: () => {},
    gerror: () => {},
  });
  const control = new Uint32Array(1);
  set(control, 0, CR0.SMMUEN, 1);
  smmu.write32(REGISTER.CR0, control[0]!); // STRTAB_BASE and STRTAB_BASE_CFG stay 0: a linear table of one STE at 0
  const outcome = smmu.translate({ streamID: 0, iova: 0n, access: "read", privileged: false });
  if (outcome.kind === "ok" || outcome.fault === undefined) return [];
  const reason = reasonOf(outcome.fault, of);
  return reason === undefined ? [] : [{ eventType: outcome.fault.type, reason }];
}

/** Undefined: the fault is not the configuration's. */
function reasonOf(
  fault: Fault,
  of: { registers: IdRegisters; hostSTE: SteWords; readCD: () => readonly bigint[] },
): string | undefined {
  const ste = decodeSTE(wordsOf(of.hostSTE));
  switch (fault.type) {
    case "C_BAD_STE":
      return checkSTE(ste, of.registers);
    case "C_BAD_CD":
      return checkCD(decodeCD(wordsOf(of.readCD())), { ste, world: "EL1" }, of.registers);
    case "C_BAD_SUBSTREAMID":
      return "the first-level entry of the CD table is not valid, or points out of range";
    case "F_STREAM_DISABLED":
      return `S1DSS ${ste.S1DSS} with S1CDMax ${ste.S1CDMax} terminates transactions without SubstreamID`;
    case "F_CD_FETCH":
      return `the context descriptor at IPA ${hex(ste.S1ContextPtr)} cannot be read`;
    default:
      if (fault.class !== "CD") return undefined;
      return `stage 2 does not let the context descriptor at IPA ${hex(fault.ipa ?? ste.S1ContextPtr)} be read`;
  }
}

/** The host's memory with one STE laid over address 0, where the host has none; writes go nowhere. */
class PreviewMemory implements PhysicalMemory {
  lo = 0;
  hi = 0;
  readonly #memory: PhysicalMemory;
  readonly #ste: Uint32Array;

  constructor(memory: PhysicalMemory, ste: SteWords) {
    this.#memory = memory;
    this.#ste = wordsOf(ste);
  }

  read64(pa: number): boolean {
    if (pa < STE_BYTES) {
      this.lo = this.#ste[pa / 4]!;
      this.hi = this.#ste[pa / 4 + 1]!;
      return true;
    }
    if (!this.#memory.read64(pa)) return false;
    this.lo = this.#memory.lo;
    this.hi = this.#memory.hi;
    return true;
  }

  write64(): boolean {
    return true;
  }

  compareAndSwap64(): SwapResult {
    return "ok";
  }

  readBytes(pa: number, into: Uint8Array): boolean {
    if (pa + into.length > STE_BYTES) return this.#memory.readBytes(pa, into);
    into.set(new Uint8Array(this.#ste.buffer, this.#ste.byteOffset + pa, into.length));
    return true;
  }

  writeBytes(): boolean {
    return true;
  }
}
