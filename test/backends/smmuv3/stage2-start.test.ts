// Which S2T0SZ go with which S2SL0 and granule: the tables of DDI 0487 D8.2 (and IHI 0070G.b §5.2) row by row.
// Concatenation: up to 16 start tables, so four bits more than one table resolves.

import { describe, expect, test } from "vitest";
import { checkSTE, decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { at, stage2STE } from "../../support/smmuv3-tables.ts";

const [TG_4K, TG_64K, TG_16K] = [0, 1, 2];
const S2SL0_2 = at(1, 2); // bit 194
const S2DS = at(1, 3); // bit 195
/** OAS 52, all granules, DS, VAX 1 (§6.3.6). */
const WIDE = { idr5: 0x0010_04f6 };
const NO_STT = { idr3: IDS.idr3 & ~(1 << 9) };

/** The legal S2T0SZ as ranges, "16-24"; "none". */
function legalSizes(ids: Partial<typeof IDS>, tg: number, sl0: number, extra3 = 0n): string {
  const sizes = Array.from({ length: 64 }, (_, t0sz) => t0sz).filter((t0sz) => {
    const ste = decodeSTE(wordsOf(stage2STE(0, { t0sz, sl0, tg, extra3 })));
    return checkSTE(ste, { ...IDS, ...ids }) === undefined;
  });
  const [first, last] = [sizes[0], sizes.at(-1)];
  if (first === undefined || last === undefined) return "none";
  expect(sizes).toHaveLength(last - first + 1); // one range
  return `${first}-${last}`;
}

describe("48 bits, small tables (STT)", () => {
  test.each([
    ["4 KiB, S2SL0 2: level 0", TG_4K, 2, "16-24"],
    ["4 KiB, S2SL0 1: level 1, 25-33 and concatenated 21-24", TG_4K, 1, "21-33"],
    ["4 KiB, S2SL0 0: level 2, 34-42 and concatenated 30-33", TG_4K, 0, "30-42"],
    ["4 KiB, S2SL0 3: level 3, 43-48 and concatenated 39-42", TG_4K, 3, "39-48"],
    ["16 KiB, S2SL0 3: level 0, which S2DS alone has", TG_16K, 3, "none"],
    ["16 KiB, S2SL0 2: level 1, 17-27 and concatenated 16", TG_16K, 2, "16-27"],
    ["16 KiB, S2SL0 1: level 2, 28-38 and concatenated 24-27", TG_16K, 1, "24-38"],
    ["16 KiB, S2SL0 0: level 3, 39-48 and concatenated 35-38", TG_16K, 0, "35-48"],
    ["64 KiB, S2SL0 3: reserved", TG_64K, 3, "none"],
    ["64 KiB, S2SL0 2: level 1", TG_64K, 2, "16-21"],
    ["64 KiB, S2SL0 1: level 2, 22-34 and concatenated 18-21", TG_64K, 1, "18-34"],
    ["64 KiB, S2SL0 0: level 3, 35-47 and concatenated 31-34", TG_64K, 0, "31-47"],
  ])("%s", (_, tg, sl0, sizes) => {
    expect(legalSizes({}, tg, sl0)).toBe(sizes);
  });
});

test.each([
  ["4 KiB at level 0", TG_4K, 2, "16-24"],
  ["4 KiB at level 1", TG_4K, 1, "21-33"],
  ["4 KiB at level 2", TG_4K, 0, "30-39"],
  ["4 KiB at level 3", TG_4K, 3, "none"],
  ["16 KiB at level 3", TG_16K, 0, "35-39"],
  ["64 KiB at level 3", TG_64K, 0, "31-39"],
])("without STT 39 is the maximum: %s", (_, tg, sl0, sizes) => {
  expect(legalSizes(NO_STT, tg, sl0)).toBe(sizes);
});

describe("52 bits", () => {
  test.each([
    ["4 KiB, S2SL0_2, S2SL0 0: level -1", TG_4K, 0, S2DS | S2SL0_2, "12-15"],
    ["4 KiB, S2SL0_2 with another S2SL0: reserved", TG_4K, 1, S2DS | S2SL0_2, "none"],
    ["4 KiB, S2SL0 2: level 0, 16-24 and concatenated 12-15", TG_4K, 2, S2DS, "12-24"],
    ["16 KiB, S2SL0 3: level 0", TG_16K, 3, S2DS, "12-16"],
    ["16 KiB, S2SL0 2: level 1, 17-27 and concatenated 13-16", TG_16K, 2, S2DS, "13-27"],
    ["64 KiB, S2SL0 2: level 1", TG_64K, 2, 0n, "12-21"],
    ["64 KiB, S2SL0 2: level 1, S2DS is not for it", TG_64K, 2, S2DS, "12-21"],
    ["4 KiB without S2DS: from 16", TG_4K, 2, 0n, "16-24"],
    ["16 KiB without S2DS: no level 0", TG_16K, 3, 0n, "none"],
  ])("%s", (_, tg, sl0, extra3, sizes) => {
    expect(legalSizes(WIDE, tg, sl0, extra3)).toBe(sizes);
  });
});

describe("start levels that a small output size does not have", () => {
  test.each([
    ["4 KiB at level 0 with 42 bits", { idr5: 0x0010_0073 }, TG_4K, 2, 0n, "none"],
    ["4 KiB at level 0 with 44 bits", { idr5: 0x0010_0074 }, TG_4K, 2, 0n, "20-24"],
    ["16 KiB at level 1 with 40 bits", { idr5: 0x0010_0072 }, TG_16K, 2, 0n, "none"],
    ["16 KiB at level 1 with 42 bits", { idr5: 0x0010_0073 }, TG_16K, 2, 0n, "22-27"],
    ["64 KiB at level 1 with 42 bits", { idr5: 0x0010_0073 }, TG_64K, 2, 0n, "none"],
    ["64 KiB at level 1 with 44 bits", { idr5: 0x0010_0074 }, TG_64K, 2, 0n, "20-21"],
    ["16 KiB at level 0 with 48 bits, S2DS", { idr5: 0x0010_04f5 }, TG_16K, 3, S2DS, "none"],
  ])("%s", (_, ids, tg, sl0, extra3, sizes) => {
    expect(legalSizes(ids, tg, sl0, extra3)).toBe(sizes);
  });
});
