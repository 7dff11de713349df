// Memory type, shareability and allocation hints of what goes out, property by property, the way chapter 13 tells it.
// Where stages meet, the stronger value of each property wins; what makes no sense together is put right at the end.
// Source: IHI 0070G.b §13.1 to §13.5, §5.2 (overrides), §5.4 (MAIR0, DS), §3.23.1; Arm ARM DDI 0487 D8.6.

import type { MemoryAttributes } from "../transaction.ts";
import { bit, bits } from "./bits.ts";

/** Weakest first. */
const DOMAINS = ["NSH", "ISH", "OSH"] as const;
type Domain = (typeof DOMAINS)[number];

/** Strongest first. */
const DEVICES = ["Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"] as const;
type Device = (typeof DEVICES)[number];

/** Weakest first. */
const CACHEABILITIES = ["WB", "WT", "NC"] as const;
type Cacheability = (typeof CACHEABILITIES)[number];

type Type = { readonly device: Device } | { readonly inner: Cacheability; readonly outer: Cacheability };

interface Hints {
  readonly ra: boolean;
  readonly wa: boolean;
  readonly tr: boolean;
}

/** The type and the domain, and the hints of both levels: they go on beside a type that has no use for them. */
export interface Attributes {
  readonly type: Type;
  readonly inner: Hints;
  readonly outer: Hints;
  readonly domain: Domain;
}

/** A field of the STE or of GBPA by its name. */
export type OverrideReader = (name: "MTCFG" | "MemAttr" | "ALLOCCFG" | "SHCFG") => bigint;

/** The weakest hints: combined with others they change nothing, so they stand for none. Source: §13.1.3, §13.1.5. */
const NONE: Hints = { ra: true, wa: true, tr: false };

/** SH[1:0]; 0b01 is reserved and taken as 0b00. */
function domainOf(sh: bigint): Domain {
  if (sh === 0b10n) return "OSH";
  return sh === 0b11n ? "ISH" : "NSH";
}

function deviceOf(encoded: bigint): Type {
  return { device: DEVICES[Number(encoded)] ?? "Device-nGnRnE" };
}

/** One byte of CD.MAIR0 and MAIR1. Source: §5.4, with its table of what reserved values are. */
function fromMair(byte: bigint, domain: Domain): Attributes {
  const outer = bits(byte, 7, 4);
  if (outer === 0n) return consistent({ type: deviceOf(bits(byte, 3, 2)), inner: NONE, outer: NONE, domain });
  const inner = bits(byte, 3, 0) === 0n ? 0b0011n : bits(byte, 3, 0);
  const type = { inner: mairCacheability(inner), outer: mairCacheability(outer) };
  return consistent({ type, inner: mairHints(inner), outer: mairHints(outer), domain });
}

function mairCacheability(nibble: bigint): Cacheability {
  if (nibble === 0b0100n) return "NC";
  return bit(nibble, 2) ? "WB" : "WT";
}

function mairHints(nibble: bigint): Hints {
  return { ra: bit(nibble, 1), wa: bit(nibble, 0), tr: !bit(nibble, 3) };
}

/** As an interconnect would hand it over: a MAIR byte and SH above it; absent: what the SMMU supplies. Source: §13.1.3. */
export function incomingAttributes(encoded: number | undefined): Attributes {
  const value = BigInt(encoded ?? 0x0ff);
  return fromMair(bits(value, 7, 0), domainOf(bits(value, 9, 8)));
}

/** Type and domain are the table's; hints combine with those of the input, which has weak ones if any. Source: §13.4.2. */
export function throughStage1(
  input: Attributes,
  leaf: bigint,
  cd: { readonly mair: bigint; readonly tableSH: bigint | undefined },
): Attributes {
  const index = Number(bits(leaf, 4, 2));
  const found = fromMair(bits(cd.mair, 8 * index + 7, 8 * index), domainOf(cd.tableSH ?? bits(leaf, 9, 8)));
  return {
    ...found,
    inner: combinedHints(input.inner, found.inner),
    outer: combinedHints(input.outer, found.outer),
  };
}

export interface Stage2Encoding {
  readonly fwb: boolean;
  readonly mtePerm: boolean;
  /** S2SH0, when S2DS takes SH out of the descriptors. */
  readonly tableSH: bigint | undefined;
}

/** What a stage 2 leaf makes of the attributes that reach it; it has no hints. Source: §13.4.3; DDI 0487 D8.6.5 to 7. */
export function throughStage2(input: Attributes, leaf: bigint, encoding: Stage2Encoding): Attributes {
  const memAttr = bits(leaf, 5, 2);
  const type = encoding.fwb ? forced(input.type, memAttr) : combined(input.type, stage2Type(memAttr, encoding.mtePerm));
  const domain = stronger(DOMAINS, input.domain, domainOf(encoding.tableSH ?? bits(leaf, 9, 8)));
  return { ...input, type, domain };
}

const LEVELS: readonly (Cacheability | undefined)[] = [undefined, "NC", "WT", "WB"];

