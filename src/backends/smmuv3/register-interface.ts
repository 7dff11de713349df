// What software does with the SMMU's registers: values that come from elsewhere, locks, and the effects of a write.
// Effects are complete when write32 returns, so that CR0ACK, IRQ_CTRLACK and GBPA.Update need no state of their own.
// Source: IHI 0070G.b §6.2.1, §6.3.

import { type Field, get } from "../../spec/layout.ts";
import { CR0, CR2, GBPA, IRQ_CTRL, PRIQ_IRQ_CFG2, REGISTER } from "../../spec/registers.ts";
import { pow2 } from "../../spec/u64.ts";
import type { Ats } from "./ats.ts";
import type { CommandQueue } from "./command-queue.ts";
import type { ConfigCache } from "./config-cache.ts";
import type { EventQueue } from "./event-queue.ts";
import type { GlobalErrors } from "./gerror.ts";
import type { Features } from "./id-registers.ts";
import type { InputOverride } from "./memory-type.ts";
import type { PageRequestQueue } from "./page-request-queue.ts";
import type { Lock, RegisterFile } from "./register-file.ts";
import type { Responder } from "./respond.ts";
import { decodeStreamTable } from "./stream-table.ts";
import type { Switches } from "./switches.ts";
import type { TlbInvalidator } from "./tlb-invalidate.ts";

/** Larger values of CR0.VMW are reserved and behave as 0 (§6.3.9). */
const VMW_MAX = 4;

/** What registers show and what they steer. */
export interface Programmed {
  readonly features: Features;
  readonly registers: RegisterFile;
  readonly switches: Switches;
  readonly cache: ConfigCache;
  readonly errors: GlobalErrors;
  readonly commands: CommandQueue;
  readonly events: EventQueue;
  readonly pageQueue: PageRequestQueue;
  readonly responder: Responder;
  readonly invalidator: TlbInvalidator;
  readonly ats: Ats;
}

export class RegisterInterface {
  readonly #parts: Programmed;

  constructor(parts: Programmed) {
    this.#parts = parts;
  }

  read32(offset: number): number {
    switch (offset) {
      case REGISTER.CR0ACK:
        return this.#parts.registers.read(REGISTER.CR0);
      case REGISTER.IRQ_CTRLACK:
        return this.#parts.registers.read(REGISTER.IRQ_CTRL);
      case REGISTER.GERROR:
        return this.#parts.errors.gerror;
      case REGISTER.GERRORN:
        return this.#parts.errors.gerrorn;
      case REGISTER.CMDQ_PROD:
        return this.#parts.commands.prod;
      case REGISTER.CMDQ_CONS:
        return this.#parts.commands.cons;
      case REGISTER.EVENTQ_PROD:
        return this.#parts.events.prod;
      case REGISTER.EVENTQ_CONS:
        return this.#parts.events.cons;
      case REGISTER.PRIQ_PROD:
        return this.#parts.pageQueue.prod;
      case REGISTER.PRIQ_CONS:
        return this.#parts.pageQueue.cons;
      default:
        return this.#parts.registers.read(offset);
    }
  }

