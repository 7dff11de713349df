import { describe, expect, test } from "vitest";
import { ConfigCache } from "../../../src/backends/smmuv3/config-cache.ts";
import { decodeSTE } from "../../../src/backends/smmuv3/ste.ts";

describe("the configuration cache", () => {
  test("keeps a bounded number of streams, the oldest goes first", () => {
    const cache = new ConfigCache();
    const config = {
      ste: decodeSTE(new Uint32Array(16)),
      passes: true,
      hasStage1: false,
      stage2: undefined,
      world: "EL1",
      vmid: 0,
      cdBits: 0,
      needs: [],
      override: undefined,
      contexts: new Map(),
    } as const;
    for (let streamID = 0; streamID <= 4096; streamID++) cache.addStream(streamID, config);
    expect(cache.stream(0)).toBeUndefined();
    expect(cache.stream(1)).toBe(config);
    expect(cache.stream(4096)).toBe(config);
  });
});
