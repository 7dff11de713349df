import { expect, test } from "vitest";
import { newSmmuCounters } from "../../../src/backends/smmuv3/counters.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { NestedPath } from "../../../src/backends/smmuv3/nested.ts";
import { Stage2, stage2Config } from "../../../src/backends/smmuv3/stage2.ts";
import { decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { Tlb } from "../../../src/backends/smmuv3/tlb.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS, Machine } from "../../support/smmuv3-machine.ts";
import { LEAF, nestedSTE, stage1STE, stage2STE } from "../../support/smmuv3-tables.ts";

test("a descriptor's address goes straight through without stage 2, and by way of its tables with it", () => {
  const machine = new Machine();
  const table = machine.allocate();
  machine.map(table, 0x5000, 0x4800_0000, LEAF.AF | LEAF.S2_READ | LEAF.S2_NORMAL);
  const path = new NestedPath(new Stage2(machine.memory, newSmmuCounters(), new Tlb(16), new Tlb(16)));
  expect(path.locate(0, 0x5008, true) && path.lo).toBe(0x5008);
  const ste = decodeSTE(wordsOf(nestedSTE(stage1STE(0), stage2STE(table))));
  path.config = stage2Config(ste, 1, featuresOf(IDS));
  expect(path.locate(0, 0x5008, false) && path.lo).toBe(0x4800_0008);
  expect(path.locate(0, 0x5008, true)).toBe(false); // a read-only page cannot take an update
  expect(path.fault).toEqual({ type: "F_PERMISSION", stage: 2, class: "TTD", ipa: 0x5008, tableRead: false });
  expect(path.locate(0, 0x6000, false)).toBe(false);
  expect(path.fault).toEqual({ type: "F_TRANSLATION", stage: 2, class: "TTD", ipa: 0x6000 });
});
