// Stage 2: an IPA to a PA, for a transaction (IN), a table descriptor of stage 1 (TTD) or a CD (CD).
// Order of checks: range, then at each level abort, valid, address size; then Access flag, then permission (§7.3.22).
// Source: IHI 0070G.b §3.4, §3.13, §5.2; Arm ARM DDI 0487 D8.3, D8.4.

import { S2_LEAF } from "../../../spec/descriptor.ts";
import { hex } from "../../../spec/u64.ts";
import type { FaultClass } from "../fault.ts";
import { aligned, bit, bits, pow2, setBit, swapBytes } from "./bits.ts";
import { addressIn, descriptorOffset, type Format, kindOf, lowBit, startTableBits } from "./geometry.ts";
import { addressBits, type Implementation } from "./implementation.ts";
import { broken, field, nowhere, type Refusal } from "./refusal.ts";
import type { RuleName } from "./rules.ts";
import { isStage2DS, stage2PageBits, stage2StartLevel } from "./stage2-start.ts";
import { type SteReader, stage2Table } from "./stream-entry.ts";
import { fail, fieldsOf, type Stage2Question, type Trace } from "./trace.ts";

export interface Purpose {
  readonly class: FaultClass;
  readonly access: "read" | "write" | "execute";
  readonly privileged: boolean;
  /** What is looked for, as a refusal calls it: "level 2 descriptor". */
  readonly what: string;
}

export interface Stage2Result {
  readonly pa: bigint;
  readonly pageBytes: bigint;
  readonly leaf: bigint;
}

export type Stage2 = (ipa: bigint, purpose: Purpose) => Stage2Result;

export function stage2Of(trace: Trace, implementation: Implementation, ste: SteReader): Stage2 {
  const ds = isStage2DS(ste, implementation);
  const format: Format = { pageBits: stage2PageBits(ste), ds, isPA52: implementation.oas === 52 };
  const inputBits = 64 - Number(ste("S2T0SZ"));
  const outputBits = Math.min(addressBits(ste("S2PS")), implementation.oas, format.pageBits === 16 || ds ? 52 : 48);
  const isBig = ste("S2ENDI") === 1n;
  const marksTables = implementation.idr0("HTTU") === 3 && ste("S2HAFT") === 1n; // §3.13.6; legal with S2HA only
  const start = stage2StartLevel(ste, implementation);

  return (ipa, purpose) => {
    const about = { stage: 2, class: purpose.class, ipa: Number(ipa) } as const;
    const asked: Stage2Question = { ipa, class: purpose.class, access: purpose.access };
    if (ipa >= pow2(inputBits)) {
      note(trace, asked, `IPA ${hex(ipa)} is beyond the ${inputBits} bits of S2T0SZ: F_TRANSLATION`, "§3.4");
      const why = `the ${purpose.what} at IPA ${hex(ipa)} is beyond the ${inputBits} bits of stage 2`;
      fail({ type: "F_TRANSLATION", ...about }, refusalOf("STAGE2_RANGE", why, ipa));
    }
    let table = aligned(stage2Table(ste), startTableBits(format, start, inputBits, outputBits));
    let topBit = inputBits;
    for (let level = start; ; level++) {
      const pa = table + descriptorOffset(format, level, ipa, topBit);
      const memory = trace.read64(pa);
      if (memory === undefined) {
        note(trace, asked, `the level ${level} descriptor at ${hex(pa)} cannot be read: F_WALK_EABT`, "§7.3.12");
        const why = `a table of stage 2 cannot be read, for the ${purpose.what} at IPA ${hex(ipa)}`;
        return fail(
          { type: "F_WALK_EABT", fetchAddress: Number(pa), ...about },
          refusalOf("STAGE2_WALK_ABORTED", why, ipa),
        );
      }
      const descriptor = isBig ? swapBytes(memory) : memory;
      const kind = kindOf(format, level, descriptor);
      const low = lowBit(format, level);
      const next = addressIn(format, descriptor, kind === "table" ? format.pageBits : low);
      const isTooFar = kind !== "invalid" && next >= pow2(outputBits);
      trace.add({
        structure: `stage 2 level ${level} descriptor, for ${purpose.class}`,
        pa,
        raw: [descriptor],
        get fields() {
          return fieldsOf([descriptor], S2_LEAF);
        },
        why: sayWhat(kind, next, isTooFar),
        section: "§3.4, DDI 0487 D8.3",
        stage2: asked,
      });
      if (kind === "invalid") {
        const why = `the ${purpose.what} at IPA ${hex(ipa)} is not mapped in stage 2`;
        fail({ type: "F_TRANSLATION", ...about }, refusalOf("STAGE2_NOT_MAPPED", why, ipa));
      }
      if (isTooFar) {
        const why = `stage 2 leads the ${purpose.what} at IPA ${hex(ipa)} out of its output size`;
        fail({ type: "F_ADDR_SIZE", ...about }, refusalOf("STAGE2_ADDRESS", why, ipa));
      }
      if (kind === "table") {
        const marked = setBit(descriptor, 10);
        if (marksTables && marked !== descriptor) trace.update(pa, isBig ? swapBytes(marked) : marked);
        table = next;
        topBit = low;
        continue;
      }
      const updated = leafDescriptor(trace, implementation, ste, purpose, descriptor, asked);
      if (updated !== descriptor) trace.update(pa, isBig ? swapBytes(updated) : updated);
      const result = { pa: next + bits(ipa, low - 1, 0), pageBytes: pow2(low) };
      const isDirtyManaged = ste("S2HA") === 1n && ste("S2HD") === 1n && bit(descriptor, 51);
      const answer = { ...result, readable: bit(descriptor, 6), writable: bit(descriptor, 7) || isDirtyManaged };
      note(trace, { ...asked, answer }, `IPA ${hex(ipa)} is PA ${hex(result.pa)}`, "§3.4");
      return { ...result, leaf: descriptor };
    }
  };
}