  write32(offset: number, value: number): void {
    switch (offset) {
      case REGISTER.GERRORN:
        this.#parts.errors.acknowledge(value);
        this.#parts.responder.flush();
        this.#parts.commands.run();
        return;
      case REGISTER.CMDQ_PROD:
        this.#parts.commands.prod = value;
        this.#parts.commands.run();
        return;
      case REGISTER.CMDQ_CONS:
        if (!this.#parts.commands.isEnabled) this.#parts.commands.cons = value;
        return;
      case REGISTER.EVENTQ_PROD:
        if (!this.#parts.events.isEnabled) this.#parts.events.prod = value;
        return;
      case REGISTER.EVENTQ_CONS:
        this.#parts.events.cons = value;
        this.#parts.responder.flush();
        return;
      case REGISTER.PRIQ_PROD:
        if (this.#parts.features.pri && !this.#parts.pageQueue.isEnabled) this.#parts.pageQueue.prod = value;
        return;
      case REGISTER.PRIQ_CONS:
        if (this.#parts.features.pri) this.#parts.pageQueue.cons = value;
        return;
      case REGISTER.GBPA:
        if (get(Uint32Array.of(value), 0, GBPA.Update) === 0) return; // only a write with Update=1 counts (§6.3.14)
    }
    if (this.#parts.registers.write(offset, value, (lock) => this.#isLocked(lock))) this.#apply(offset);
  }

  #isLocked(lock: Lock): boolean {
    switch (lock) {
      case "smmuEnabled":
        return this.#parts.switches.smmuEnabled;
      case "commandQueueEnabled":
        return this.#parts.commands.isEnabled;
      case "eventQueueEnabled":
        return this.#parts.events.isEnabled;
      case "anyQueueEnabled":
        return this.#isAnyOf(REGISTER.CR0, [CR0.CMDQEN, CR0.EVENTQEN, CR0.PRIQEN]);
      case "gerrorInterruptEnabled":
        return this.#isInterruptEnabled(IRQ_CTRL.GERROR_IRQEN);
      case "eventInterruptEnabled":
        return this.#isInterruptEnabled(IRQ_CTRL.EVENTQ_IRQEN);
      case "priQueueEnabled":
        return this.#parts.pageQueue.isEnabled;
      case "priInterruptEnabled":
        return this.#isInterruptEnabled(IRQ_CTRL.PRIQ_IRQEN);
      case "gbpa":
        return false; // an update is complete when the write returns
    }
  }

  #apply(offset: number): void {
    const { registers } = this.#parts;
    const word = Uint32Array.of(registers.read(offset));
    switch (offset) {
      case REGISTER.CR0:
        this.#applyCR0(word);
        return;
      case REGISTER.CR2:
        this.#parts.switches.e2h = get(word, 0, CR2.E2H) === 1;
        this.#parts.invalidator.e2h = this.#parts.switches.e2h;
        this.#parts.switches.recordsBadStreamID = get(word, 0, CR2.RECINVSID) === 1;
        this.#parts.ats.switches.recordsConfigurationErrors = get(word, 0, CR2.REC_CFG_ATS) === 1;
        this.#parts.cache.clear(); // StreamWorld is part of what was decoded
        return;
      case REGISTER.GBPA:
        this.#parts.switches.bypassAborts = get(word, 0, GBPA.ABORT) === 1;
        this.#parts.switches.bypassOverride = this.#parts.features.attrTypesOverride ? overrideOf(word) : undefined;
        return;
      case REGISTER.STRTAB_BASE:
      case REGISTER.STRTAB_BASE + 4:
      case REGISTER.STRTAB_BASE_CFG:
        this.#parts.switches.streamTable = decodeStreamTable(
          registers.pair(REGISTER.STRTAB_BASE),
          registers.read(REGISTER.STRTAB_BASE_CFG),
          this.#parts.features,
        );
        return;
      case REGISTER.CMDQ_BASE:
      case REGISTER.CMDQ_BASE + 4:
        this.#parts.commands.setBase(registers.pair(REGISTER.CMDQ_BASE));
        return;
      case REGISTER.EVENTQ_BASE:
      case REGISTER.EVENTQ_BASE + 4:
        this.#parts.events.setBase(registers.pair(REGISTER.EVENTQ_BASE));
        return;
      case REGISTER.PRIQ_BASE:
      case REGISTER.PRIQ_BASE + 4:
        this.#parts.pageQueue.setBase(registers.pair(REGISTER.PRIQ_BASE));
        return;
      case REGISTER.PRIQ_IRQ_CFG2:
        this.#parts.pageQueue.isLastOnly = get(word, 0, PRIQ_IRQ_CFG2.LO) === 1;
        return;
    }
  }

  #applyCR0(word: Uint32Array): void {
    const { switches, responder, cache, events, commands, invalidator, pageQueue, ats } = this.#parts;
    const wasEnabled = switches.smmuEnabled;
    switches.smmuEnabled = get(word, 0, CR0.SMMUEN) === 1;
    cache.renew();
    events.isEnabled = get(word, 0, CR0.EVENTQEN) === 1;
    commands.isEnabled = get(word, 0, CR0.CMDQEN) === 1;
    const wildcard = get(word, 0, CR0.VMW);
    invalidator.vmidGroup = wildcard > VMW_MAX ? 1 : pow2(wildcard);
    pageQueue.isEnabled = get(word, 0, CR0.PRIQEN) === 1;
    ats.switches.atsCheck = get(word, 0, CR0.ATSCHK) === 1;
    if (wasEnabled && !switches.smmuEnabled) responder.terminateStalls();
    responder.flush();
    commands.run();
  }

  #isInterruptEnabled(enable: Field): boolean {
    return this.#isAnyOf(REGISTER.IRQ_CTRL, [enable]);
  }

  /** One of the flags of a register is set. */
  #isAnyOf(offset: number, flags: readonly Field[]): boolean {
    return flags.some((flag) => this.#parts.registers.isSet(offset, flag));
  }
}

/** Attribute overrides of GBPA. Source: §6.3.14. */
function overrideOf(gbpa: Uint32Array): InputOverride {
  const field = (of: Field): number => get(gbpa, 0, of);
  return {
    MTCFG: field(GBPA.MTCFG),
    MemAttr: field(GBPA.MemAttr),
    ALLOCCFG: field(GBPA.ALLOCCFG),
    SHCFG: field(GBPA.SHCFG),
  };
}
