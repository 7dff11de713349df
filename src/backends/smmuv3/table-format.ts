// One stage's translation tables, boiled down to what the walker needs on each level.
// Made once when an STE or CD is decoded; the walker itself knows nothing of TxSZ, SL0 or IPS.
// Source: IHI 0070G.b §5.2, §5.4; DDI 0487 D8.2 (geometry), D8.3 (descriptors).

import { TG0_PAGE_BITS } from "../../spec/encodings.ts";
import { alignDown, hi32, low32 } from "../../spec/u64.ts";
import { type DecodedCD, effectiveDS, stage1OutputBits } from "./cd.ts";
import type { Features } from "./id-registers.ts";
import { type DecodedSTE, effectiveS2DS, stage2OutputBits, stage2StartLevel, stage2Table } from "./ste.ts";

/** How a table of one stage is walked. */
export interface TableFormat {
  readonly pageBits: number;
  /** Bits of the input address, 64 - TxSZ. */
  readonly inputBits: number;
  /** -1 to 3. */
  readonly startLevel: number;
  /** Index bits of the first level, concatenated tables included. */
  readonly startIndexBits: number;
  /** Address of the first level, aligned to its size: bits [51:32] and, signed, [31:0]. */
  readonly baseHi: number;
  readonly baseLo: number;
  /** Addresses of more bits are an Address Size fault; 32 to 52. */
  readonly outputBits: number;
  /** 52-bit descriptors of the 4 KiB and 16 KiB granules (DS): address[51:50] in bits [9:8]. */
  readonly ds: boolean;
  /** 52-bit descriptors of the 64 KiB granule: address[51:48] in bits [15:12]. */
  readonly wide64k: boolean;
  /** Bit n is set when a block is allowed at level n. */
  readonly blockLevels: number;
  readonly bigEndian: boolean;
  /** Table descriptors restrict what is below them (stage 1 with HAD=0). */
  readonly hierarchical: boolean;
  /** Little-endian 4 KiB tables of 48 bits, none concatenated, whose Table descriptors do nothing but lead on. */
  readonly isPlain: boolean;
  /** The walker sets the Access flag of Table descriptors. */
  readonly haft: boolean;
}

interface Shape {
  readonly pageBits: number;
  readonly inputBits: number;
  readonly startLevel: number;
  readonly table: number;
  readonly outputBits: number;
  readonly ds: boolean;
  readonly bigEndian: boolean;
  readonly hierarchical: boolean;
  readonly haft: boolean;
}

/** Tables of one half of a legal CD. */
export function stage1Format(cd: DecodedCD, index: 0 | 1, features: Features): TableFormat {
  const half = cd.halves[index];
  const inputBits = 64 - half.TxSZ;
  const levels = Math.ceil((inputBits - half.pageBits) / (half.pageBits - 3));
  return build(
    {
      pageBits: half.pageBits,
      inputBits,
      startLevel: 4 - levels,
      table: half.TTBx,
      outputBits: stage1OutputBits(cd, features),
      ds: effectiveDS(cd, half, features),
      bigEndian: cd.ENDI === 1,
      hierarchical: !(features.had && half.HADx === 1),
      haft: features.httu === 3 && cd.HAFT === 1 && cd.HA === 1,
    },
    features,
  );
}

/** Stage 2 tables of a legal STE. */
export function stage2Format(ste: DecodedSTE, features: Features): TableFormat {
  return build(
    {
      pageBits: TG0_PAGE_BITS[ste.S2TG]!,
      inputBits: 64 - ste.S2T0SZ,
      startLevel: stage2StartLevel(ste, features) ?? 3,
      table: stage2Table(ste),
      outputBits: stage2OutputBits(ste, features),
      ds: effectiveS2DS(ste, features),
      bigEndian: ste.S2ENDI === 1,
      hierarchical: false,
      haft: features.httu === 3 && ste.S2HAFT === 1 && ste.S2HA === 1,
    },
    features,
  );
}

function build(shape: Shape, features: Features): TableFormat {
  const stride = shape.pageBits - 3;
  const startIndexBits = shape.inputBits - shape.pageBits - (3 - shape.startLevel) * stride;
  const wide64k = shape.pageBits === 16 && features.oasBits >= 52;
  // 64-byte alignment is imposed where 52-bit output is configured (§5.4 TTB0, §5.2 S2TTB)
  const alignBits = Math.max(startIndexBits + 3, shape.outputBits >= 52 ? 6 : 4);
  const isSpecial = shape.ds || shape.bigEndian || shape.hierarchical || shape.haft;
  const base = alignDown(shape.table, alignBits);
  return Object.freeze({
    pageBits: shape.pageBits,
    inputBits: shape.inputBits,
    startLevel: shape.startLevel,
    startIndexBits,
    baseHi: hi32(base),
    baseLo: low32(base),
    outputBits: shape.outputBits,
    ds: shape.ds,
    wide64k,
    blockLevels: blockLevels(shape.pageBits, shape.ds, wide64k),
    bigEndian: shape.bigEndian,
    hierarchical: shape.hierarchical,
    isPlain: shape.pageBits === 12 && shape.startLevel >= 0 && startIndexBits <= 9 && !isSpecial,
    haft: shape.haft,
  });
}

/** Levels that may hold a block, one bit each. Source: DDI 0487 D8.3.1. */
function blockLevels(pageBits: number, ds: boolean, wide64k: boolean): number {
  if (pageBits === 12) return ds ? 0b111 : 0b110;
  if (pageBits === 14) return ds ? 0b110 : 0b100;
  return wide64k ? 0b110 : 0b100;
}
