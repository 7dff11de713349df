// Bytes laid out by hand after include/uapi/linux/iommufd.h; register values as emulated IOMMUs of QEMU 11.1 gave them to
// Linux 7.3, and their features as QEMU was told to have them.

import { describe, expect, test } from "vitest";
import { decodeHwInfo, forcesWriteBack, type Hardware, iommuFacts } from "../../../src/backends/iommufd/hw-info.ts";
import { amdFeatures, vtdFeatures } from "../../../src/backends/iommufd/x86-registers.ts";

/** Little-endian words. */
function bytes(...words: readonly number[]): Uint8Array {
  const data = new DataView(new ArrayBuffer(4 * words.length));
  for (const [index, word] of words.entries()) data.setUint32(4 * index, word, true);
  return new Uint8Array(data.buffer);
}

/** flags, reserved, idr0…5, iidr, aidr. */
const ARM = bytes(0, 0, 0x0d44_101b, 0x0273_0010, 0, 0x0000_1414, 0, 0x0000_0074, 0, 1);
/** flags, reserved, CAP, ECAP. intel-iommu,scalable-mode=on,fsts=on,pasid-bits=20,svm=on,device-iotlb=on */
const VTD_FIRST_STAGE = bytes(1, 0, 0x222f_0606, 0x81d2_008c, 0x20f0_0f4e, 0x0000_8d9a);
/** intel-iommu,scalable-mode=on,snoop-control=on */
const VTD_SECOND_STAGE = bytes(1, 0, 0x222f_0606, 0x80d2_008c, 0x80f0_0fca, 0x0000_4800);
/** efr, efr2. amd-iommu,dma-remap=on,intremap=on,xtsup=on */
const AMD = bytes(0x29d7, 0, 0, 0);

const SMMU = decodeHwInfo({ type: 2, data: ARM });

describe("Arm", () => {
  test("an SMMUv3's registers stand where the kernel's header has them", () => {
    expect(SMMU).toEqual({
      kind: "smmuv3",
      registers: {
        idr0: 0x0d44_101b,
        idr1: 0x0273_0010,
        idr2: 0,
        idr3: 0x1414,
        idr4: 0,
        idr5: 0x74,
        idr6: 0,
        iidr: 0,
        aidr: 1,
      },
    });
  });

  test("stage 2 is as wide as OAS, 44 bits, in 4 KiB pages and their blocks", () => {
    expect(iommuFacts(SMMU)).toMatchObject({
      ipaBits: 44,
      stage2PageBytes: [0x1000, 0x20_0000, 0x4000_0000],
      nesting: { supported: true },
    });
  });

  test("nesting needs both stages, and the kernel's consent", () => {
    const refused = iommuFacts(SMMU, "neither CANWBS nor S2FWB");
    expect(refused.nesting).toEqual({ supported: false, reason: "neither CANWBS nor S2FWB" });
    const stage2 = decodeHwInfo({ type: 2, data: bytes(0, 0, 0x0d44_1019, 0, 0, 0, 0, 0x75, 0, 1) }); // S1P (bit 1) is 0
    expect(iommuFacts(stage2).nesting).toMatchObject({ reason: expect.stringContaining("IDR0.S1P") });
  });

  test("64 KiB pages alone; 52 bits of OAS are 48 without a kernel of 64 KiB pages", () => {
    const large = decodeHwInfo({ type: 2, data: bytes(0, 0, 3, 0, 0, 0, 0, 0x46, 0, 1) });
    expect(iommuFacts(large)).toMatchObject({ ipaBits: 48, stage2PageBytes: [0x1_0000, 0x2000_0000] });
  });

  test("S2FWB is IDR3 bit 8", () => {
    expect(SMMU.kind === "smmuv3" && forcesWriteBack(SMMU.registers)).toBe(false);
    expect(SMMU.kind === "smmuv3" && forcesWriteBack({ ...SMMU.registers, idr3: 0x1514 })).toBe(true);
  });
});

