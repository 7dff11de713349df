// Whose an event is, type by type, and what of its addresses a guest may know. Records are put together by hand.
// Source: IHI 0070G.b §7.3.

import { describe, expect, test } from "vitest";
import { EVENT_OWNERS, faultRecord } from "../../src/backends/fault-record.ts";
import { deviceID, virtualStreamID } from "../../src/backends/ids.ts";
import { decodeEvent } from "../../src/spec/event-record.ts";
import { EVENT_NUMBER } from "../../src/spec/events.ts";

const NIC = deviceID("nic");
const GUEST_PA = 0x10_0000_0040;
const GUEST_IPA = 0x4000_0040;
const HOST_PA = 0x8000_0040;

/** Type [7:0], StreamID [63:32], S2 103, CLASS IN (0b10) [105:104], InputAddr [191:128], FetchAddr or IPA [247:192]. */
function told(type: number, { s2 = false, input = 0n, address = 0 } = {}) {
  const words = new Uint32Array(8);
  words[0] = type;
  words[1] = 0x100;
  words[3] = (s2 ? 0x80 : 0) | 0x200;
  words[4] = Number(input & 0xffff_ffffn);
  words[5] = Number(input >> 32n);
  words[6] = address % 2 ** 32;
  words[7] = Math.floor(address / 2 ** 32);
  const fault = faultRecord({
    record: decodeEvent(words),
    words,
    owner: { device: NIC, virtualStreamID: virtualStreamID(0x30) },
    toGuest: (_, pa) => (pa === GUEST_PA ? GUEST_IPA : undefined),
    pending: undefined,
  });
  return { fault, view: new DataView(fault.record.buffer) };
}

describe("whose an event is", () => {
  const stage1 = { address: GUEST_PA, input: BigInt(GUEST_PA) };
  const stage2 = { ...stage1, s2: true };
  const hosts = { address: HOST_PA, input: BigInt(HOST_PA) };

  // number, name, host's in stage 1 with an address of the guest's; in stage 2; with an address of the host's
  test.each([
    [0x01, "F_UUT", true, true, true],
    [0x02, "C_BAD_STREAMID", true, true, true],
    [0x03, "F_STE_FETCH", true, true, true],
    [0x04, "C_BAD_STE", false, false, false],
    [0x05, "F_BAD_ATS_TREQ", false, false, false],
    [0x06, "F_STREAM_DISABLED", false, false, false],
    [0x07, "F_TRANSL_FORBIDDEN", false, false, true],
    [0x08, "C_BAD_SUBSTREAMID", false, false, false],
    [0x09, "F_CD_FETCH", false, false, true],
    [0x0a, "C_BAD_CD", false, false, false],
    [0x0b, "F_WALK_EABT", false, true, true],
    [0x10, "F_TRANSLATION", false, true, false],
    [0x11, "F_ADDR_SIZE", false, true, false],
    [0x12, "F_ACCESS", false, true, false],
    [0x13, "F_PERMISSION", false, true, false],
    [0x20, "F_TLB_CONFLICT", false, true, false],
    [0x21, "F_CFG_CONFLICT", true, true, true],
    [0x24, "E_PAGE_REQUEST", false, false, false],
    [0x25, "F_VMS_FETCH", true, true, true],
    [0xe3, "EVENT_0xe3", true, true, true],
  ])("0x%s %s", (number, type, inStage1, inStage2, ofHost) => {
    expect(told(number, stage1).fault).toMatchObject({ type, typeNumber: number, hostOnly: inStage1 });
    expect(told(number, stage2).fault.hostOnly).toBe(inStage2);
    expect(told(number, hosts).fault.hostOnly).toBe(ofHost);
  });

  test("has a reason with its section for every event there is", () => {
    expect(Object.keys(EVENT_OWNERS)).toEqual(Object.keys(EVENT_NUMBER));
    for (const [type, { reason }] of Object.entries(EVENT_OWNERS))
      expect([type, reason]).toEqual([type, expect.stringMatching(/§/)]);
  });
});

describe("the physical address of a translated transaction (§7.3.8)", () => {
  test("is told as the guest's own address", () => {
    const { fault, view } = told(0x07, { input: BigInt(GUEST_PA) });
    expect(fault).toMatchObject({ inputAddress: BigInt(GUEST_IPA), fetchAddress: undefined });
    expect(view.getBigUint64(16, true)).toBe(BigInt(GUEST_IPA));
  });

  test.each([BigInt(HOST_PA), 2n ** 64n - 1n])("is not told where it is not (%s)", (input) => {
    const { fault, view } = told(0x07, { input });
    expect(fault.inputAddress).toBeUndefined();
    expect(view.getBigUint64(16, true)).toBe(0n);
  });
});

test("the address of a fetch is the guest's own or none; an IPA stays what it is", () => {
  expect(told(0x0b, { address: GUEST_PA }).fault.fetchAddress).toBe(GUEST_IPA);
  const hosts = told(0x03, { address: HOST_PA });
  expect([hosts.fault.fetchAddress, hosts.view.getBigUint64(24, true)]).toEqual([undefined, 0n]);
  const stage2 = told(0x10, { s2: true, address: HOST_PA });
  expect([stage2.fault.ipa, stage2.fault.fetchAddress]).toEqual([0x8000_0000, undefined]);
});
