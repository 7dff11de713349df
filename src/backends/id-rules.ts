// What the ID registers of a simulated SMMU may say: the architecture's rules between their fields, and the features
// that the model does not have. A table; each refusal names the field, its value, the rule and the remedy.
// Features newer than AIDR says are legal (a part may have them early); features that a version demands are not optional.
// Source: IHI 0070G.b §6.3.1 to §6.3.8; the last paragraphs of each field's description.

import { type Field, get } from "../spec/layout.ts";
import { AIDR, IDR0, IDR1, IDR2, IDR3, IDR5, IDR6, IIDR } from "../spec/registers.ts";
import type { IdRegisters } from "./inventory.ts";

/** Registers as a configuration gives them: one that is left out reads as zero. */
export type GivenRegisters = { readonly [K in keyof IdRegisters]?: number | undefined };

/** One field that cannot stand beside the others. */
export interface RegisterProblem {
  readonly register: keyof IdRegisters;
  /** "has IDR1.SIDSIZE 33: it is at most 32 (IHI 0070 §6.3.2); set 0 to 32" */
  readonly message: string;
}

interface Register {
  readonly key: keyof IdRegisters;
  readonly name: string;
  readonly section: string;
  readonly fields: Readonly<Record<string, Field>>;
}

const REGISTERS: readonly Register[] = [
  { key: "idr0", name: "IDR0", section: "§6.3.1", fields: IDR0 },
  { key: "idr1", name: "IDR1", section: "§6.3.2", fields: IDR1 },
  { key: "idr2", name: "IDR2", section: "§6.3.3", fields: IDR2 },
  { key: "idr3", name: "IDR3", section: "§6.3.4", fields: IDR3 },
  { key: "idr5", name: "IDR5", section: "§6.3.6", fields: IDR5 },
  { key: "idr6", name: "IDR6", section: "§3.5.6", fields: IDR6 },
  { key: "iidr", name: "IIDR", section: "§6.3.7", fields: IIDR },
  { key: "aidr", name: "AIDR", section: "§6.3.8", fields: AIDR },
];

const HOME = new Map(REGISTERS.flatMap((register) => Object.values(register.fields).map((field) => [field, register])));

type Values = (field: Field) => number;
/** The field at fault; the rule as a sentence about it; what to do; whether it holds. */
type Rule = readonly [field: Field, rule: string, remedy: string, holds: (value: Values) => boolean];

const hasBothStages = (v: Values): boolean => v(IDR0.S1P) === 1 && v(IDR0.S2P) === 1;
const hasSmallGranule = (v: Values): boolean => v(IDR5.GRAN4K) === 1 || v(IDR5.GRAN16K) === 1;
/** SMMUv3.`minor` or later. */
const since = (v: Values, minor: number): boolean => v(AIDR.ArchMinorRev) >= minor;

/** A feature that is nothing without others. */
function needs(field: Field, what: string, holds: (value: Values) => boolean): Rule {
  return [field, `it is RES0 unless ${what}`, `set it to 0, or ${what}`, (v) => v(field) === 0 || holds(v)];
}

/** A feature that a version of the architecture made mandatory. */
function mandatory(field: Field, minor: number, where: string, applies: (value: Values) => boolean): Rule {
  const rule = `it is not 0 in SMMUv3.${minor} and later${where}`;
  const holds = (v: Values): boolean => v(field) !== 0 || !since(v, minor) || !applies(v);
  return [field, rule, `set it, or AIDR.ArchMinorRev below ${minor}`, holds];
}

function atMost(field: Field, most: number): Rule {
  return [field, `it is at most ${most}`, `set 0 to ${most}`, (v) => v(field) <= most];
}

