import { describe, expect, test } from "vitest";
import { SimulatedInventory } from "../../../src/backends/sim/inventory.ts";
import type { MappingRequest } from "../../../src/server/core/address-space-verbs.ts";
import { checkMapping, exactNumber, pageAddress, rangeBytes } from "../../../src/server/core/mapping-request.ts";
import { refusal, TWO_SMMUS } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

const FILE = new BufferFile("/memory/a", 0x3000);
const BOUNDS = { writesByCall: true, ipaBits: 40, hosts: new SimulatedInventory(TWO_SMMUS).iommus() };
const WISH: MappingRequest = {
  ipa: 0x4000_0000n,
  bytes: 0x1000n,
  source: 0,
  offset: 0x2000n,
  readable: true,
  writable: false,
};
const check = (change: Partial<MappingRequest>, files: readonly BufferFile[] = [FILE]) =>
  checkMapping({ ...WISH, ...change }, "mappings[7]", files, BOUNDS);

test("a wish that fits becomes a mapping of its file, in exact numbers", () => {
  const mapping = { ipa: 0x4000_0000, bytes: 0x1000, file: FILE, offset: 0x2000, readable: true, writable: false };
  expect(check({})).toEqual(mapping);
  const last = { ipa: 2n ** 40n - 0x1000n };
  expect(check(last).ipa).toBe(0xff_ffff_f000);
});

describe("what does not fit is named by its place", () => {
  test.each([
    ["ipa", "within a page", { ipa: 0x4000_0800n }],
    ["ipa", "beyond the IPA space", { ipa: 2n ** 40n }],
    ["ipa", "in the MSI window", { ipa: 0x0800_0000n }],
    ["ipa", "up to the MSI window and into it", { ipa: 0x07ff_f000n, bytes: 0x2000n, offset: 0n }],
    ["bytes", "0", { bytes: 0n }],
    ["bytes", "half a page", { bytes: 0x800n }],
    ["bytes", "beyond all numbers", { ipa: 2n ** 52n - 0x1000n, bytes: 0x2000n }],
    ["offset", "within a page", { offset: 0x800n }],
    ["offset", "at the end of the file", { offset: 0x3000n }],
    ["source", "not in the list", { source: 1 }],
    ["readable", "not, and not writable either", { readable: false }],
  ] as const)("%s: %s", async (field, _, change) => {
    const error = await refusal(() => check(change));
    expect([error.code, error.fields[0]!.path]).toEqual(["argument_invalid", `mappings[7].${field}`]);
  });

  test("a file that may not be written is not mapped writable", async () => {
    const sealed = new BufferFile("/memory/sealed", 0x3000);
    sealed.writeRefusal = "is sealed";
    const error = await refusal(() => check({ writable: true }, [sealed]));
    expect([error.fields[0]!.path, error.message]).toEqual(["mappings[7].writable", expect.stringContaining("sealed")]);
  });

  test("memory without pwrite is mapped writable for hardware, and not for devices that are simulated", async () => {
    const huge = new BufferFile("/memory/huge", 0x3000);
    huge.pwriteRefusal = "is of hugetlbfs";
    const error = await refusal(() => check({ writable: true }, [huge]));
    expect([error.fields[0]!.path, error.message]).toEqual([
      "mappings[7].writable",
      expect.stringContaining("hugetlbfs"),
    ]);
    const hardware = { ...BOUNDS, writesByCall: false };
    expect(checkMapping({ ...WISH, writable: true }, "mappings[7]", [huge], hardware).file).toBe(huge);
  });
});

test("numbers end below 2^52, addresses are pages, and a range ends where numbers do", async () => {
  expect(exactNumber(2n ** 52n - 1n, "x")).toBe(2 ** 52 - 1);
  expect((await refusal(() => exactNumber(2n ** 52n, "x"))).fields[0]!.path).toBe("x");
  expect((await refusal(() => exactNumber(-1n, "x"))).fields[0]!.path).toBe("x");
  expect(pageAddress(0n, "x", true)).toBe(0);
  expect((await refusal(() => pageAddress(0n, "x", false))).fields[0]!.path).toBe("x");
  expect(rangeBytes(2n ** 52n - 0x1000n, 0x1000n, "x")).toBe(0x1000);
});