/** Access flag and permission of a leaf, and what the hardware makes of it. Source: §3.13; DDI 0487 D8.4.2. */
function leafDescriptor(
  trace: Trace,
  implementation: Implementation,
  ste: SteReader,
  purpose: Purpose,
  descriptor: bigint,
  asked: Stage2Question,
): bigint {
  const about = { stage: 2, class: purpose.class, ipa: Number(asked.ipa) } as const;
  const updatesAF = ste("S2HA") === 1n;
  if (!bit(descriptor, 10) && !updatesAF && ste("S2AFFD") === 0n) {
    note(trace, asked, "AF is 0, and neither S2HA nor S2AFFD is set: F_ACCESS", "§3.13");
    const why = `stage 2 has the Access flag of the ${purpose.what} at IPA ${hex(asked.ipa)} clear`;
    fail({ type: "F_ACCESS", ...about }, refusalOf("STAGE2_ACCESS_FLAG", why, asked.ipa));
  }
  const isDirtyManaged = updatesAF && ste("S2HD") === 1n && bit(descriptor, 51);
  const mayWrite = bit(descriptor, 7) || isDirtyManaged;
  const isAllowed = {
    read: bit(descriptor, 6),
    write: mayWrite,
    execute: isExecutable(implementation, descriptor, purpose.privileged),
  }[purpose.access];
  if (!isAllowed || (purpose.class !== "IN" && ste("S2PTW") === 1n && isDevice(implementation, ste, descriptor))) {
    note(trace, asked, `the leaf refuses this ${purpose.access}: F_PERMISSION`, "§7.3.16");
    const tableRead = purpose.class === "TTD" ? { tableRead: purpose.access === "read" } : {};
    const [rule, right] = isAllowed ? (["STAGE2_PROTECTED_WALK", "tables"] as const) : RIGHTS[purpose.access];
    const why = `the ${purpose.what} at IPA ${hex(asked.ipa)} is mapped in stage 2, but not for ${right}`;
    fail({ type: "F_PERMISSION", ...about, ...tableRead }, refusalOf(rule, why, asked.ipa));
  }
  const withAF = updatesAF ? setBit(descriptor, 10) : descriptor;
  return purpose.access === "write" && isDirtyManaged ? setBit(withAF, 7) : withAF;
}

/** A fetch asks for XN alone: stage 2 has execute without read. Source: DDI 0487 D8.4.2. */
function isExecutable(implementation: Implementation, descriptor: bigint, privileged: boolean): boolean {
  if (!implementation.idr3("XNX")) return !bit(descriptor, 54);
  const xn = bits(descriptor, 54, 53);
  if (xn === 0b00n) return true;
  if (xn === 0b10n) return false;
  return privileged ? xn === 0b11n : xn === 0b01n;
}

/** What S2PTW protects from: a table in Device memory. The stage 1 type of a table is Normal. Source: §5.2 S2PTW. */
function isDevice(implementation: Implementation, ste: SteReader, descriptor: bigint): boolean {
  const isForced = implementation.idr3("FWB") && ste("S2FWB") === 1n;
  return isForced ? !bit(descriptor, 4) : bits(descriptor, 5, 4) === 0n;
}

export const RIGHTS: Readonly<Record<Purpose["access"], readonly [RuleName, string]>> = {
  read: ["STAGE2_NOT_READABLE", "reading"],
  write: ["STAGE2_NOT_WRITABLE", "writing"],
  execute: ["STAGE2_NOT_EXECUTABLE", "fetching"],
};

/** Of stage 2 nothing is told but what it was asked. */
export function refusalOf(rule: RuleName, why: string, ipa: bigint): Refusal {
  return { ...broken(rule, why, field("IPA", ipa)), at: nowhere("stage 2") };
}

function sayWhat(kind: "invalid" | "table" | "leaf", next: bigint, isTooFar: boolean): string {
  if (kind === "invalid") return "it is not valid at this level: F_TRANSLATION";
  if (isTooFar) return `its address ${hex(next)} is outside the effective S2PS: F_ADDR_SIZE`;
  return kind === "table" ? `the next table is at ${hex(next)}` : `a leaf at ${hex(next)}`;
}

export function note(trace: Trace, stage2: Stage2Question, why: string, section: string): void {
  trace.add({ structure: `stage 2, for ${stage2.class}`, raw: [], fields: {}, why, section, stage2 });
}
