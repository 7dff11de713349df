// Lines as drivers/iommu/iommu.c prints them: "0x%016llx 0x%016llx %s".

import { expect, test } from "vitest";
import { parseReservedRegions } from "../../../src/backends/iommufd/reserved-regions.ts";

test("an x86 host's regions: the interrupt window, and an RMRR that demands a 1:1 mapping", () => {
  const text =
    "0x000000007b800000 0x000000007fffffff direct\n0x00000000fee00000 0x00000000feefffff msi\n0x000000fd00000000 0x000000ffffffffff reserved\n";
  expect(parseReservedRegions(text)).toEqual({
    reservedRegions: [
      { ipa: 0x7b80_0000, bytes: 0x480_0000, kind: "reserved" },
      { ipa: 0xfee0_0000, bytes: 0x10_0000, kind: "msi" },
      { ipa: 0xfd_0000_0000, bytes: 0x3_0000_0000, kind: "reserved" },
    ],
    needsIdentity: true,
  });
});

test("a direct-relaxable region binds nobody", () => {
  expect(parseReservedRegions("0x000000007b800000 0x000000007fffffff direct-relaxable\n")).toEqual({
    reservedRegions: [],
    needsIdentity: false,
  });
});

test("what lies above 52 bits is cut off, and lines that are none are passed over", () => {
  const text =
    "0x0010000000000000 0x001fffffffffffff reserved\n0x000ffffffffff000 0xffffffffffffffff reserved\nnonsense\n0x2 0x1 msi\n\n";
  expect(parseReservedRegions(text).reservedRegions).toEqual([
    { ipa: 0xf_ffff_ffff_f000, bytes: 0x1000, kind: "reserved" },
  ]);
});
