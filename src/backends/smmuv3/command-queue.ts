// The Command queue: fetches, decodes and carries out one command at a time until it is empty or stuck.
// An error stops consumption at the offending command until software acknowledges it in GERRORN.
// What commands do to caches and stalls lies behind CommandEffects.
// Source: IHI 0070G.b §4.1, §7.1 (command errors), §6.3.26 to §6.3.28.

import {
  CMD,
  CMD_CFGI,
  CMD_CFGI_RANGE,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_SYNC,
  CMD_TLBI,
  COMMAND,
  COMMAND_BYTES,
  COMMAND_WORDS,
} from "../../spec/commands.ts";
import { CERROR, STALL_MODEL, SYNC_CS } from "../../spec/encodings.ts";
import { type Field, get, getU64 } from "../../spec/layout.ts";
import { GERROR } from "../../spec/registers.ts";
import { alignDown, pow2 } from "../../spec/u64.ts";
import type { AtsCommands } from "./ats-commands.ts";
import type { ConfigCache } from "./config-cache.ts";
import type { SmmuCounters } from "./counters.ts";
import type { GlobalErrors } from "./gerror.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import type { MsiWriter } from "./msi.ts";
import { entryAddress, isEmpty, next, type QueueShape, queueShape, wrapIndex } from "./queue.ts";
import type { ResumeAction } from "./respond.ts";
import type { TlbInvalidator, TlbiRange } from "./tlb-invalidate.ts";

/** What commands act on. */
export interface CommandEffects {
  readonly cache: ConfigCache;
  readonly tlb: TlbInvalidator;
  readonly msi: MsiWriter;
  readonly ats: AtsCommands;
  /** CMD_RESUME; an unknown STAG has no effect. */
  resume(streamID: number, stag: number, action: ResumeAction): void;
  /** CMD_STALL_TERM. */
  terminateStalls(streamID: number): void;
}

const RANGE_ALL = 31;
const INDEX_LIMIT = 2 ** 20;

export class CommandQueue {
  isEnabled = false;
  #shape: QueueShape;
  #prod = 0;
  #cons = 0;
  #error: number = CERROR.NONE;
  readonly #words = new Uint32Array(COMMAND_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #memory: PhysicalMemory;
  readonly #features: Features;
  readonly #errors: GlobalErrors;
  readonly #counters: SmmuCounters;
  readonly #effects: CommandEffects;

  constructor(
    parts: { memory: PhysicalMemory; features: Features; errors: GlobalErrors; counters: SmmuCounters },
    effects: CommandEffects,
  ) {
    this.#memory = parts.memory;
    this.#features = parts.features;
    this.#errors = parts.errors;
    this.#counters = parts.counters;
    this.#effects = effects;
    this.#shape = queueShape(new Uint32Array(2), COMMAND_BYTES, 0, parts.features);
  }

  setBase(base: Uint32Array): void {
    this.#shape = queueShape(base, COMMAND_BYTES, this.#features.cmdqBitsMax, this.#features);
  }

  get prod(): number {
    return this.#prod;
  }

  set prod(value: number) {
    this.#prod = wrapIndex(this.#shape, value % INDEX_LIMIT);
  }

  /** CONS with the error code in [30:24]. */
  get cons(): number {
    return this.#cons + this.#error * 2 ** 24;
  }

  set cons(value: number) {
    this.#cons = wrapIndex(this.#shape, value % INDEX_LIMIT);
    this.#error = Math.floor(value / 2 ** 24) % 128;
  }

