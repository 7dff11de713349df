import { expect, test } from "vitest";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { IDS } from "../../support/smmuv3-machine.ts";

test("QEMU's registers say what QEMU's SMMU has", () => {
  // QEMU 11.1, stage=nested: IDR0 0x0d44101b, IDR1 0x02730010, IDR3 0x1414, IDR5 0x74
  const features = featuresOf({ ...IDS, idr0: 0x0d44_101b, idr1: 0x0273_0010, idr3: 0x1414, idr5: 0x74 });
  expect(features).toMatchObject({
    stage1: true,
    stage2: true,
    aarch32: false,
    aarch64: true,
    httu: 0,
    hyp: false,
    asid16: true,
    vmid16: true,
    cd2l: false,
    ttendian: 2,
    stallModel: 1,
    termModel: 1,
    twoLevelStreamTable: true,
    sidBits: 16,
    ssidBits: 0,
    cmdqBitsMax: 19,
    eventqBitsMax: 19,
    had: true,
    xnx: true,
    ril: true,
    stt: false,
    oasBits: 44,
    iasBits: 44,
  });
  expect([...features.granules]).toEqual([12, 14, 16]);
});

test("AArch32 tables make the intermediate address at least 40 bits wide (§3.4)", () => {
  const both = { ...IDS, idr0: IDS.idr0 | 4, idr5: 0x71 };
  expect([featuresOf(both).oasBits, featuresOf(both).iasBits]).toEqual([36, 40]);
  expect(featuresOf({ ...both, idr0: (IDS.idr0 & ~0xc) | 4 }).iasBits).toBe(40);
});

test("addresses of 56 bits are not offered: they need 128-bit descriptors", () => {
  expect(featuresOf({ ...IDS, idr5: 0x77 }).oasBits).toBe(52);
});

test("the same registers are decoded once", () => {
  expect(featuresOf(IDS)).toBe(featuresOf(IDS));
});
