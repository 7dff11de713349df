// Stage 1: the device's address to an IPA (a PA without stage 2).
// Each descriptor's own stage 2 translation comes before that descriptor's checks; leaf checks come last (§7.3.22).
// Source: IHI 0070G.b §3.4, §3.13, §5.4; Arm ARM DDI 0487 D8.2 to D8.5.

import { S1_LEAF, S1_TABLE } from "../../../spec/descriptor.ts";
import { hex } from "../../../spec/u64.ts";
import { aligned, bit, bits, clearBit, pow2, setBit, swapBytes } from "./bits.ts";
import { type CdReader, type Half, halfOf, isContextDS, stage1OutputBits } from "./context-entry.ts";
import {
  addressIn,
  descriptorOffset,
  type Format,
  kindOf,
  lowBit,
  stage1StartLevel,
  startTableBits,
} from "./geometry.ts";
import type { Implementation } from "./implementation.ts";
import { type Broken, binary, broken, field, nowhere, type Place, placeOf } from "./refusal.ts";
import { type Leaf, NO_LIMITS, narrowed, refusedBy, type TableLimits } from "./rights.ts";
import type { Stage2 } from "./stage2-walk.ts";
import type { StreamWorld } from "./stream-entry.ts";
import { fail, fieldsOf, type Trace } from "./trace.ts";

export interface Stage1Input {
  readonly iova: bigint;
  readonly access: "read" | "write" | "execute";
  readonly privileged: boolean;
}

interface Parts {
  readonly trace: Trace;
  readonly implementation: Implementation;
  readonly cd: CdReader;
  readonly world: StreamWorld;
  readonly stage2: Stage2 | undefined;
  /** Of the CD, for what it refuses by itself. */
  readonly cdPlace: Place;
}

const ABOUT = { stage: 1, class: "IN" } as const;

export interface Stage1Result {
  readonly address: bigint;
  readonly pageBytes: bigint;
  readonly leaf: bigint;
  /** CD.SHx, when DS takes SH out of the descriptors. */
  readonly tableSH: bigint | undefined;
}

export function walkStage1(parts: Parts, input: Stage1Input): Stage1Result {
  const { trace, implementation, cd, stage2 } = parts;
  const half = selectHalf(parts, input);
  const format: Format = {
    pageBits: half.pageBits,
    ds: isContextDS(cd, implementation) && half.pageBits !== 16,
    isPA52: implementation.oas === 52,
  };
  const inputBits = 64 - half.tsz;
  const outputBits = stage1OutputBits(cd, implementation, half.pageBits);
  const isBig = cd("ENDI") === 1n;
  const marksTables = implementation.idr0("HTTU") === 3 && cd("HAFT") === 1n; // §3.13.6; legal with HA only
  const start = stage1StartLevel(format, inputBits);
  let table = aligned(half.ttb, startTableBits(format, start, inputBits, outputBits));
  let topBit = inputBits;
  let limits: TableLimits = NO_LIMITS;
  for (let level = start; ; level++) {
    const at = table + descriptorOffset(format, level, input.iova, topBit);
    const what = `level ${level} descriptor`;
    const read = { class: "TTD", access: "read", privileged: false, what } as const;
    const pa = stage2 === undefined ? at : stage2(at, read).pa;
    const ipa = stage2 === undefined ? undefined : at;
    const memory = trace.read64(pa);
    if (memory === undefined) {
      note(trace, `the ${what} at ${hex(at)} cannot be read: F_WALK_EABT`, "§7.3.12");
      const fields = ipa === undefined ? [] : [field("IPA", ipa)];
      const why = broken("WALK_ABORTED", `the read of the ${what}${ipaOf(ipa)} aborted`, ...fields);
      return fail(
        { type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: Number(pa) },
        { ...why, at: placeOf("stage 1 descriptor", ipa, [], level) },
      );
    }
    const descriptor = isBig ? swapBytes(memory) : memory;
    const kind = kindOf(format, level, descriptor);
    const low = lowBit(format, level);
    const next = addressIn(format, descriptor, kind === "table" ? format.pageBits : low);
    const isTooFar = kind !== "invalid" && next >= pow2(outputBits);
    trace.add({
      structure: `stage 1 level ${level} descriptor`,
      pa,
      ...(ipa === undefined ? {} : { ipa }),
      raw: [descriptor],
      get fields() {
        return fieldsOf([descriptor], kind === "table" ? S1_TABLE : S1_LEAF);
      },
      why: sayWhat(kind, next, isTooFar),
      section: "§3.4, DDI 0487 D8.3",
    });
    const place = placeOf("stage 1 descriptor", ipa, [descriptor], level);
    if (kind === "invalid") fail({ type: "F_TRANSLATION", ...ABOUT }, { ...invalid(descriptor, place), at: place });
    if (isTooFar) fail({ type: "F_ADDR_SIZE", ...ABOUT }, { ...tooFar(next, outputBits, place), at: place });
    const update = (value: bigint): void => {
      const target = stage2 === undefined ? pa : stage2(at, { ...read, access: "write" }).pa;
      trace.update(target, isBig ? swapBytes(value) : value);
      note(trace, `the hardware updates the descriptor to ${hex(value)}`, "§3.13");
    };
    if (kind === "table") {
      if (marksTables && !bit(descriptor, 10)) update(setBit(descriptor, 10));
      table = next;
      topBit = low;
      if (!half.isHierarchyIgnored) limits = narrowed(limits, descriptor, place);
      continue;
    }
    const updated = leafDescriptor(parts, input, { descriptor, limits, at: place });
    if (updated !== descriptor) update(updated);
    const tableSH = format.ds ? half.sh : undefined;
    return { address: next + bits(input.iova, low - 1, 0), pageBytes: pow2(low), leaf: descriptor, tableSH };
  }
}

