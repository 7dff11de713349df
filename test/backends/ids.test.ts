import { describe, expect, test } from "vitest";
import { deviceID, groupID, iommuID, iova, streamID, substreamID, virtualStreamID } from "../../src/backends/ids.ts";
import { refusal } from "../support/host.ts";

describe("numbers", () => {
  test.each([
    ["StreamID", streamID, 2 ** 32 - 1],
    ["virtual StreamID", virtualStreamID, 2 ** 32 - 1],
    ["SubstreamID", substreamID, 2 ** 20 - 1],
    ["IOMMU group", groupID, 2 ** 31 - 1],
  ] as const)("a %s goes from 0 to its last value, and no further", async (what, make, last) => {
    expect(make(0)).toBe(0);
    expect(make(last)).toBe(last);
    for (const wrong of [last + 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const error = await refusal(() => make(wrong));
      expect(error.code).toBe("argument_invalid");
      expect(error.message).toContain(`${what} ${wrong} does not fit`);
    }
  });

  test("an IOVA has 64 bits", async () => {
    expect(iova(0xffff_ffff_ffff_ffffn)).toBe(0xffff_ffff_ffff_ffffn);
    expect((await refusal(() => iova(1n << 64n))).code).toBe("argument_invalid");
    expect((await refusal(() => iova(-1n))).code).toBe("argument_invalid");
  });
});

describe("names", () => {
  test.each(["0000:00:01.0", "a", "smmu-3.0x9050000", "x".repeat(63)])("%s is a name", (name) => {
    expect(deviceID(name)).toBe(name);
    expect(iommuID(name)).toBe(name);
  });

  test.each(["", ".hidden", "-", "a b", "a/b", "ä", "a\n", "x".repeat(64), "\0"])("%j is none", async (name) => {
    for (const make of [deviceID, iommuID]) {
      const error = await refusal(() => make(name));
      expect(error.code).toBe("argument_invalid");
      expect(String(error.facts.value).length).toBeLessThan(100);
    }
  });
});
