// The MMIO register file: which bits exist, which are locked when, and what reads back.
// Effects of a write are the owner's business: write() says which register took a new value.
// Reserved bits are RES0: they read as zero and writes to them are dropped.
// Source: IHI 0070G.b §6.1, §6.3; update and acknowledge pairs §6.2.1.

import { type Field, get, set } from "../../spec/layout.ts";
import { CR0, CR2, GBPA, IRQ_CTRL, PRIQ_IRQ_CFG2, REGISTER } from "../../spec/registers.ts";
import { and32, lo32 } from "../../spec/u64.ts";
import type { Features, IdRegisters } from "./id-registers.ts";

/** What holds a register still while it is in use. */
export type Lock =
  | "smmuEnabled"
  | "commandQueueEnabled"
  | "eventQueueEnabled"
  | "anyQueueEnabled"
  | "gerrorInterruptEnabled"
  | "eventInterruptEnabled"
  | "priQueueEnabled"
  | "priInterruptEnabled"
  | "gbpa";

interface Rule {
  readonly mask: number;
  readonly lock?: Lock;
  /** Fields that have a lock of their own. */
  readonly fields?: readonly { readonly mask: number; readonly lock: Lock }[];
}

const ALL = 0xffff_ffff;
/** Addresses of tables and queues: [55:5] with the allocation hint in bit 62; the size of a queue in [4:0]. */
const BASE_HIGH = 0x40ff_ffff;

export class RegisterFile {
  readonly #values = new Map<number, number>();
  readonly #readOnly: ReadonlyMap<number, number>;
  readonly #rules: ReadonlyMap<number, Rule>;

  constructor(id: IdRegisters, features: Features) {
    this.#readOnly = new Map([
      [REGISTER.IDR0, id.idr0],
      [REGISTER.IDR1, id.idr1],
      [REGISTER.IDR2, id.idr2],
      [REGISTER.IDR3, id.idr3],
      [REGISTER.IDR4, id.idr4],
      [REGISTER.IDR5, id.idr5],
      [REGISTER.IDR6, id.idr6],
      [REGISTER.IIDR, id.iidr],
      [REGISTER.AIDR, id.aidr],
    ]);
    this.#rules = rules(features);
    this.#values.set(REGISTER.GBPA, maskOf([GBPA.SHCFG], [1])); // SHCFG resets to "use incoming"
  }

  read(offset: number): number {
    return lo32(this.#readOnly.get(offset) ?? this.#values.get(offset) ?? 0);
  }

  isSet(offset: number, flag: Field): boolean {
    return get(Uint32Array.of(this.read(offset)), 0, flag) === 1;
  }

  /**
   * Stores a value as far as the register has the bits and is not locked.
   *
   * @returns false when nothing was stored: no such register, read-only, or locked
   */
  write(offset: number, value: number, isLocked: (lock: Lock) => boolean): boolean {
    const rule = this.#rules.get(offset);
    if (rule === undefined || (rule.lock !== undefined && isLocked(rule.lock))) return false;
    const held = (rule.fields ?? []).reduce((bits, field) => bits + (isLocked(field.lock) ? field.mask : 0), 0);
    this.#values.set(offset, and32(value, rule.mask - held) + and32(this.read(offset), held));
    return true;
  }

  /** The two halves of a 64-bit register, for the layouts. */
  pair(offset: number): Uint32Array<ArrayBuffer> {
    return Uint32Array.of(this.read(offset), this.read(offset + 4));
  }
}