/** The half of the address space that the address lies in; or F_TRANSLATION. Source: §3.4.1, §5.4 TBI, EPD, E0PD. */
function selectHalf(parts: Parts, { iova, privileged }: Stage1Input): Half {
  const { cdPlace, trace, cd, implementation, world } = parts;
  const isHigh = world !== "EL2" && bit(iova, 55);
  const half = halfOf(cd, implementation, world, isHigh ? 1 : 0);
  const top = half.isTopByteIgnored ? 55 : 63;
  const low = 64 - half.tsz;
  const address = field("InputAddr", iova);
  const refuse = (why: Broken, at: Place): never => {
    note(trace, `${why.why}: F_TRANSLATION`, "§3.4, §5.4");
    return fail({ type: "F_TRANSLATION", ...ABOUT }, { ...why, at });
  };
  if (half.isDisabled) {
    const why = `CD.EPD${half.index} is 1: no walk through TTB${half.index}, where ${hex(iova)} lies`;
    return refuse(broken("TABLE_DISABLED", why, field(`CD.EPD${half.index}`, 1), address), cdPlace);
  }
  const upper = top < low ? 0n : bits(iova, top, low);
  const wanted = isHigh ? pow2(top - low + 1) - 1n : 0n;
  if (upper !== wanted) {
    const why = `${hex(iova)} is outside the ${low} bits that CD.T${half.index}SZ ${half.tsz} leaves`;
    const size = field(`CD.T${half.index}SZ`, half.tsz);
    const ignored = field(`CD.TBI${half.index}`, half.isTopByteIgnored);
    return refuse(broken("INPUT_ADDRESS_RANGE", why, address, size, ignored), nowhere("input address"));
  }
  if (world !== "EL2" && half.refusesUnprivileged && !privileged) {
    const why = `CD.E0PD${half.index} is 1, and this is an unprivileged access`;
    return refuse(broken("UNPRIVILEGED_DISABLED", why, field(`CD.E0PD${half.index}`, 1), address), cdPlace);
  }
  note(trace, `${hex(iova)} goes through TTB${isHigh ? 1 : 0}`, "§3.4, §5.4");
  return half;
}

/** Access flag and permission of a leaf, and what the hardware makes of it. Source: §3.13; DDI 0487 D8.4. */
function leafDescriptor(
  { trace, implementation, cd, world }: Parts,
  input: Stage1Input,
  found: Omit<Leaf, "isDirtyManaged">,
): bigint {
  const { descriptor, at } = found;
  const updatesAF = cd("HA") === 1n;
  if (!bit(descriptor, 10) && !updatesAF && cd("AFFD") === 0n) {
    note(trace, "AF is 0, and neither HA nor AFFD is set: F_ACCESS", "§3.13");
    const why = "descriptor.AF is 0, and neither CD.HA nor CD.AFFD is 1";
    const fields = [field("descriptor.AF", 0), field("CD.HA", 0), field("CD.AFFD", 0)];
    fail({ type: "F_ACCESS", ...ABOUT }, { ...broken("DESCRIPTOR_ACCESS_FLAG", why, ...fields), at });
  }
  const isDirtyManaged = updatesAF && cd("HD") === 1n && bit(descriptor, 51);
  const control = {
    wxn: cd("WXN") === 1n,
    pan: cd("PAN") === 1n,
    epan: cd("EPAN") === 1n && implementation.idr3("EPAN"),
    hasUnprivileged: world !== "EL2",
  };
  const refusal = refusedBy({ ...found, isDirtyManaged }, control, input);
  if (refusal !== undefined) {
    note(trace, `${refusal.why}: F_PERMISSION`, "DDI 0487 D8.4");
    fail({ type: "F_PERMISSION", ...ABOUT }, refusal);
  }
  const withAF = updatesAF ? setBit(descriptor, 10) : descriptor;
  return input.access === "write" && isDirtyManaged ? clearBit(withAF, 7) : withAF;
}

function invalid(descriptor: bigint, { ipa, level }: Place): Broken {
  const type = bits(descriptor, 1, 0);
  const what = `bits 1:0 of the level ${level} descriptor${ipaOf(ipa)} are ${binary(type, 2)}`;
  const rest = type % 2n === 0n ? "it is not valid" : "that is reserved at this level";
  const rule = type % 2n === 0n ? "DESCRIPTOR_INVALID" : "DESCRIPTOR_TYPE";
  return broken(rule, `${what}: ${rest}`, field("descriptor[1:0]", type));
}

function tooFar(next: bigint, outputBits: number, { ipa, level }: Place): Broken {
  const why = `the address ${hex(next)} in the level ${level} descriptor${ipaOf(ipa)} has more than the ${outputBits} bits that addresses have here`;
  return broken("DESCRIPTOR_ADDRESS", why, field("descriptor.address", next), field("address bits", outputBits));
}

/** Undefined: it is reached without stage 2. */
function ipaOf(ipa: bigint | undefined): string {
  return ipa === undefined ? "" : ` at IPA ${hex(ipa)}`;
}

function sayWhat(kind: "invalid" | "table" | "leaf", next: bigint, isTooFar: boolean): string {
  if (kind === "invalid") return "it is not valid at this level: F_TRANSLATION";
  if (isTooFar) return `its address ${hex(next)} is outside the effective IPS: F_ADDR_SIZE`;
  return kind === "table" ? `the next table is at ${hex(next)}` : `a leaf at ${hex(next)}`;
}

function note(trace: Trace, why: string, section: string): void {
  trace.add({ structure: "stage 1", raw: [], fields: {}, why, section });
}