/** The encoding of MemAttr[3:0] that STE.MemAttr and stage 2 descriptors without FWB share; undefined is reserved. */
function plainType(memAttr: bigint): Type | undefined {
  if (bits(memAttr, 3, 2) === 0n) return deviceOf(bits(memAttr, 1, 0));
  const outer = LEVELS[Number(bits(memAttr, 3, 2))];
  const inner = LEVELS[Number(bits(memAttr, 1, 0))];
  return outer === undefined || inner === undefined ? undefined : { inner, outer };
}

/** A reserved encoding acts as some other: here one of the same outer level with a Non-cacheable inner one. */
function stage2Type(memAttr: bigint, mtePerm: boolean): Type {
  const known = plainType(mtePerm && memAttr === 0b0100n ? 0b1111n : memAttr);
  return known ?? stage2Type(memAttr + 1n, mtePerm);
}

/** FWB: MemAttr[2:0] decides, and MemAttr[3] does not count. Source: DDI 0487 D8.6.6, table D8-101. */
function forced(stage1: Type, memAttr: bigint): Type {
  switch (bits(memAttr, 2, 0)) {
    case 0b111n:
      return stage1;
    case 0b110n:
      return { inner: "WB", outer: "WB" };
    case 0b101n:
    case 0b100n: // reserved, and taken as its neighbour
      return "device" in stage1 ? stage1 : { inner: "NC", outer: "NC" };
    default:
      return combined(stage1, deviceOf(bits(memAttr, 1, 0)));
  }
}

/** The stronger of each property. Source: §13.1.5; DDI 0487 D8.6.5.1, D8.6.5.2. */
function combined(one: Type, other: Type): Type {
  if ("device" in one && "device" in other) {
    return { device: DEVICES.find((device) => device === one.device || device === other.device) ?? one.device };
  }
  if ("device" in one) return one;
  if ("device" in other) return other;
  return {
    inner: stronger(CACHEABILITIES, one.inner, other.inner),
    outer: stronger(CACHEABILITIES, one.outer, other.outer),
  };
}

function combinedHints(one: Hints, other: Hints): Hints {
  return { ra: one.ra && other.ra, wa: one.wa && other.wa, tr: one.tr || other.tr };
}

function stronger<const T>(weakestFirst: readonly T[], one: T, other: T): T {
  return weakestFirst.indexOf(one) > weakestFirst.indexOf(other) ? one : other;
}

/** The input with MTCFG, ALLOCCFG and SHCFG applied. Source: §13.1.3, §13.1.4, §5.2, §6.3.14. */
export function overridden(input: Attributes, field: OverrideReader): Attributes {
  const type = field("MTCFG") === 1n ? (plainType(field("MemAttr")) ?? deviceOf(0n)) : input.type;
  const alloccfg = field("ALLOCCFG");
  const hints = { ra: bit(alloccfg, 2), wa: bit(alloccfg, 1), tr: bit(alloccfg, 0) };
  const levels = bit(alloccfg, 3) ? { inner: hints, outer: hints } : { inner: input.inner, outer: input.outer };
  const shcfg = field("SHCFG");
  return consistent({ type, ...levels, domain: shcfg === 0b01n ? input.domain : domainOf(shcfg) });
}

/** Source: §13.1.7. */
export function consistent({ type, inner, outer, domain }: Attributes): Attributes {
  if ("device" in type) return { type, inner: NONE, outer: NONE, domain: "OSH" };
  return {
    type,
    inner: consistentHints(type.inner, inner),
    outer: consistentHints(type.outer, outer),
    domain: type.inner === "NC" && type.outer === "NC" ? "OSH" : domain,
  };
}

/** An uncached level has no hints, and what is never allocated is not transient. */
function consistentHints(cacheability: Cacheability, { ra, wa, tr }: Hints): Hints {
  return cacheability === "NC" ? NONE : { ra, wa, tr: tr && (ra || wa) };
}

/** The notation of §13.1.1: Normal-iWB/RAWAnTR-oNC-ISH. */
export function notation({ type, inner, outer, domain }: Attributes): string {
  if ("device" in type) return `${type.device}-${domain}`;
  const level = (cacheability: Cacheability, hints: Hints): string =>
    cacheability === "NC" ? "NC" : `${cacheability}/${hintNotation(hints)}`;
  return `Normal-i${level(type.inner, inner)}-o${level(type.outer, outer)}-${domain}`;
}

function hintNotation({ ra, wa, tr }: Hints): string {
  return `${ra ? "" : "n"}RA${wa ? "" : "n"}WA${tr ? "" : "n"}TR`;
}

export function described({ type, inner, outer, domain }: Attributes): MemoryAttributes {
  if ("device" in type) return { memoryType: type.device, shareability: domain, allocation: "" };
  const hints: string[] = [];
  if (type.inner !== "NC") hints.push(`i${hintNotation(inner)}`);
  if (type.outer !== "NC") hints.push(`o${hintNotation(outer)}`);
  return { memoryType: `Normal-i${type.inner}-o${type.outer}`, shareability: domain, allocation: hints.join("-") };
}
