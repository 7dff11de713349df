// Records that Linux 7.3 read from the event queue of QEMU's SMMUv3 and handed to a vEVENTQ, as it printed them: four
// doublewords each.

import { expect, test } from "vitest";
import { decodeEvent } from "../../src/spec/event-record.ts";
import { wordsOf } from "../../src/spec/layout.ts";

test.each([
  [
    "an address that is not mapped",
    [0x0000_0123_0000_0010n, 0x0000_0208_0000_0000n, 0x0000_0000_1010_0000n, 0n],
    { type: "F_TRANSLATION", StreamID: 0x123, RnW: true, S2: false, CLASS: "IN", InputAddr: 0x1010_0000n },
  ],
  [
    "a write to what is read-only",
    [0x0000_0123_0000_0013n, 0x0000_0200_0000_0000n, 0x0000_0000_1000_2000n, 0n],
    { type: "F_PERMISSION", StreamID: 0x123, RnW: false, S2: false, CLASS: "IN", InputAddr: 0x1000_2000n },
  ],
  [
    "a context descriptor that is not valid",
    [0x0000_0123_0000_000an, 0n, 0n, 0n],
    { type: "C_BAD_CD", StreamID: 0x123, SSV: false, Stall: false },
  ],
])("%s", (_, doublewords, expected) => {
  expect(decodeEvent(wordsOf(doublewords))).toMatchObject(expected);
});
