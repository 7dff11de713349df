// The shape of translation tables: which bits of an input address index which level, what a descriptor's address is.
// Source: Arm ARM DDI 0487 D8.2, D8.3; IHI 0070G.b §3.4.

import { aligned, bit, bits, pow2 } from "./bits.ts";

export interface Format {
  /** 12, 14 or 16. */
  readonly pageBits: number;
  /** 52-bit descriptors of the 4 KiB and 16 KiB granules. */
  readonly ds: boolean;
  /** The SMMU has 52-bit addresses, which the 64 KiB granule puts into bits [15:12]. */
  readonly isPA52: boolean;
}

/** Lowest address bit that an index at `level` resolves. */
export function lowBit(format: Format, level: number): number {
  return format.pageBits + (3 - level) * (format.pageBits - 3);
}

/** Where a stage 1 walk of `inputBits` starts: as few levels as resolve them all. */
export function stage1StartLevel(format: Format, inputBits: number): number {
  let level = 3;
  while (lowBit(format, level) + (format.pageBits - 3) < inputBits) level -= 1;
  return level;
}

/** Byte offset of the descriptor for `input` in the table at `level`; `topBit` bounds the index at the start level. */
export function descriptorOffset(format: Format, level: number, input: bigint, topBit: number): bigint {
  return bits(input, topBit - 1, lowBit(format, level)) * 8n;
}

/**
 * log2 of what the start table is aligned to: its bytes, concatenation included, and 64 at least where output is 52 bits.
 * Source: §5.4 TTB0, §5.2 S2TTB; DDI 0487 D8.2.
 */
export function startTableBits(format: Format, level: number, inputBits: number, outputBits: number): number {
  return Math.max(inputBits - lowBit(format, level) + 3, outputBits === 52 ? 6 : 4);
}

/** What a valid descriptor at `level` is. */
export function kindOf(format: Format, level: number, descriptor: bigint): "invalid" | "table" | "leaf" {
  if (!bit(descriptor, 0)) return "invalid";
  if (bit(descriptor, 1)) return level === 3 ? "leaf" : "table";
  return hasBlocks(format, level) ? "leaf" : "invalid";
}

function hasBlocks({ pageBits, ds, isPA52 }: Format, level: number): boolean {
  if (level === 2) return true;
  if (pageBits === 12) return level === 1 || (level === 0 && ds);
  return level === 1 && (pageBits === 14 ? ds : isPA52);
}

/** The output address or next table a descriptor holds, aligned to 2^lowBits. */
export function addressIn({ pageBits, ds, isPA52 }: Format, descriptor: bigint, lowBits: number): bigint {
  const low = aligned(bits(descriptor, 47, 0), lowBits);
  if (pageBits === 16) return isPA52 ? low + bits(descriptor, 15, 12) * pow2(48) : low;
  return ds ? low + bits(descriptor, 49, 48) * pow2(48) + bits(descriptor, 9, 8) * pow2(50) : low;
}