const ARCHITECTURE: readonly Rule[] = [
  [IDR0.S1P, "one of S1P and S2P is 1", "set S1P or S2P", (v) => v(IDR0.S1P) === 1 || v(IDR0.S2P) === 1],
  [IDR0.TTF, "0 is reserved", "set 2, VMSAv8-64", (v) => v(IDR0.TTF) !== 0],
  needs(IDR0.Hyp, "IDR0.S1P and IDR0.S2P are 1", hasBothStages),
  mandatory(IDR0.Hyp, 2, " where both stages are", hasBothStages),
  needs(IDR0.NS1ATS, "IDR0.ATS, IDR0.S1P and IDR0.S2P are 1", (v) => v(IDR0.ATS) === 1 && hasBothStages(v)),
  needs(IDR0.PRI, "IDR0.ATS is 1", (v) => v(IDR0.ATS) === 1),
  needs(IDR0.ATSRECERR, "IDR0.ATS is 1", (v) => v(IDR0.ATS) === 1),
  needs(IDR0.VMW, "IDR0.S2P is 1", (v) => v(IDR0.S2P) === 1),
  [IDR0.TTENDIAN, "1 is reserved", "set 0, 2 or 3", (v) => v(IDR0.TTENDIAN) !== 1],
  [IDR0.STALL_MODEL, "3 is reserved", "set 0, 1 or 2", (v) => v(IDR0.STALL_MODEL) !== 3],
  atMost(IDR0.ST_LEVEL, 1),
  atMost(IDR1.SIDSIZE, 32),
  [
    IDR1.SIDSIZE,
    "7 and more need IDR0.ST_LEVEL",
    "set IDR0.ST_LEVEL to 1, or 0 to 6",
    (v) => v(IDR1.SIDSIZE) < 7 || v(IDR0.ST_LEVEL) !== 0,
  ],
  atMost(IDR1.SSIDSIZE, 20),
  atMost(IDR1.CMDQS, 19),
  atMost(IDR1.EVENTQS, 19),
  [IDR1.PRIQS, "it is at most 19 where IDR0.PRI is 1", "set 0 to 19", (v) => v(IDR1.PRIQS) <= 19 || v(IDR0.PRI) === 0],
  needs(
    IDR1.REL,
    "IDR1.TABLES_PRESET or IDR1.QUEUES_PRESET is 1",
    (v) => v(IDR1.TABLES_PRESET) + v(IDR1.QUEUES_PRESET) > 0,
  ),
  needs(IDR2.BA_VATOS, "IDR0.VATOS is 1", (v) => v(IDR0.VATOS) === 1),
  needs(IDR3.HAD, "IDR0.S1P is 1", (v) => v(IDR0.S1P) === 1),
  mandatory(IDR3.HAD, 1, " where stage 1 is", (v) => v(IDR0.S1P) === 1),
  needs(IDR3.PBHA, "IDR3.HAD is 1", (v) => v(IDR3.HAD) === 1),
  needs(IDR3.PBHA, "AIDR says SMMUv3.1 or later", (v) => since(v, 1)),
  needs(IDR3.XNX, "AIDR says SMMUv3.1 or later", (v) => since(v, 1)),
  mandatory(IDR3.XNX, 1, " where stage 2 is", (v) => v(IDR0.S2P) === 1),
  needs(IDR3.PPS, "IDR0.PRI is 1 and IDR1.SSIDSIZE is not 0", (v) => v(IDR0.PRI) === 1 && v(IDR1.SSIDSIZE) !== 0),
  mandatory(IDR3.FWB, 2, " where stage 2 is", (v) => v(IDR0.S2P) === 1),
  mandatory(IDR3.RIL, 2, "", () => true),
  mandatory(IDR3.BBML, 2, "", () => true),
  atMost(IDR3.BBML, 2),
  mandatory(IDR3.E0PD, 3, "", () => true),
  needs(IDR3.PASIDTT, "IDR0.ATS is 1 and IDR1.SSIDSIZE is not 0", (v) => v(IDR0.ATS) === 1 && v(IDR1.SSIDSIZE) !== 0),
  needs(IDR3.DPT, "IDR0.ATS is 1", (v) => v(IDR0.ATS) === 1),
  needs(IDR3.PTWNNC, "IDR0.S2P is 1", (v) => v(IDR0.S2P) === 1),
  mandatory(IDR3.PTWNNC, 3, " where stage 2 is", (v) => v(IDR0.S2P) === 1),
  mandatory(IDR3.EPAN, 4, "", () => true),
  mandatory(IDR3.MTEPERM, 4, " where stage 2 is", (v) => v(IDR0.S2P) === 1),
  [
    IDR5.GRAN4K,
    "at least one granule is there",
    "set GRAN4K, GRAN16K or GRAN64K",
    (v) => hasSmallGranule(v) || v(IDR5.GRAN64K) === 1,
  ],
  needs(IDR5.DS, "IDR5.GRAN4K or IDR5.GRAN16K is 1", hasSmallGranule),
  needs(IDR5.DS, "IDR5.VAX is 1 or more", (v) => v(IDR5.VAX) !== 0),
  [
    IDR5.OAS,
    "6 (52 bits) is reserved in SMMUv3.0",
    "set 0 to 5, or AIDR to 1 or more",
    (v) => v(IDR5.OAS) < 6 || since(v, 1),
  ],
  [
    IDR5.OAS,
    "6 (52 bits) needs IDR5.GRAN64K or IDR5.DS",
    "set 0 to 5, or IDR5.GRAN64K",
    (v) => v(IDR5.OAS) < 6 || v(IDR5.GRAN64K) === 1 || v(IDR5.DS) === 1,
  ],
  atMost(IDR5.VAX, 2),
  needs(IDR5.VAX, "AIDR says SMMUv3.1 or later", (v) => since(v, 1)),
  needs(IDR5.VAX, "IDR5.GRAN64K or IDR5.DS is 1", (v) => v(IDR5.GRAN64K) === 1 || v(IDR5.DS) === 1),
  needs(IDR5.STALL_MAX, "IDR0.STALL_MODEL is 0 or 2", (v) => v(IDR0.STALL_MODEL) !== 1),
  [
    IDR5.STALL_MAX,
    "0 is for an SMMU that cannot stall",
    "set it, or IDR0.STALL_MODEL to 1",
    (v) => v(IDR5.STALL_MAX) !== 0 || v(IDR0.STALL_MODEL) === 1,
  ],
  atMost(AIDR.ArchMajorRev, 0),
  atMost(AIDR.ArchMinorRev, 4),
];

