import { expect, test } from "vitest";
import { lacks, parseKernelVersion } from "../../../src/backends/iommufd/kernel-versions.ts";

test.each([
  ["6.18.44-fc-v657", { major: 6, minor: 18 }],
  ["7.3.4", { major: 7, minor: 3 }],
  ["6.6", { major: 6, minor: 6 }],
  ["6", undefined],
  ["", undefined],
  ["99999.1", undefined],
])("%j is %j", (release, version) => {
  expect(parseKernelVersion(release)).toEqual(version);
});

test("a version has what it brought and lacks what came later", () => {
  expect(lacks({ major: 6, minor: 15 })).toEqual({ isUsable: true, missing: [] });
  expect(lacks({ major: 7, minor: 0 }).missing).toEqual([]);
  expect(lacks({ major: 6, minor: 13 })).toEqual({ isUsable: true, missing: [expect.stringContaining("6.15")] });
  expect(lacks({ major: 6, minor: 5 }).isUsable).toBe(false);
  expect(lacks({ major: 5, minor: 20 }).missing).toHaveLength(6);
});
