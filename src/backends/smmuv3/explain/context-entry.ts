// From a SubstreamID to its CD, and what the CD says of each half of the address space.
// Source: IHI 0070G.b §3.3.3, §5.3, §5.4; SubstreamID errors §7.3.9.

import { CD } from "../../../spec/cd.ts";
import { L1CD } from "../../../spec/l1cd.ts";
import { getU64, wordsOf } from "../../../spec/layout.ts";
import { hex } from "../../../spec/u64.ts";
import { aligned, bits, pow2 } from "./bits.ts";
import { addressBits, type Implementation } from "./implementation.ts";
import { type Broken, broken, field, placeOf } from "./refusal.ts";
import type { Stage2 } from "./stage2-walk.ts";
import { type SteReader, type StreamWorld, substreamBits } from "./stream-entry.ts";
import { fail, fieldsOf, type Trace } from "./trace.ts";

export type CdReader = (name: keyof typeof CD) => bigint;

/** Reads the CD of `ssid`, which the caller has found to be in the table. */
export function lookupContext(
  trace: Trace,
  implementation: Implementation,
  ste: SteReader,
  stage2: Stage2 | undefined,
  ssid: bigint,
): CdReader {
  const ipa = contextAddress(trace, implementation, ste, stage2, ssid);
  const pa = toPA(stage2, ipa, "context descriptor");
  const raw = trace.readMany(pa, 8);
  if (raw === undefined) return unreadable("CD", pa, stage2 && ipa);
  trace.add({
    structure: "CD",
    pa,
    ...(stage2 === undefined ? {} : { ipa }),
    raw,
    get fields() {
      return fieldsOf(raw, CD);
    },
    why: `SubstreamID ${ssid} has its translation here`,
    section: "§5.4",
  });
  const words = wordsOf(raw);
  return (name) => getU64(words, 0, CD[name]);
}

/** @param ipa  undefined: it is reached without stage 2 */
function unreadable(structure: "CD" | "L1CD", pa: bigint, ipa: bigint | undefined): never {
  const what = structure === "CD" ? "context descriptor" : "L1CD";
  const where = ipa === undefined ? "" : ` at IPA ${hex(ipa)}`;
  const fields = ipa === undefined ? [] : [field("IPA", ipa)];
  return fail(
    { type: "F_CD_FETCH", fetchAddress: Number(pa) },
    {
      ...broken("CD_FETCH_ABORTED", `the read of the ${what}${where} aborted`, ...fields),
      at: placeOf(structure, ipa, []),
    },
  );
}

function toPA(stage2: Stage2 | undefined, ipa: bigint, what: string): bigint {
  return stage2 === undefined ? ipa : stage2(ipa, { class: "CD", access: "read", privileged: false, what }).pa;
}

function contextAddress(
  trace: Trace,
  implementation: Implementation,
  ste: SteReader,
  stage2: Stage2 | undefined,
  ssid: bigint,
): bigint {
  const base = ste("S1ContextPtr") * 64n;
  const cdBits = substreamBits(ste, implementation);
  const leafBits = [0, 6, 10, 0][Number(ste("S1Fmt"))] ?? 0;
  if (cdBits === 0) return base;
  if (leafBits === 0) return inTable(base, cdBits + 6, ssid * 64n);
  const ipa = inTable(base, Math.max(cdBits - leafBits + 3, 6), (ssid >> BigInt(leafBits)) * 8n);
  const pa = toPA(stage2, ipa, "L1CD");
  const raw = trace.read64(pa);
  if (raw === undefined) return unreadable("L1CD", pa, stage2 && ipa);
  const table = bits(raw, 55, 12) * pow2(12);
  const limit = stage2 === undefined ? implementation.oas : 52; // a wide IPA is stage 2's to refuse, a choice of §3.4.3
  const illegal = illegalL1CD(raw, table, limit);
  trace.add({
    structure: "L1CD",
    pa,
    ...(stage2 === undefined ? {} : { ipa }),
    raw: [raw],
    get fields() {
      return fieldsOf([raw], L1CD);
    },
    why: illegal === undefined ? "its leaf table holds the CD" : `${illegal.why}: C_BAD_SUBSTREAMID`,
    section: "§5.3, §7.3.9",
  });
  if (illegal !== undefined) {
    fail({ type: "C_BAD_SUBSTREAMID" }, { ...illegal, at: placeOf("L1CD", stage2 && ipa, [raw]) });
  }
  return aligned(table, leafBits + 6) + bits(ssid, leafBits - 1, 0) * 64n;
}

function illegalL1CD(raw: bigint, table: bigint, limit: number): Broken | undefined {
  if (bits(raw, 0, 0) === 0n) return broken("L1CD_NOT_VALID", "L1CD.V is 0", field("L1CD.V", 0));
  if (table < pow2(limit)) return undefined;
  return broken("L1CD_ADDRESS", `L1CD.L2Ptr ${hex(table)} has more than ${limit} bits`, field("L1CD.L2Ptr", table));
}

/**
 * An entry of a table of 2^sizeBits bytes. From a misaligned base the architecture allows any entry of the table; the
 * choice here is to count on and wrap. Source: §5.2 S1Fmt.
 */
function inTable(base: bigint, sizeBits: number, offset: bigint): bigint {
  const start = aligned(base, sizeBits);
  return start + ((base - start + offset) % pow2(sizeBits));
}

/** One half of the address space as the CD configures it. */
export interface Half {
  readonly index: 0 | 1;
  readonly isDisabled: boolean;
  /** log2 of the granule; 0 is reserved. */
  readonly pageBits: number;
  readonly tsz: number;
  readonly ttb: bigint;
  readonly sh: bigint;
  readonly isTopByteIgnored: boolean;
  readonly isHierarchyIgnored: boolean;
  readonly refusesUnprivileged: boolean;
}

export function halfOf(cd: CdReader, implementation: Implementation, world: StreamWorld, which: 0 | 1): Half {
  const flag = (name: keyof typeof CD): boolean => cd(name) === 1n;
  const isLow = which === 0;
  return {
    index: which,
    isDisabled: world !== "EL2" && flag(isLow ? "EPD0" : "EPD1"), // EL2 has one table and IGNORES EPD (§5.4)
    pageBits: (isLow ? [12, 16, 14, 0][Number(cd("TG0"))] : [0, 14, 12, 16][Number(cd("TG1"))]) ?? 0,
    tsz: Number(cd(isLow ? "T0SZ" : "T1SZ")),
    ttb: (cd(isLow ? "TTB0" : "TTB1") * 16n) % pow2(52), // [55:52] are for 128-bit descriptors
    sh: cd(isLow ? "SH0" : "SH1"),
    isTopByteIgnored: flag(isLow ? "TBI0" : "TBI1"),
    isHierarchyIgnored: implementation.idr3("HAD") && flag(isLow ? "HAD0" : "HAD1"),
    refusesUnprivileged: implementation.idr3("E0PD") && flag(isLow ? "E0PD0" : "E0PD1"),
  };
}

export function isContextDS(cd: CdReader, implementation: Implementation): boolean {
  return implementation.ds && cd("DS") === 1n;
}

/** Bits of a stage 1 output address or table pointer. Source: §5.4 IPS, §3.4. */
export function stage1OutputBits(cd: CdReader, implementation: Implementation, pageBits: number): number {
  const isWide = pageBits === 16 || isContextDS(cd, implementation);
  return Math.min(addressBits(cd("IPS")), implementation.oas, isWide ? 52 : 48);
}
