import { expect, test } from "vitest";
import { encodeEvent } from "../../../src/backends/smmuv3/event-record.ts";
import { decodeEvent } from "../../../src/spec/event-record.ts";

/** A record as Linux prints it, bytes in memory order, to words. */
function words(bytes: string): Uint32Array {
  return new Uint32Array(Uint8Array.from(Buffer.from(bytes, "hex")).buffer);
}

test("a stage 1 translation fault that Linux read from its queue decodes field by field", () => {
  // Linux 7.2: "event: F_TRANSLATION sid: 0x30 iova: 0x12345684, unpriv data read s1, Input address caused fault"
  expect(decodeEvent(words("1000000030000000000000000802000084563412000000000000000000000000"))).toMatchObject({
    type: "F_TRANSLATION",
    number: 0x10,
    StreamID: 0x30,
    SSV: false,
    Stall: false,
    PnU: false,
    InD: false,
    RnW: true,
    S2: false,
    CLASS: "IN",
    InputAddr: 0x1234_5684n,
  });
});

test("a stage 2 permission fault decodes with its IPA", () => {
  expect(decodeEvent(words("13000000400000000000000088020000383c7e9a180000000030c3150c000000"))).toMatchObject({
    type: "F_PERMISSION",
    StreamID: 0x40,
    S2: true,
    CLASS: "IN",
    InputAddr: 0x18_9a7e_3c38n,
    IPA: 0xc_15c3_3000,
  });
});

test("an address of 64 bits, a SubstreamID and a STAG survive", () => {
  const record = decodeEvent(words("10580000ffffffffcdab00808e010000efcdab8967452381ffffffffffffffff"));
  expect(record).toMatchObject({ SSV: true, SubstreamID: 5, StreamID: 0xffff_ffff, STAG: 0xabcd, Stall: true });
  expect(record).toMatchObject({ PnU: true, InD: true, RnW: true, S2: true, CLASS: "TTD" });
  expect(record.InputAddr).toBe(0x8123_4567_89ab_cdefn);
});

test("a number and a class that do not exist decode to undefined", () => {
  const record = decodeEvent(words("fe0000000000000000000000000300000000000000000000000000000000000000".slice(0, 64)));
  expect([record.type, record.number, record.CLASS]).toEqual([undefined, 0xfe, undefined]);
});

test("a fetch fault's address lies in bits [247:195], low bits cleared", () => {
  const record = encodeEvent({ type: "F_STE_FETCH", streamID: 3, fetchAddress: 0xf_1234_5678_9abf });
  expect([...record]).toEqual([3, 3, 0, 0, 0, 0, 0x5678_9ab8, 0xf_1234]);
  expect(decodeEvent(record).FetchAddr).toBe(0xf_1234_5678_9ab8);
});
