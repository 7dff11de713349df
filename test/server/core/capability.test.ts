import { describe, expect, test } from "vitest";
import { iommuID } from "../../../src/backends/ids.ts";
import type { HostIommu, IdRegisters } from "../../../src/backends/inventory.ts";
import {
  checkWish,
  commonRegisters,
  decodeRegisters,
  requireFit,
  virtualRegisters,
} from "../../../src/server/core/capability.ts";
import type { FieldVerdictView } from "../../../src/server/core/capability-views.ts";
import { iommuCapability } from "../../../src/server/core/iommu-capability.ts";
import { REGISTER_RULES } from "../../../src/server/core/register-rules.ts";
import { refusal } from "../../support/host.ts";

const ZERO: IdRegisters = { idr0: 0, idr1: 0, idr2: 0, idr3: 0, idr4: 0, idr5: 0, idr6: 0, iidr: 0, aidr: 0 };

/**
 * Fields by hand, IHI 0070G.b §6.3.1: S2P 0, S1P 1, TTF [3:2]=2, COHACC 4, BTM 5, HTTU [7:6]=2, Hyp 9, ATS 10, ASID16 12,
 * MSI 13, PRI 16, VMID16 18, CD2L 19, TTENDIAN [22:21]=0, STALL_MODEL [25:24]=0, TERM_MODEL 26, ST_LEVEL [28:27]=1.
 */
const RICH: IdRegisters = {
  ...ZERO,
  idr0: 0x0c0d_36bb,
  idr1: 0x0e73_0510, // ATTR_TYPES_OVR 27, ATTR_PERMS_OVR 26, CMDQS 19, EVENTQS 19, SSIDSIZE 20, SIDSIZE 16
  idr2: 5, // BA_VATOS
  idr3: 0x0000_279c, // HAD 2, PBHA 3, XNX 4, MPAM 7, FWB 8, STT 9, RIL 10, E0PD 13
  idr4: 0xdead_beef,
  idr5: 0x0010_0075, // STALL_MAX 16, GRAN64K 6, GRAN16K 5, GRAN4K 4, OAS 5
  idr6: 0x0101_0000,
  iidr: 0x4830_043b,
  aidr: 0x02,
};

function host(registers: IdRegisters, id = "smmu0"): HostIommu {
  return {
    id: iommuID(id),
    registers,
    ipaBits: 48,
    reservedRegions: [],
    stage2PageBytes: [4096],
    nesting: { supported: true },
  };
}

const fieldValue = (registers: IdRegisters, name: string): number =>
  decodeRegisters(registers).find((field) => `${field.register}.${field.field}` === name)!.value;

describe("decoding", () => {
  test.each([
    ["IDR0.S2P", 0, 0, 1, "yes"],
    ["IDR0.TTF", 3, 2, 2, "AArch64"],
    ["IDR0.HTTU", 7, 6, 2, "Access flag and dirty state"],
    ["IDR0.ATS", 10, 10, 1, "yes"],
    ["IDR0.ASID16", 12, 12, 1, "16-bit ASIDs"],
    ["IDR0.TTENDIAN", 22, 21, 0, "mixed"],
    ["IDR0.STALL_MODEL", 25, 24, 0, "stall and terminate"],
    ["IDR0.TERM_MODEL", 26, 26, 1, "abort only"],
    ["IDR0.ST_LEVEL", 28, 27, 1, "linear and two-level"],
    ["IDR1.SIDSIZE", 5, 0, 16, "16 bits"],
    ["IDR1.SSIDSIZE", 10, 6, 20, "20 bits"],
    ["IDR1.CMDQS", 25, 21, 19, "2^19 entries"],
    ["IDR2.BA_VATOS", 9, 0, 5, "page 5"],
    ["IDR3.RIL", 10, 10, 1, "yes"],
    ["IDR5.OAS", 2, 0, 5, "48 bits"],
    ["IDR5.VAX", 11, 10, 0, "48 bits"],
    ["IDR5.STALL_MAX", 31, 16, 16, "16"],
    ["IIDR.Implementer", 11, 0, 0x43b, "JEP106 0x43b"],
    ["AIDR.ArchMinorRev", 3, 0, 2, "SMMUv3.2"],
  ])("%s [%d:%d] is %d: %s", (name, msb, lsb, value, meaning) => {
    const found = decodeRegisters(RICH).find((field) => `${field.register}.${field.field}` === name);
    expect(found).toMatchObject({ msb, lsb, value, meaning });
  });

  test("reserved encodings are called that", () => {
    const odd = { ...ZERO, idr0: (1 << 21) | (3 << 24) | (2 << 27), idr5: 3 << 10 };
    const meanings = new Map(decodeRegisters(odd).map((field) => [field.field, field.meaning]));
    expect(["TTF", "TTENDIAN", "STALL_MODEL", "ST_LEVEL", "VAX"].map((name) => meanings.get(name))).toEqual([
      "reserved (0)",
      "reserved (1)",
      "reserved (3)",
      "reserved (2)",
      "reserved (3)",
    ]);
  });
});

