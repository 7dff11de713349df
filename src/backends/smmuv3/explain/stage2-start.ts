// Which S2SL0, S2T0SZ and S2TG go together, and where the walk then starts.
// Source: IHI 0070G.b §5.2 (S2T0SZ, S2SL0); Arm ARM DDI 0487 D8.2.

import type { STE } from "../../../spec/ste.ts";
import type { Implementation } from "./implementation.ts";

interface StartRow {
  readonly pageBits: number;
  readonly s2sl0: number;
  readonly s2sl0_2: number;
  readonly level: number;
  /** S2T0SZ from the largest concatenation to the smallest table. */
  readonly from: number;
  readonly to: number;
  readonly needs?: "DS" | "STT";
  /** Output address bits without which so high a start is reserved. */
  readonly oas?: number;
}

/** The legal rows, line for line; a T0SZ that needs DS, STT or 52 bits is also held to its bounds below. */
const ROWS: readonly StartRow[] = [
  { pageBits: 12, s2sl0: 0, s2sl0_2: 1, level: -1, from: 12, to: 15, needs: "DS" },
  { pageBits: 12, s2sl0: 2, s2sl0_2: 0, level: 0, from: 12, to: 24, oas: 44 }, // below 16 concatenated, with DS
  { pageBits: 12, s2sl0: 1, s2sl0_2: 0, level: 1, from: 21, to: 33 },
  { pageBits: 12, s2sl0: 0, s2sl0_2: 0, level: 2, from: 30, to: 42 },
  { pageBits: 12, s2sl0: 3, s2sl0_2: 0, level: 3, from: 39, to: 48, needs: "STT" },
  { pageBits: 14, s2sl0: 3, s2sl0_2: 0, level: 0, from: 12, to: 16, needs: "DS", oas: 52 },
  { pageBits: 14, s2sl0: 2, s2sl0_2: 0, level: 1, from: 13, to: 27, oas: 42 },
  { pageBits: 14, s2sl0: 1, s2sl0_2: 0, level: 2, from: 24, to: 38 },
  { pageBits: 14, s2sl0: 0, s2sl0_2: 0, level: 3, from: 35, to: 48 },
  { pageBits: 16, s2sl0: 2, s2sl0_2: 0, level: 1, from: 12, to: 21, oas: 44 },
  { pageBits: 16, s2sl0: 1, s2sl0_2: 0, level: 2, from: 18, to: 34 },
  { pageBits: 16, s2sl0: 0, s2sl0_2: 0, level: 3, from: 31, to: 47 },
];

type Reader = (name: keyof typeof STE) => bigint;

/** log2 of the granule; 0 is the reserved encoding. */
export function stage2PageBits(ste: Reader): number {
  return [12, 16, 14, 0][Number(ste("S2TG"))] ?? 0;
}

/** S2DS is RES0 without IDR5.DS and has no meaning for 64 KiB. */
export function isStage2DS(ste: Reader, implementation: Implementation): boolean {
  return implementation.ds && ste("S2DS") === 1n && stage2PageBits(ste) !== 16;
}

function rowOf(ste: Reader, implementation: Implementation): StartRow | undefined {
  const pageBits = stage2PageBits(ste);
  const ds = isStage2DS(ste, implementation);
  const high = ds && pageBits === 12 ? Number(ste("S2SL0_2")) : 0; // the third bit exists for 4 KiB with DS only
  return ROWS.find(
    (row) =>
      row.pageBits === pageBits &&
      row.s2sl0 === Number(ste("S2SL0")) &&
      row.s2sl0_2 === high &&
      implementation.oas >= (row.oas ?? 0) &&
      (row.needs !== "DS" || ds) &&
      (row.needs !== "STT" || implementation.idr3("STT")),
  );
}

export function isStage2StartLegal(ste: Reader, implementation: Implementation): boolean {
  const row = rowOf(ste, implementation);
  const t0sz = Number(ste("S2T0SZ"));
  const is64K = stage2PageBits(ste) === 16;
  const smallest = is64K || isStage2DS(ste, implementation) ? 12 : 16;
  const min = Math.max(smallest, 64 - implementation.ias);
  const max = implementation.idr3("STT") ? (is64K ? 47 : 48) : 39;
  return row !== undefined && t0sz >= min && t0sz <= max && t0sz >= row.from && t0sz <= row.to;
}

/** The caller has found the STE legal. */
export function stage2StartLevel(ste: Reader, implementation: Implementation): number {
  return rowOf(ste, implementation)?.level ?? 3;
}