  /** Consumes until PROD, or an error. Bounded by the size of the queue. */
  run(): void {
    for (let left = pow2(this.#shape.log2Size); left > 0; left--) {
      const isStuck = this.#errors.isActive(GERROR.CMDQ_ERR);
      if (!this.isEnabled || isStuck || isEmpty(this.#prod, this.#cons)) return;
      const error = this.#memory.readBytes(entryAddress(this.#shape, this.#cons), this.#bytes)
        ? this.#execute()
        : CERROR.ABT;
      if (error !== CERROR.NONE) {
        this.#error = error;
        this.#errors.raise(GERROR.CMDQ_ERR);
        return;
      }
      this.#counters.commands += 1;
      this.#counters.commandsByOpcode[this.#field(CMD.Opcode)]! += 1;
      this.#cons = next(this.#shape, this.#cons);
      if (this.#field(CMD.Opcode) === COMMAND.CMD_SYNC) this.#signalSync();
    }
  }

  #field(field: Field): number {
    return get(this.#words, 0, field);
  }

  #execute(): number {
    const opcode = this.#field(CMD.Opcode);
    if (opcode >= COMMAND.CMD_TLBI_NH_ALL && opcode <= COMMAND.CMD_TLBI_NSNH_ALL) return this.#invalidateTlb(opcode);
    // SSec is a bit of every other command and selects the Secure stream table, which this queue may not (§4.1.6)
    if (this.#field(CMD.SSec) === 1) return CERROR.ILL;
    switch (opcode) {
      case COMMAND.CMD_PREFETCH_CONFIG:
      case COMMAND.CMD_PREFETCH_ADDR:
        return CERROR.NONE; // a hint
      case COMMAND.CMD_CFGI_STE:
      case COMMAND.CMD_CFGI_STE_RANGE:
      case COMMAND.CMD_CFGI_CD:
      case COMMAND.CMD_CFGI_CD_ALL:
        return this.#invalidateConfig(opcode);
      case COMMAND.CMD_CFGI_VMS_PIDM:
        return legalIf(this.#features.mpam); // no PARTID map is cached
      case COMMAND.CMD_ATC_INV:
        return this.#effects.ats.invalidate(this.#words);
      case COMMAND.CMD_PRI_RESP:
        return this.#effects.ats.respond(this.#words);
      case COMMAND.CMD_RESUME:
      case COMMAND.CMD_STALL_TERM:
        return this.#answerStall(opcode);
      case COMMAND.CMD_SYNC:
        // a device that did not answer fails it (§3.9.1.4)
        return this.#field(CMD_SYNC.CS) > SYNC_CS.SEV ? CERROR.ILL : this.#effects.ats.sync();
      default:
        return CERROR.ILL;
    }
  }

  #invalidateConfig(opcode: number): number {
    const { cache } = this.#effects;
    const streamID = this.#field(CMD_CFGI.StreamID);
    switch (opcode) {
      case COMMAND.CMD_CFGI_STE:
        cache.dropStream(streamID);
        return CERROR.NONE;
      case COMMAND.CMD_CFGI_STE_RANGE: {
        const range = this.#field(CMD_CFGI_RANGE.Range);
        if (range === RANGE_ALL) cache.clear();
        else cache.dropRange(alignDown(streamID, range + 1), pow2(range + 1));
        return CERROR.NONE;
      }
      default:
        if (!this.#features.stage1) return CERROR.ILL;
        if (opcode === COMMAND.CMD_CFGI_CD) cache.dropContext(streamID, this.#field(CMD_CFGI.SubstreamID));
        else cache.dropContexts(streamID);
        return CERROR.NONE;
    }
  }

  #invalidateTlb(opcode: number): number {
    const { tlb } = this.#effects;
    const { stage1, stage2 } = this.#features;
    const hyp = stage1 && this.#features.hyp; // a stage-2-only SMMU has no EL2 regime to invalidate (§4.4.2)
    const vmid = stage2 ? this.#field(CMD_TLBI.VMID) : 0; // RES0 without stage 2
    const asid = this.#field(CMD_TLBI.ASID);
    const run = (isLegal: boolean, act: () => void): number => {
      if (!isLegal) return CERROR.ILL;
      act();
      return CERROR.NONE;
    };
    const runRange = (isLegal: boolean, act: (range: TlbiRange) => void): number => {
      const range = this.#range();
      return range === undefined ? CERROR.ILL : run(isLegal, () => act(range));
    };
    switch (opcode) {
      case COMMAND.CMD_TLBI_NH_ALL:
        return run(stage1, () => tlb.nonHypAll(vmid));
      case COMMAND.CMD_TLBI_NH_ASID:
        return run(stage1, () => tlb.nonHypASID(vmid, asid));
      case COMMAND.CMD_TLBI_NH_VA:
        return runRange(stage1, (range) => tlb.nonHypVA(vmid, asid, range));
      case COMMAND.CMD_TLBI_NH_VAA:
        return runRange(stage1, (range) => tlb.nonHypVA(vmid, undefined, range));
      case COMMAND.CMD_TLBI_EL2_ALL:
        return run(hyp, () => tlb.hypAll());
      case COMMAND.CMD_TLBI_EL2_ASID:
        return run(hyp, () => tlb.hypASID(asid));
      case COMMAND.CMD_TLBI_EL2_VA:
        return runRange(hyp, (range) => tlb.hypVA(asid, range));
      case COMMAND.CMD_TLBI_EL2_VAA:
        return runRange(hyp, (range) => tlb.hypVA(undefined, range));
      case COMMAND.CMD_TLBI_S12_VMALL:
        return run(stage2, () => tlb.stage12All(vmid));
      case COMMAND.CMD_TLBI_S2_IPA:
        return runRange(stage2, (range) => tlb.stage2IPA(vmid, range));
      case COMMAND.CMD_TLBI_NSNH_ALL:
        return run(true, () => tlb.nonHypEverything());
      default:
        return CERROR.ILL; // EL3 forms belong to the Secure queue, the rest is reserved
    }
  }

  /** Undefined: a range of nothing, which is illegal. Without RIL the fields are RES0. Source: §4.4.1.1. */
  #range(): TlbiRange | undefined {
    const page = this.#field(CMD_TLBI.Address);
    const tg = this.#features.ril ? this.#field(CMD_TLBI.TG) : 0;
    const num = this.#field(CMD_TLBI.NUM);
    const scale = this.#field(CMD_TLBI.SCALE) % (this.#features.ds ? 64 : 32);
    const isReservedTTL = tg === 2 && this.#field(CMD_TLBI.TTL) === 1 && !this.#features.ds;
    const ttl = isReservedTTL ? 0 : this.#field(CMD_TLBI.TTL);
    if (tg !== 0 && num === 0 && scale === 0 && ttl === 0) return undefined;
    return { page, leaf: this.#field(CMD_TLBI.Leaf) === 1, tg, num, scale };
  }

  #answerStall(opcode: number): number {
    if (this.#features.stallModel === STALL_MODEL.TERMINATE) return CERROR.ILL;
    if (opcode === COMMAND.CMD_STALL_TERM) {
      this.#effects.terminateStalls(this.#field(CMD_STALL_TERM.StreamID));
      return CERROR.NONE;
    }
    const aborts = this.#field(CMD_RESUME.Ab) === 1 || this.#features.termModel === 1;
    const action = this.#field(CMD_RESUME.Ac) === 1 ? "retry" : aborts ? "abort" : "raz-wi";
    this.#effects.resume(this.#field(CMD_RESUME.StreamID), this.#field(CMD_RESUME.STAG), action);
    return CERROR.NONE;
  }

  /**
   * Everything before it is complete, for commands run in order to their end, and CONS has passed it: whoever sees the MSI
   * may read CONS. An address is zero as a whole field, not as what the OAS leaves of it; there is no PE to send an event
   * to. Source: §4.7.3.
   */
  #signalSync(): void {
    const address = getU64(this.#words, 0, CMD_SYNC.MSIAddress);
    if (this.#field(CMD_SYNC.CS) !== SYNC_CS.IRQ || address === 0n) return;
    const reachable = Number(BigInt.asUintN(this.#features.oasBits, address << 2n));
    this.#effects.msi.write(reachable, this.#field(CMD_SYNC.MSIData), GERROR.MSI_CMDQ_ABT_ERR);
  }
}

function legalIf(isSupported: boolean): number {
  return isSupported ? CERROR.NONE : CERROR.ILL;
}