function rules(features: Features): ReadonlyMap<number, Rule> {
  const cr0 = [CR0.SMMUEN, CR0.EVENTQEN, CR0.CMDQEN];
  if (features.pri) cr0.push(CR0.PRIQEN);
  if (features.ats) cr0.push(CR0.ATSCHK);
  if (features.vmw) cr0.push(CR0.VMW);
  const cr2 = [CR2.RECINVSID];
  if (features.hyp) cr2.push(CR2.E2H);
  if (features.btm) cr2.push(CR2.PTM);
  if (features.atsRecErr) cr2.push(CR2.REC_CFG_ATS);
  const irqCtrl = [IRQ_CTRL.GERROR_IRQEN, IRQ_CTRL.EVENTQ_IRQEN];
  if (features.pri) irqCtrl.push(IRQ_CTRL.PRIQ_IRQEN);
  const smmuEnabled = { mask: ALL, lock: "smmuEnabled" } as const;
  return new Map<number, Rule>([
    [REGISTER.CR0, { mask: maskOf(cr0) }],
    [REGISTER.CR1, CR1_RULE],
    [REGISTER.CR2, { mask: maskOf(cr2), lock: "smmuEnabled" }],
    [REGISTER.GBPA, { mask: maskOf(Object.values(GBPA)) - maskOf([GBPA.Update]), lock: "gbpa" }],
    [REGISTER.IRQ_CTRL, { mask: maskOf(irqCtrl) }],
    [REGISTER.STRTAB_BASE, { ...smmuEnabled, mask: 0xffff_ffc0 }],
    [REGISTER.STRTAB_BASE + 4, { ...smmuEnabled, mask: BASE_HIGH }],
    [REGISTER.STRTAB_BASE_CFG, { ...smmuEnabled, mask: 0x0003_07ff }],
    [REGISTER.CMDQ_BASE, { mask: ALL, lock: "commandQueueEnabled" }],
    [REGISTER.CMDQ_BASE + 4, { mask: BASE_HIGH, lock: "commandQueueEnabled" }],
    [REGISTER.EVENTQ_BASE, { mask: ALL, lock: "eventQueueEnabled" }],
    [REGISTER.EVENTQ_BASE + 4, { mask: BASE_HIGH, lock: "eventQueueEnabled" }],
    ...(features.msi ? interruptRules(REGISTER.GERROR_IRQ_CFG0, "gerrorInterruptEnabled") : []),
    ...(features.msi ? interruptRules(REGISTER.EVENTQ_IRQ_CFG0, "eventInterruptEnabled") : []),
    ...(features.pri ? priRules(features) : []),
  ]);
}

/** QUEUE_* in [5:0] and TABLE_* in [11:6], each still while it is in use. Source: §6.3.11. */
const CR1_RULE: Rule = {
  mask: 0xfff,
  fields: [
    { mask: 0x03f, lock: "anyQueueEnabled" },
    { mask: 0xfc0, lock: "smmuEnabled" },
  ],
};

/** *_IRQ_CFG0 with address[55:2], CFG1 with the data, CFG2 with SH [5:4] and MemAttr [3:0]. Source: §6.3.21 to §6.3.23. */
function interruptRules(offset: number, lock: Lock): readonly (readonly [number, Rule])[] {
  return [
    [offset, { mask: 0xffff_fffc, lock }],
    [offset + 4, { mask: 0x00ff_ffff, lock }],
    [offset + 8, { mask: ALL, lock }],
    [offset + 12, { mask: 0x3f, lock }],
  ];
}

/** PRIQ_BASE is guarded by PRIQEN, the MSI's registers by PRIQ_IRQEN; CFG2 has LO besides. Source: §6.3.33 to §6.3.36. */
function priRules(features: Features): readonly (readonly [number, Rule])[] {
  const queue = { lock: "priQueueEnabled" } as const;
  const interrupt = { lock: "priInterruptEnabled" } as const;
  const base: readonly (readonly [number, Rule])[] = [
    [REGISTER.PRIQ_BASE, { ...queue, mask: ALL }],
    [REGISTER.PRIQ_BASE + 4, { ...queue, mask: BASE_HIGH }],
  ];
  if (!features.msi) return base;
  return [
    ...base,
    ...interruptRules(REGISTER.PRIQ_IRQ_CFG0, "priInterruptEnabled"),
    [REGISTER.PRIQ_IRQ_CFG2, { ...interrupt, mask: maskOf(Object.values(PRIQ_IRQ_CFG2)) }],
  ];
}

/** The bits of fields, all ones or with the given values. */
function maskOf(fields: readonly Field[], values?: readonly number[]): number {
  const word = new Uint32Array(1);
  fields.forEach((field, index) => {
    set(word, 0, field, values?.[index] ?? 2 ** field.width - 1);
  });
  return word[0]!;
}