describe("what a guest may be shown", () => {
  const { registers, reduced } = virtualRegisters(RICH);

  test("fields that stay the host's stay", () => {
    const kept = ["IDR0.S1P", "IDR0.TTF", "IDR0.COHACC", "IDR0.ATS", "IDR0.ASID16", "IDR0.CD2L", "IDR0.TERM_MODEL"];
    kept.push(
      "IDR1.SIDSIZE",
      "IDR1.SSIDSIZE",
      "IDR3.HAD",
      "IDR3.STT",
      "IDR3.RIL",
      "IDR3.E0PD",
      "IDR5.OAS",
      "IDR5.GRAN16K",
    );
    expect(kept.map((name) => fieldValue(registers, name))).toEqual(kept.map((name) => fieldValue(RICH, name)));
    expect(registers).toMatchObject({ iidr: RICH.iidr, aidr: RICH.aidr });
  });

  test.each([
    ["IDR0.S2P", 0, /stage 2 belongs to the host/],
    ["IDR0.BTM", 0, /VMID/],
    ["IDR0.HTTU", 0, /not offer/],
    ["IDR0.Hyp", 0, /EL2/],
    ["IDR0.MSI", 0, /VMM/],
    ["IDR0.PRI", 0, /not offer/],
    ["IDR0.VMID16", 0, /stage 2/],
    ["IDR0.STALL_MODEL", 1, /stalled/],
    ["IDR1.ATTR_TYPES_OVR", 0, /SHCFG/],
    ["IDR1.ATTR_PERMS_OVR", 0, /PRIVCFG/],
    ["IDR2.BA_VATOS", 0, /VATOS/],
    ["IDR3.PBHA", 0, /not offer/],
    ["IDR3.XNX", 0, /stage 2/],
    ["IDR3.MPAM", 0, /not offer/],
    ["IDR3.FWB", 0, /stage 2/],
    ["IDR5.STALL_MAX", 0, /stalled/],
  ])("%s is reduced to %d with its reason", (name, value, reason) => {
    expect(fieldValue(registers, name)).toBe(value);
    const entry = reduced.find((one) => `${one.register}.${one.field}` === name)!;
    expect(entry).toMatchObject({ hostValue: fieldValue(RICH, name), virtualValue: value });
    expect(entry.reason).toMatch(reason);
  });

  test("nothing else is reduced: every field that differs is listed, and none that does not", () => {
    const differs = decodeRegisters(RICH).filter(
      (field) => fieldValue(registers, `${field.register}.${field.field}`) !== field.value,
    );
    expect(reduced.map((one) => one.field)).toEqual(differs.map((field) => field.field));
    expect(reduced).toHaveLength(16);
  });

  test("IDR4 and IDR6 are not for a guest", () => {
    expect([registers.idr4, registers.idr6]).toEqual([0, 0]);
  });

  test("what the host lacks is not called reduced", () => {
    expect(virtualRegisters({ ...ZERO, idr0: 0x0500_000a }).reduced).toEqual([]); // terminate only, nothing else
  });
});