describe("VT-d", () => {
  test("first stage only: 20-bit PASIDs, 48 bits, and no nesting", () => {
    const hardware = decodeHwInfo({ type: 1, data: VTD_FIRST_STAGE });
    expect(hardware).toEqual({
      kind: "vtd",
      cap: 0x81d2_008c_222f_0606n,
      ecap: 0x0000_8d9a_20f0_0f4en,
      hasErratum: true,
    });
    expect(vtdFeatures(0x81d2_008c_222f_0606n, 0x0000_8d9a_20f0_0f4en)).toEqual({
      nests: false,
      isScalable: true,
      firstStage: true,
      secondStage: false,
      ipaBits: 48,
      stage2PageBytes: [0x1000, 0x20_0000, 0x4000_0000],
      pasidBits: 20,
      fiveLevels: false,
      supervisor: false,
      extendedAccess: false,
    });
  });

  test("second stage only", () => {
    expect(decodeHwInfo({ type: 1, data: VTD_SECOND_STAGE })).toMatchObject({ ecap: 0x0000_4800_80f0_0fcan });
    expect(vtdFeatures(0x80d2_008c_222f_0606n, 0x0000_4800_80f0_0fcan)).toMatchObject({
      nests: false,
      firstStage: false,
      secondStage: true,
      pasidBits: 0,
    });
  });

  // ECAP: NEST 26, SMTS 43, SSTS 46, FSTS 47.
  const NESTING: Hardware = {
    kind: "vtd",
    cap: 0x81d2_008c_222f_0606n,
    ecap: (1n << 26n) | (1n << 43n) | (1n << 46n) | (1n << 47n),
    hasErratum: false,
  };

  test("nesting is served for who asks for it, and where the hardware has none that is the reason", () => {
    const refused = { supported: false, reason: expect.stringContaining("native.experimental_vtd_nesting") };
    expect(iommuFacts(NESTING).nesting).toEqual(refused);
    expect(iommuFacts(NESTING).pageTables).toBeUndefined();
    const without = decodeHwInfo({ type: 1, data: VTD_SECOND_STAGE });
    expect(iommuFacts(without).nesting).toMatchObject({ reason: expect.stringContaining("NEST") });
    expect(iommuFacts(without, undefined, { vtdNesting: true })).toMatchObject({ nesting: { supported: false } });
  });

  // CAP.FS5LP 60, ECAP.SRS 31, ECAP.EAFS 34 (VT-d §11.4.2, §11.4.3).
  test.each([
    [0n, 0n, { addressBits: [48], rootBits: 48, sre: false, eafe: false }],
    [1n << 60n, 0n, { addressBits: [48, 57], rootBits: 48, sre: false, eafe: false }],
    [0n, 1n << 31n, { addressBits: [48], rootBits: 48, sre: true, eafe: false }],
    [0n, 1n << 34n, { addressBits: [48], rootBits: 48, sre: false, eafe: true }],
  ])("a first-stage table is as wide as CAP and ECAP say: %x, %x", (cap, ecap, form) => {
    if (NESTING.kind !== "vtd") throw new Error("no VT-d");
    const hardware = { ...NESTING, cap: NESTING.cap | cap, ecap: NESTING.ecap | ecap };
    const facts = iommuFacts(hardware, undefined, { vtdNesting: true });
    expect(facts.nesting).toEqual({ supported: true });
    expect(facts.pageTables).toEqual({ ...form, unverified: expect.stringContaining("no emulated VT-d nests") });
  });

  test.each([26n, 43n, 46n, 47n])("nesting is not possible without ECAP bit %d", (bit) => {
    const ecap = NESTING.kind === "vtd" ? NESTING.ecap & ~(1n << bit) : 0n;
    expect(vtdFeatures(0x222f_0606n, ecap).nests).toBe(false);
  });

  test("MGAW narrows what the tables could reach; three levels reach 39 bits", () => {
    // SAGAW (12:8) 0b00100: four levels; MGAW (21:16) 38: 39 bits.
    expect(vtdFeatures(0x26_0400n, 0n).ipaBits).toBe(39);
    expect(vtdFeatures(0x2f_0200n, 0n).ipaBits).toBe(39);
    expect(vtdFeatures(0x38_0800n, 0n).ipaBits).toBe(57);
    expect(vtdFeatures(0x2f_0400n, 0n).stage2PageBytes).toEqual([4096]);
  });

  test("its registers are told raw and decoded, and it has none of an SMMUv3", () => {
    const facts = iommuFacts(decodeHwInfo({ type: 1, data: VTD_FIRST_STAGE }));
    expect(facts.registers).toBeUndefined();
    const other = facts.otherHardware;
    if (other?.kind !== "vtd") throw new Error("no VT-d");
    expect(other.raw).toEqual([
      { register: "CAP", value: 0x81d2_008c_222f_0606n },
      { register: "ECAP", value: 0x0000_8d9a_20f0_0f4en },
    ]);
    expect(other.fields).toContainEqual(
      expect.objectContaining({ register: "CAP", field: "MGAW", msb: 21, lsb: 16, value: 47, meaning: "48 bits" }),
    );
    expect(other.fields).toContainEqual(
      expect.objectContaining({ register: "ECAP", field: "NEST", value: 0, meaning: "no" }),
    );
  });
});

describe("AMD", () => {
  test("guest translation alone is not enough to nest; tables of six levels are cut at 52 bits", () => {
    expect(decodeHwInfo({ type: 4, data: AMD })).toEqual({ kind: "amd", efr: 0x29d7n, efr2: 0n });
    expect(amdFeatures(0x29d7n, 0n)).toEqual({ nests: false, ipaBits: 64, pasidBits: 1 });
    const facts = iommuFacts({ kind: "amd", efr: 0x29d7n, efr2: 0n });
    expect(facts).toMatchObject({ ipaBits: 52, nesting: { supported: false } });
  });

  test("what could nest in hardware is still not offered", () => {
    const efr = (1n << 4n) | (1n << 48n);
    expect(amdFeatures(efr, 1n << 3n)).toMatchObject({ nests: true, ipaBits: 48 });
    const { nesting } = iommuFacts({ kind: "amd", efr, efr2: 1n << 3n });
    expect(nesting).toEqual({ supported: false, reason: expect.stringContaining("does not nest on AMD") });
  });
});

test("what is short, or of a type that is not known, is untold and no zeros", () => {
  expect(decodeHwInfo({ type: 0, data: new Uint8Array() })).toEqual({ kind: "untold", type: 0 });
  expect(decodeHwInfo({ type: 9, data: ARM })).toEqual({ kind: "untold", type: 9 });
  expect(decodeHwInfo({ type: 2, data: ARM.subarray(0, 36) })).toEqual({ kind: "untold", type: 2 });
  expect(iommuFacts({ kind: "untold", type: 9 })).toMatchObject({
    registers: undefined,
    otherHardware: { kind: "unknown", reason: expect.stringContaining("type 9") },
  });
});
