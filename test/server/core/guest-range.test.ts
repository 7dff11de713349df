import { expect, test } from "vitest";
import type { GuestMapping } from "../../../src/backends/guest-memory.ts";
import { guestRange } from "../../../src/server/core/guest-range.ts";
import { refusal } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

function page(ipa: number): GuestMapping {
  const file = new BufferFile(`/memory/${ipa}`, 4096);
  return { ipa, bytes: 4096, file, offset: 0, readable: true, writable: true };
}

const [FIRST, SECOND, FAR] = [page(0x1000), page(0x2000), page(0x4000)];
const SPACE = {
  id: "a",
  session: "s",
  pinning: "eager",
  populated: true,
  handle: { id: 1 },
  table: [FIRST, SECOND, FAR],
} as const;

test("a range is cut where mappings meet, and ends where it was asked to", () => {
  expect(guestRange(SPACE, 0x1ff0n, 0x20)).toEqual([
    { mapping: FIRST, ipa: 0x1ff0, bytes: 0x10 },
    { mapping: SECOND, ipa: 0x2000, bytes: 0x10 },
  ]);
  expect(guestRange(SPACE, 0x4ff8n, 8)).toEqual([{ mapping: FAR, ipa: 0x4ff8, bytes: 8 }]);
  expect(guestRange(SPACE, 0x3000n, 0)).toEqual([]);
});

test("the first hole is named, and so is an address that is no exact number", async () => {
  const error = await refusal(() => guestRange(SPACE, 0x2ff8n, 0x1010));
  expect([error.code, error.message]).toEqual(["argument_invalid", expect.stringContaining("0x3000")]);
  expect((await refusal(() => guestRange(SPACE, 2n ** 52n, 1))).fields[0]!.path).toBe("ipa");
});