/** What a field may at most say because the model has no more, and what is missing. */
const NOT_MODELLED: readonly (readonly [field: Field, most: number, missing: string])[] = [
  [IDR0.BTM, 0, "broadcast TLB maintenance: there are no PEs"],
  [IDR0.DORMHINT, 0, "the dormant hint"],
  [IDR0.ATOS, 0, "address translation operations"],
  [IDR0.VATOS, 0, "address translation operations"],
  [IDR0.RME_IMPL, 0, "Realms"],
  [IDR1.REL, 0, "preset tables and queues"],
  [IDR1.QUEUES_PRESET, 0, "preset queues"],
  [IDR1.TABLES_PRESET, 0, "preset tables"],
  [IDR1.ECMDQ, 0, "enhanced Command queues"],
  [IDR3.MPAM, 0, "MPAM"],
  [IDR3.DPT, 0, "device permission tables"],
  [IDR3.S1PI, 0, "permission indirection"],
  [IDR3.S2PI, 0, "permission indirection"],
  [IDR3.S2PO, 0, "permission overlays"],
  [IDR3.THE, 0, "translation hardening"],
  [IDR3.AIE, 0, "the Attribute Index Extension"],
  [IDR5.OAS, 6, "56-bit addresses"],
  [IDR5.D128, 0, "128-bit descriptors"],
  [IDR5.VAX, 1, "56-bit virtual addresses"],
  [IDR6.CMDQ_CONTROL_PAGE_LOG2NUMQ, 0, "enhanced Command queues"],
  [IDR6.CMDQ_CONTROL_PAGE_LOG2NUMP, 0, "enhanced Command queues"],
];

/**
 * Judges the ID registers that a simulated SMMU is to have.
 *
 * @returns what is wrong, in the order of the rules; nothing when they can be simulated. IDR4 and IIDR may be anything:
 *   their values are the implementation's own
 */
export function registerProblems(registers: GivenRegisters): readonly RegisterProblem[] {
  const value: Values = (field) => {
    const home = HOME.get(field);
    return home === undefined ? 0 : get(Uint32Array.of(registers[home.key] ?? 0), 0, field);
  };
  const problems = REGISTERS.flatMap((register) => reservedBits(register, registers[register.key] ?? 0));
  const complain = (field: Field, text: string): void => {
    const home = HOME.get(field);
    if (home === undefined) return;
    problems.push({ register: home.key, message: `has ${home.name}.${field.name} ${value(field)}: ${text}` });
  };
  for (const [field, rule, remedy, holds] of ARCHITECTURE) {
    if (!holds(value)) complain(field, `${rule} (IHI 0070 ${HOME.get(field)?.section}); ${remedy}`);
  }
  for (const [field, most, missing] of NOT_MODELLED) {
    if (value(field) > most)
      complain(field, `the model does not have ${missing}; set ${most === 0 ? 0 : `0 to ${most}`}`);
  }
  const ttf = value(IDR0.TTF);
  if (ttf % 2 === 1) complain(IDR0.TTF, "the model does not have VMSAv8-32 LPAE tables; set 2");
  return problems;
}

/** Bits that no field has are RES0. */
function reservedBits({ key, name, section, fields }: Register, value: number): RegisterProblem[] {
  const known = new Set<number>();
  for (const { lsb, msb } of Object.values(fields)) {
    for (let bit = lsb; bit <= msb; bit++) known.add(bit);
  }
  const set = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => Math.floor(value / 2 ** bit) % 2 === 1);
  const reserved = set.filter((bit) => !known.has(bit));
  if (reserved.length === 0) return [];
  const bits = `${name} bit${reserved.length > 1 ? "s" : ""} ${reserved.join(", ")}`;
  return [{ register: key, message: `has ${bits}: reserved, RES0 (IHI 0070 ${section}); set 0` }];
}
