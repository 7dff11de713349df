// From a SubstreamID to its CD, and whether the CD is legal.
// Source: IHI 0070G.b §3.3.3, §5.3, §5.4, §5.4.1; SubstreamID errors §7.3.9.

import { CD } from "../../../spec/cd.ts";
import { L1CD } from "../../../spec/l1cd.ts";
import { getU64, wordsOf } from "../../../spec/layout.ts";
import { aligned, bits, pow2 } from "./bits.ts";
import { addressBits, type Implementation, isEndianSupported } from "./implementation.ts";
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
  const pa = toPA(stage2, ipa);
  const raw = trace.readMany(pa, 8);
  if (raw === undefined) return fail({ type: "F_CD_FETCH", fetchAddress: Number(pa) });
  trace.add({
    structure: "CD",
    pa,
    ...(stage2 === undefined ? {} : { ipa }),
    raw,
    fields: fieldsOf(raw, CD),
    why: `SubstreamID ${ssid} has its translation here`,
    section: "§5.4",
  });
  const words = wordsOf(raw);
  return (name) => getU64(words, 0, CD[name]);
}

function toPA(stage2: Stage2 | undefined, ipa: bigint): bigint {
  return stage2 === undefined ? ipa : stage2(ipa, { class: "CD", access: "read", privileged: false }).pa;
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
  const pa = toPA(stage2, ipa);
  const raw = trace.read64(pa);
  if (raw === undefined) return fail({ type: "F_CD_FETCH", fetchAddress: Number(pa) });
  const table = bits(raw, 55, 12) * pow2(12);
  const limit = stage2 === undefined ? implementation.oas : 52; // a wide IPA is stage 2's to refuse, a choice of §3.4.3
  const legal = bits(raw, 0, 0) === 1n && table < pow2(limit);
  trace.add({
    structure: "L1CD",
    pa,
    ...(stage2 === undefined ? {} : { ipa }),
    raw: [raw],
    fields: fieldsOf([raw], L1CD),
    why: legal ? "its leaf table holds the CD" : "it is not valid or points out of range: C_BAD_SUBSTREAMID",
    section: "§5.3, §7.3.9",
  });
  if (!legal) fail({ type: "C_BAD_SUBSTREAMID" });
  return aligned(table, leafBits + 6) + bits(ssid, leafBits - 1, 0) * 64n;
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

/** Why the CD is illegal (C_BAD_CD), or undefined. Source: §5.4.1. */
export function illegalCd(
  cd: CdReader,
  ste: SteReader,
  implementation: Implementation,
  world: StreamWorld,
): string | undefined {
  if (cd("V") === 0n) return "V is 0";
  const stallModel = implementation.idr0("STALL_MODEL");
  if (ste("S1STALLD") === 1n && cd("S") === 1n) return "S=1 while the STE has S1STALLD=1";
  if (stallModel === 1 && cd("S") === 1n) return "S=1 where stalling is not implemented";
  if (stallModel === 2 && cd("S") === 0n) return "S=0 where stalling is forced";
  if (implementation.idr0("TERM_MODEL") === 1 && cd("A") === 0n) return "A=0 where only aborts are implemented";
  const ttf = implementation.idr0("TTF");
  if (cd("AA64") === 1n ? ttf < 2 : ttf % 2 === 0) return "AA64 asks for a format that TTF does not offer";
  if (cd("AA64") === 1n && ste("Config") === 0b111n && ste("S2AA64") === 0n) return "AA64=1 above a VMSAv8-32 stage 2";
  const httu = implementation.idr0("HTTU");
  if (httu === 0 && (cd("HA") === 1n || cd("HD") === 1n)) return "HA or HD without HTTU";
  if (httu === 1 && cd("HD") === 1n) return "HD without dirty state in HTTU";
  if (httu === 3 && cd("HAFT") === 1n && cd("HA") === 0n) return "HAFT=1 with HA=0";
  if (world !== "EL2" && cd("ASID") >= 256n && implementation.idr0("ASID16") === 0)
    return "ASID has 16 bits without ASID16";
  if (cd("AA64") === 0n) return undefined;
  const halves = (world === "EL2" ? ([0] as const) : ([0, 1] as const)).map((which) =>
    halfOf(cd, implementation, world, which),
  );
  const enabled = halves.filter((half) => !half.isDisabled);
  if (enabled.length === 0) return undefined;
  if (!isEndianSupported(implementation, cd("ENDI") === 1n)) return "ENDI against TTENDIAN";
  return enabled.map((half) => illegalHalf(half, cd, implementation)).find((why) => why !== undefined);
}

function illegalHalf(half: Half, cd: CdReader, implementation: Implementation): string | undefined {
  const is64K = half.pageBits === 16;
  if (!implementation.hasGranule(half.pageBits)) return "TGx is reserved or not implemented";
  const min = implementation.va52 && (is64K || isContextDS(cd, implementation)) ? 12 : 16;
  const max = implementation.idr3("STT") ? (is64K ? 47 : 48) : 39;
  if (half.tsz < min || half.tsz > max) return `TxSZ is outside ${min} to ${max}`;
  if (half.ttb >= pow2(stage1OutputBits(cd, implementation, half.pageBits))) return "TTBx is outside the effective IPS";
  return undefined;
}
