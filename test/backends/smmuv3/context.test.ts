import { expect, test } from "vitest";
import { decodeCD } from "../../../src/backends/smmuv3/cd.ts";
import { type ContextSetting, contextConfig } from "../../../src/backends/smmuv3/context.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor } from "../../support/smmuv3-tables.ts";

/** PAN 40, EPAN 123, E0PD0 66, HA and HD [43:42]. */
const CD = decodeCD(
  wordsOf(contextDescriptor(0, { asid: 0x1234, ttb1: 0, extra0: at(1, 40) | at(3, 42), extra1: at(1, 2) | at(1, 59) })),
);

function config(setting: Partial<ContextSetting>, ids: Partial<typeof IDS> = {}) {
  return contextConfig(CD, { world: "EL1", vmid: 5, isNested: false, ...setting }, featuresOf({ ...IDS, ...ids }));
}

test("EL1 and EL2-E2H have two halves and an ASID; EL2 has neither, nor PAN and E0PD", () => {
  const [el1, e2h, el2] = (["EL1", "EL2-E2H", "EL2"] as const).map((world) => config({ world }));
  expect([el1, e2h, el2].map((each) => each?.halves.length)).toEqual([2, 2, 1]);
  expect([el1, e2h, el2].map((each) => each?.tag)).toEqual([0x1234_0005, 0x1234_0005, 5]);
  expect([el1, e2h, el2].map((each) => each?.controls.pan)).toEqual([true, true, false]);
  expect([el1, e2h, el2].map((each) => each?.halves[0]?.e0pd)).toEqual([true, true, false]);
});

test("TLB keys tell StreamWorlds apart, and nested from not", () => {
  const keys = (["EL1", "EL2-E2H", "EL2"] as const).flatMap((world) =>
    [false, true].map((isNested) => config({ world, isNested }).key),
  );
  expect(new Set(keys).size).toBe(6);
});

test("features that are not implemented have no effect", () => {
  const bare = config({}, { idr0: IDS.idr0 & ~0xc0, idr3: 0 });
  expect(bare).toMatchObject({ ha: false, hd: false, controls: { pan: true, epan: false } });
  expect(bare.halves[0]?.e0pd).toBe(false);
  expect(config({}, { idr0: IDS.idr0 | 0x40 })).toMatchObject({ ha: true, hd: false });
  expect(config({}, { idr0: IDS.idr0 | 0x80 })).toMatchObject({ ha: true, hd: true });
});

test("each half has the attributes of its leaves; with DS their shareability is CD.SHx (§5.4)", () => {
  // MAIR0 as Linux writes it: NC, WB, Device-nGnRE, inner NC with outer WB; SH0 [13:12] Outer, SH1 [29:28] Inner; DS 186
  const words = contextDescriptor(0, { ttb1: 0, extra0: at(2, 12) | at(3, 28) });
  const wide = featuresOf({ ...IDS, idr5: 0x0010_00f6 });
  const setting: ContextSetting = { world: "EL1", vmid: 0, isNested: false };
  words[3] = 0xf404_ff44n;
  const plain = contextConfig(decodeCD(wordsOf(words)), setting, wide);
  words[2] |= at(1, 58);
  const ds = contextConfig(decodeCD(wordsOf(words)), setting, wide);
  // AttrIndx 0 to 3 under SH 11 (index 24 on), as a MAIR byte below SH: what is not cacheable is Outer Shareable
  const seen = (half: (typeof plain.halves)[number] | undefined): unknown => [
    ...(half?.attributes.slice(24, 28) ?? []),
  ];
  expect(plain.halves.map(seen)).toEqual([
    [0x244, 0x3ff, 0x204, 0x3f4],
    [0x244, 0x3ff, 0x204, 0x3f4],
  ]);
  expect(ds.halves.map(seen)).toEqual([
    [0x244, 0x2ff, 0x204, 0x2f4],
    [0x244, 0x3ff, 0x204, 0x3f4],
  ]);
});