describe("a wish", () => {
  const allowed = virtualRegisters(RICH).registers;
  const verdict = (wish: IdRegisters, name: string): FieldVerdictView =>
    checkWish(RICH, wish).find((one) => `${one.register}.${one.field}` === name)!;

  test("what the host allows fits, field by field", () => {
    expect(checkWish(RICH, allowed).filter((one) => !one.ok)).toEqual([]);
    expect(checkWish(RICH, allowed)).toHaveLength(REGISTER_RULES.length);
    expect(() => requireFit(host(RICH), allowed)).not.toThrow();
  });

  // name, register, a wish that fits, one that does not, and why it does not
  test.each([
    ["IDR1.SSIDSIZE", "idr1", 8 << 6, 21 << 6, /at most 20/], // at most
    ["IDR5.OAS", "idr5", 4, 6, /at most 5 \(48 bits\)/],
    ["IDR0.ATS", "idr0", 0, undefined, /./],
    ["IDR0.TERM_MODEL", "idr0", 1 << 26, 0, /at least 1/], // at least
    ["IDR0.TTF", "idr0", 2 << 2, 3 << 2, /has AArch64, not/], // subset
    ["IDR0.TTF", "idr0", 2 << 2, 0, /not reserved \(0\)/],
    ["IDR0.STALL_MODEL", "idr0", 1 << 24, 2 << 24, /must be 0 to 1/], // on request
    ["IDR0.STALL_MODEL", "idr0", 0, 3 << 24, /must be 0 to 1/],
    ["IDR5.STALL_MAX", "idr5", 16 << 16, 17 << 16, /must be 0 to 16/],
    ["IDR0.TTENDIAN", "idr0", 2 << 21, undefined, /./], // endianness: mixed fits either
    ["IDR0.TTENDIAN", "idr0", 3 << 21, undefined, /./],
    ["IDR0.S2P", "idr0", 0, 1, /stage 2 belongs to the host/],
    ["IDR0.HTTU", "idr0", 0, 1 << 6, /not offer/],
    ["IDR1.PRIQS", "idr1", 0, undefined, /./], // any
    ["IDR1.PRIQS", "idr1", 19 << 11, undefined, /./],
    ["IIDR.ProductID", "iidr", 0x123 << 20, undefined, /./],
    ["AIDR.ArchMinorRev", "aidr", 9, undefined, /./],
    ["IDR0.ST_LEVEL", "idr0", 0, undefined, /./],
  ] as const)("%s (%s): %d fits, %d does not", (name, register, fits, wrong, why) => {
    expect(verdict({ ...ZERO, [register]: fits }, name)).toMatchObject({ ok: true, reason: "" });
    if (wrong === undefined) return;
    const refused = verdict({ ...ZERO, [register]: wrong }, name);
    expect(refused.ok).toBe(false);
    expect(refused.reason).toMatch(why);
  });

  test("a host of one endianness takes only that", () => {
    const little = { ...RICH, idr0: RICH.idr0 | (2 << 21) };
    const at = (value: number) =>
      checkWish(little, { ...ZERO, idr0: value << 21 }).find((one) => one.field === "TTENDIAN")!;
    expect([at(2).ok, at(3).ok, at(0).ok]).toEqual([true, false, false]);
    expect(at(3).reason).toMatch(/must be 2 \(little-endian\)/);
  });

  test("a misfit is one error that names every field and its register", async () => {
    const error = await refusal(() =>
      requireFit(host(RICH), { ...allowed, idr1: (21 << 6) | 17, idr5: allowed.idr5 | 7 }),
    );
    expect(error.code).toBe("registers_unfit");
    expect(error.facts).toEqual({ iommu: "smmu0", fields: "IDR1.SIDSIZE, IDR1.SSIDSIZE, IDR5.OAS" });
    expect(error.fields.map((field) => field.path)).toEqual(["registers.idr1", "registers.idr1", "registers.idr5"]);
    expect(error.fields[0]!.description).toMatch(/SIDSIZE 17 against 16/);
  });
});

describe("the registers that fit several hosts", () => {
  const POOR: IdRegisters = {
    ...RICH,
    idr0: 0x0d44_101b, // little-endian, terminate only, 16-bit ASIDs, no ATS, no CD2L
    idr1: 0x0273_0210, // SSIDSIZE 8
    idr3: 0x14,
    idr5: 0x54, // OAS 44 bits, 4K and 64K
  };

  test("each field is the most that both keep, and both accept the result", () => {
    const common = commonRegisters([host(RICH, "a"), host(POOR, "b")]);
    const names = ["IDR0.TTENDIAN", "IDR0.ATS", "IDR0.CD2L", "IDR0.TERM_MODEL", "IDR0.STALL_MODEL", "IDR1.SSIDSIZE"];
    names.push("IDR3.RIL", "IDR3.HAD", "IDR5.OAS", "IDR5.GRAN16K", "IDR5.GRAN64K", "IDR0.TTF");
    expect(names.map((name) => fieldValue(common, name))).toEqual([2, 0, 0, 1, 1, 8, 0, 1, 4, 0, 1, 2]);
    expect(commonRegisters([host(POOR, "b"), host(RICH, "a")])).toEqual(common);
    for (const each of [RICH, POOR]) expect(() => requireFit(host(each), common)).not.toThrow();
  });

  test("of one host they are what that host allows", () => {
    expect(commonRegisters([host(RICH)])).toEqual(virtualRegisters(RICH).registers);
  });

  test("a host that may answer RAZ/WI and one that aborts promise only the abort", () => {
    const either = { ...RICH, idr0: RICH.idr0 - (1 << 26) };
    expect(fieldValue(commonRegisters([host(either, "a"), host(RICH, "b")]), "IDR0.TERM_MODEL")).toBe(1);
  });

  test("little- and big-endian hosts have nothing in common, and the field is named", async () => {
    const little = host({ ...RICH, idr0: RICH.idr0 | (2 << 21) }, "little");
    const big = host({ ...RICH, idr0: RICH.idr0 | (3 << 21) }, "big");
    const error = await refusal(() => commonRegisters([little, big]));
    expect(error).toMatchObject({ code: "registers_unfit", facts: { fields: "IDR0.TTENDIAN" } });
  });

  test("hosts whose tables have no format in common are refused", async () => {
    const only32 = host({ ...RICH, idr0: (RICH.idr0 & ~(3 << 2)) | (1 << 2) }, "aarch32");
    const error = await refusal(() => commonRegisters([host(RICH), only32]));
    expect(error).toMatchObject({ code: "registers_unfit", facts: { fields: "IDR0.TTF" } });
  });

  test("a host that can only stall has nothing in common with a guest that cannot answer stalls", async () => {
    const forced = host({ ...RICH, idr0: RICH.idr0 | (2 << 24) }, "forced");
    const error = await refusal(() => commonRegisters([host(RICH), forced]));
    expect(error).toMatchObject({ code: "registers_unfit", facts: { iommu: "forced", fields: "IDR0.STALL_MODEL" } });
  });

  test("no host at all is refused", async () => {
    expect((await refusal(() => commonRegisters([]))).code).toBe("argument_invalid");
  });
});

