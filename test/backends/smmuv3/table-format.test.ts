// Start level and geometry by TxSZ, as the tables of DDI 0487 D8.2 have them.
import { describe, expect, test } from "vitest";
import { decodeCD } from "../../../src/backends/smmuv3/cd.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { stage1Format, stage2Format } from "../../../src/backends/smmuv3/table-format.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { joinNumber } from "../../../src/spec/u64.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, stage2STE } from "../../support/smmuv3-tables.ts";

const FEATURES = featuresOf(IDS);
const FEATURES_52 = featuresOf({ ...IDS, idr5: 0x0010_04f6 }); // OAS 52, DS, VAX 1
const [TG_4K, TG_64K, TG_16K] = [0, 1, 2];

describe("stage 1 start level and index bits", () => {
  test.each([
    ["4K", TG_4K, 16, 0, 9],
    ["4K", TG_4K, 24, 0, 1],
    ["4K", TG_4K, 25, 1, 9],
    ["4K", TG_4K, 33, 1, 1],
    ["4K", TG_4K, 34, 2, 9],
    ["4K", TG_4K, 42, 2, 1],
    ["4K", TG_4K, 43, 3, 9],
    ["4K", TG_4K, 48, 3, 4],
    ["16K", TG_16K, 16, 0, 1],
    ["16K", TG_16K, 17, 1, 11],
    ["16K", TG_16K, 28, 2, 11],
    ["16K", TG_16K, 39, 3, 11],
    ["64K", TG_64K, 16, 1, 6],
    ["64K", TG_64K, 21, 1, 1],
    ["64K", TG_64K, 22, 2, 13],
    ["64K", TG_64K, 35, 3, 13],
    ["64K", TG_64K, 47, 3, 1],
  ])("%s (TG0=%i), T0SZ %i: level %i, %i bits", (_, tg0, t0sz, level, bits) => {
    const format = stage1Format(decodeCD(wordsOf(contextDescriptor(0, { tg0, t0sz }))), 0, FEATURES);
    expect([format.startLevel, format.startIndexBits, format.inputBits]).toEqual([level, bits, 64 - t0sz]);
  });

  test("52 bits with 4K start at level -1 with four bits; the table is aligned to 64 bytes at least", () => {
    const cd = decodeCD(
      wordsOf(
        [...contextDescriptor(0x4000_0030, { t0sz: 12, ips: 6 })].map((word, index) =>
          index === 2 ? word | at(1, 58) : word,
        ),
      ),
    );
    const format = stage1Format(cd, 0, FEATURES_52); // DS, bit 186
    expect([format.startLevel, format.startIndexBits, format.ds, format.blockLevels]).toEqual([-1, 4, true, 0b111]);
    expect([format.baseHi, format.baseLo, format.outputBits]).toEqual([0, 0x4000_0000, 52]);
  });

  test("64K descriptors hold 52 bits wherever the OAS does", () => {
    const cd = decodeCD(wordsOf(contextDescriptor(0, { tg0: TG_64K, t0sz: 22, ips: 6 })));
    expect(stage1Format(cd, 0, FEATURES_52)).toMatchObject({ wide64k: true, blockLevels: 0b110 });
    expect(stage1Format(cd, 0, FEATURES)).toMatchObject({ wide64k: false, blockLevels: 0b100, outputBits: 48 });
  });
});

describe("stage 2 start level, with concatenated tables", () => {
  test.each([
    ["4K, 16 tables at level 1", TG_4K, 1, 21, 1, 13],
    ["4K, level 0", TG_4K, 2, 16, 0, 9],
    ["4K, 16 tables at level 2", TG_4K, 0, 30, 2, 13],
    ["4K, level 3 (small tables)", TG_4K, 3, 43, 3, 9],
    ["16K, 2 tables at level 1", TG_16K, 2, 16, 1, 12],
    ["16K, level 2", TG_16K, 1, 28, 2, 11],
    ["64K, 16 tables at level 2", TG_64K, 1, 18, 2, 17],
    ["64K, level 3", TG_64K, 0, 35, 3, 13],
  ])("%s", (_, tg, sl0, t0sz, level, bits) => {
    const format = stage2Format(decodeSTE(wordsOf(stage2STE(0x4fff_fff0, { tg, sl0, t0sz }))), FEATURES);
    expect([format.startLevel, format.startIndexBits]).toEqual([level, bits]);
    expect(joinNumber(format.baseHi, format.baseLo) % (8 * 2 ** bits)).toBe(0);
  });

  test("S2SL0_2 with S2DS starts at level -1", () => {
    const ste = stage2STE(0, { t0sz: 12, sl0: 0, ps: 6, extra3: at(3, 2) }); // S2SL0_2 194, S2DS 195
    expect(stage2Format(decodeSTE(wordsOf(ste)), FEATURES_52)).toMatchObject({ startLevel: -1, startIndexBits: 4 });
  });
});
