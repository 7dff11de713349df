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
import { allows, NO_LIMITS, narrowed, type TableLimits } from "./rights.ts";
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
  const { trace, implementation, cd, world, stage2 } = parts;
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
    const pa = stage2 === undefined ? at : stage2(at, { class: "TTD", access: "read", privileged: false }).pa;
    const memory = trace.read64(pa);
    if (memory === undefined) {
      note(trace, `the level ${level} descriptor at ${hex(at)} cannot be read: F_WALK_EABT`, "§7.3.12");
      return fail({ type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: Number(pa) });
    }
    const descriptor = isBig ? swapBytes(memory) : memory;
    const kind = kindOf(format, level, descriptor);
    const low = lowBit(format, level);
    const next = addressIn(format, descriptor, kind === "table" ? format.pageBits : low);
    const isTooFar = kind !== "invalid" && next >= pow2(outputBits);
    trace.add({
      structure: `stage 1 level ${level} descriptor`,
      pa,
      ...(stage2 === undefined ? {} : { ipa: at }),
      raw: [descriptor],
      fields: fieldsOf([descriptor], kind === "table" ? S1_TABLE : S1_LEAF),
      why: sayWhat(kind, next, isTooFar),
      section: "§3.4, DDI 0487 D8.3",
    });
    if (kind === "invalid") fail({ type: "F_TRANSLATION", ...ABOUT });
    if (isTooFar) fail({ type: "F_ADDR_SIZE", ...ABOUT });
    const update = (value: bigint): void => {
      const target = stage2 === undefined ? pa : stage2(at, { class: "TTD", access: "write", privileged: false }).pa;
      trace.update(target, isBig ? swapBytes(value) : value);
      note(trace, `the hardware updates the descriptor to ${hex(value)}`, "§3.13");
    };
    if (kind === "table") {
      if (marksTables && !bit(descriptor, 10)) update(setBit(descriptor, 10));
      table = next;
      topBit = low;
      if (!half.isHierarchyIgnored) limits = narrowed(limits, descriptor);
      continue;
    }
    const updated = leafDescriptor(parts, input, descriptor, limits, world);
    if (updated !== descriptor) update(updated);
    const tableSH = format.ds ? half.sh : undefined;
    return { address: next + bits(input.iova, low - 1, 0), pageBytes: pow2(low), leaf: descriptor, tableSH };
  }
}

/** The half of the address space that the address lies in; or F_TRANSLATION. Source: §3.4.1, §5.4 TBI, EPD, E0PD. */
function selectHalf(parts: Parts, { iova, privileged }: Stage1Input): Half {
  const { trace, cd, implementation, world } = parts;
  const isHigh = world !== "EL2" && bit(iova, 55);
  const half = halfOf(cd, implementation, world, isHigh ? 1 : 0);
  const top = half.isTopByteIgnored ? 55 : 63;
  const low = 64 - half.tsz;
  const refuse = (why: string): never => {
    note(trace, `${why}: F_TRANSLATION`, "§3.4, §5.4");
    return fail({ type: "F_TRANSLATION", ...ABOUT });
  };
  if (half.isDisabled) return refuse("walks through this half are disabled by EPD");
  const upper = top < low ? 0n : bits(iova, top, low);
  const wanted = isHigh ? pow2(top - low + 1) - 1n : 0n;
  if (upper !== wanted) return refuse(`${hex(iova)} is outside the ${low} bits of this half`);
  if (world !== "EL2" && half.refusesUnprivileged && !privileged) return refuse("E0PD refuses unprivileged accesses");
  note(trace, `${hex(iova)} goes through TTB${isHigh ? 1 : 0}`, "§3.4, §5.4");
  return half;
}

/** Access flag and permission of a leaf, and what the hardware makes of it. Source: §3.13; DDI 0487 D8.4. */
function leafDescriptor(
  { trace, implementation, cd }: Parts,
  input: Stage1Input,
  descriptor: bigint,
  limits: TableLimits,
  world: StreamWorld,
): bigint {
  const updatesAF = cd("HA") === 1n;
  if (!bit(descriptor, 10) && !updatesAF && cd("AFFD") === 0n) {
    note(trace, "AF is 0, and neither HA nor AFFD is set: F_ACCESS", "§3.13");
    fail({ type: "F_ACCESS", ...ABOUT });
  }
  const isDirtyManaged = updatesAF && cd("HD") === 1n && bit(descriptor, 51);
  const effective = isDirtyManaged ? clearBit(descriptor, 7) : descriptor;
  const control = {
    wxn: cd("WXN") === 1n,
    pan: cd("PAN") === 1n,
    epan: cd("EPAN") === 1n && implementation.idr3("EPAN"),
    hasUnprivileged: world !== "EL2",
  };
  if (!allows(effective, limits, control, input)) {
    note(trace, `the leaf refuses this ${input.access}: F_PERMISSION`, "DDI 0487 D8.4");
    fail({ type: "F_PERMISSION", ...ABOUT });
  }
  const withAF = updatesAF ? setBit(descriptor, 10) : descriptor;
  return input.access === "write" && isDirtyManaged ? clearBit(withAF, 7) : withAF;
}

function sayWhat(kind: "invalid" | "table" | "leaf", next: bigint, isTooFar: boolean): string {
  if (kind === "invalid") return "it is not valid at this level: F_TRANSLATION";
  if (isTooFar) return `its address ${hex(next)} is outside the effective IPS: F_ADDR_SIZE`;
  return kind === "table" ? `the next table is at ${hex(next)}` : `a leaf at ${hex(next)}`;
}

function note(trace: Trace, why: string, section: string): void {
  trace.add({ structure: "stage 1", raw: [], fields: {}, why, section });
}