describe("the answer for one IOMMU", () => {
  test("sizes come from the fields", () => {
    expect(iommuCapability(host(RICH), undefined)).toMatchObject({
      asidBits: 16,
      substreamIDBits: 20,
      streamIDBits: 16,
      iovaBits: 48,
      outputBits: 48,
      granuleBytes: [4096, 16384, 65536],
      nesting: true,
      nestingReason: "",
      wish: [],
    });
    const small = iommuCapability(host({ ...ZERO, idr5: (1 << 10) | 0x16 }), ZERO);
    expect(small).toMatchObject({
      asidBits: 8,
      substreamIDBits: 0,
      iovaBits: 52,
      outputBits: 52,
      granuleBytes: [4096],
    });
    expect(small.wish).toHaveLength(REGISTER_RULES.length);
  });

  test("where nesting is not possible the shape says why, and a bare page table never is", () => {
    const without = { ...host(RICH), nesting: { supported: false, reason: "no coherent walks" } as const };
    const { nesting, nestingReason, shapes } = iommuCapability(without, undefined);
    expect({ nesting, nestingReason }).toEqual({ nesting: false, nestingReason: "no coherent walks" });
    expect(shapes.map(({ shape, supported, reason }) => [shape, supported, reason !== ""])).toEqual([
      ["smmuv3-ste", false, true],
      ["single-page-table", false, true],
    ]);
  });
});

describe("an IOMMU that is no SMMUv3, or that nobody could ask yet", () => {
  const unknown: HostIommu = {
    ...host(RICH),
    registers: undefined,
    otherHardware: { kind: "unknown", reason: "bind a device behind it to vfio-pci" },
    nesting: { supported: false, reason: "not asked" },
    ipaBits: 52,
    stage2PageBytes: [],
  };
  const vtd: HostIommu = {
    ...unknown,
    otherHardware: { kind: "vtd", raw: [{ register: "CAP", value: 0x81d2_008c_222f_0606n }], fields: [] },
  };

  test("shows no register it does not know, and says why", () => {
    expect(iommuCapability(unknown, ZERO)).toMatchObject({
      hardware: { architecture: "unknown", reason: "bind a device behind it to vfio-pci" },
      registers: undefined,
      virtualRegisters: undefined,
      fields: [],
      ipaBits: 0,
      nesting: false,
      wish: [],
    });
    expect(iommuCapability(vtd, undefined)).toMatchObject({
      hardware: { architecture: "vtd", reason: "" },
      raw: [{ register: "CAP", value: 0x81d2_008c_222f_0606n }],
      registers: undefined,
      ipaBits: 52,
      shapes: [{ shape: "smmuv3-ste", supported: false }, { shape: "single-page-table" }],
    });
  });

  test("a virtual IOMMU over what is unknown is refused with the remedy", async () => {
    for (const make of [() => commonRegisters([unknown]), () => requireFit(unknown, ZERO)]) {
      const error = await refusal(async () => make());
      expect(error).toMatchObject({ code: "backend_unavailable", facts: { iommu: "smmu0" } });
      expect(error.message).toContain("bind a device behind it to vfio-pci");
    }
  });

  test("one over VT-d has no registers to fit, and one over VT-d and an SMMU does not fit", async () => {
    expect(commonRegisters([vtd])).toEqual(ZERO);
    expect(() => requireFit(vtd, RICH)).not.toThrow();
    const error = await refusal(async () => commonRegisters([host(RICH), vtd]));
    expect(error).toMatchObject({ code: "registers_unfit" });
  });
});
