import { describe, expect, test } from "vitest";
import { deviceID, iommuID } from "../../../src/backends/ids.ts";
import * as names from "../../../src/server/rpc/names.ts";

const UUID = "01234567-89ab-4cde-8f01-23456789abcd";

test("every name leads back to its id", () => {
  expect(names.parseDevice(names.deviceName(deviceID("0000:01:00.0")), "device")).toBe("0000:01:00.0");
  expect(names.parseIommu(names.iommuName(iommuID("smmu0")), "iommu")).toBe("smmu0");
  expect(names.parseSession(names.sessionName(UUID), "session")).toBe(UUID);
  expect(names.parseAddressSpace(names.addressSpaceName(UUID), "address_space")).toBe(UUID);
  expect(names.parseVirtualIommu(names.virtualIommuName(UUID), "virtual_iommu")).toBe(UUID);
});

describe.each([
  ["sessions/", names.parseSession],
  ["addressSpaces/", names.parseAddressSpace],
  ["virtualIommus/", names.parseVirtualIommu],
] as const)("%s{uuid}", (prefix, parse) => {
  test.each([
    ["empty", ""],
    ["the prefix alone", prefix],
    ["the uuid alone", UUID],
    ["capitals in the uuid", prefix + UUID.toUpperCase()],
    ["a uuid without hyphens", prefix + UUID.replaceAll("-", "")],
    ["something after it", `${prefix}${UUID}/x`],
    ["something before it", `/${prefix}${UUID}`],
    ["a line break after it", `${prefix}${UUID}\n`],
    ["the prefix twice", prefix + prefix + UUID],
  ])("refuses %s", (_what, name) => {
    expect(() => parse(name, "the_field")).toThrow(`the_field: must be ${prefix}{uuid}`);
  });
});

test("a very long name is not repeated in full", () => {
  try {
    names.parseDevice("x".repeat(1_000_000), "device");
    expect.unreachable();
  } catch (error) {
    expect(String(error).length).toBeLessThan(300);
  }
});
