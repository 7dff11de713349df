import fc from "fast-check";
import { expect, test } from "vitest";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import { deviceID, virtualStreamID } from "../../../src/backends/ids.ts";
import { plain } from "../../../src/client/plain.ts";
import type { FaultEntry } from "../../../src/server/core/fault-verbs.ts";
import { codec, iommubroker } from "../../../src/server/rpc/codec.ts";
import { entryMessage } from "../../../src/server/rpc/convert-fault.ts";
import { encodeEntries } from "../../../src/server/rpc/fault-writer.ts";
import { BARE_FAULT, FAULT, faultEvent, faultGap, resolution, stalled } from "../../support/fault-samples.ts";

const RESPONSE = codec(iommubroker.v1.WatchFaultsResponse);

/** What each entry's bytes say, and what the generated encoder's would. */
function both(entries: readonly FaultEntry[]) {
  const { bytes, offsets } = encodeEntries(entries, "owner");
  expect([offsets.length, offsets.at(-1)]).toEqual([entries.length + 1, bytes.length]);
  return entries.map((entry, index) => ({
    ours: plain(RESPONSE.decode(bytes.subarray(offsets[index], offsets[index + 1]))),
    theirs: plain(RESPONSE.decode(RESPONSE.encode(entryMessage(entry, "owner")))),
  }));
}

/** Numbers that end at, before and behind each length of a varint. */
function edges(bits: number): fc.Arbitrary<number> {
  const near = Array.from({ length: bits }, (_, bit) => 2 ** bit).flatMap((value) => [value - 1, value]);
  return fc.oneof(
    fc.constantFrom(...near),
    fc.maxSafeNat().map((value) => value % 2 ** bits),
  );
}

const RECORD: fc.Arbitrary<FaultRecord> = fc.record({
  device: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$/).map(deviceID),
  virtualStreamID: fc.option(edges(32).map(virtualStreamID), { nil: undefined }),
  substreamID: fc.option(edges(20), { nil: undefined }),
  type: fc.constantFrom("F_TRANSLATION", "C_BAD_CD", "F_UUT"),
  typeNumber: edges(8),
  stage: fc.constantFrom(undefined, 1, 2),
  class: fc.constantFrom(undefined, "CD", "TTD", "IN"),
  inputAddress: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
  ipa: fc.option(edges(52), { nil: undefined }),
  fetchAddress: fc.option(edges(52), { nil: undefined }),
  read: fc.option(fc.boolean(), { nil: undefined }),
  instruction: fc.option(fc.boolean(), { nil: undefined }),
  privileged: fc.option(fc.boolean(), { nil: undefined }),
  transition: fc.boolean(),
  hostOnly: fc.boolean(),
  pending: fc.constant(undefined),
  pageRequest: fc.constant(undefined),
  record: fc.uint8Array({ minLength: 0, maxLength: 32 }),
});

test("whatever an event carries, its bytes say what the generated encoder's do", () => {
  const events = fc.record({
    kind: fc.constant("event" as const),
    sequence: edges(53),
    wallMs: fc.oneof(fc.constantFrom(0, 999, 1000, 1_700_000_000_250.5), fc.nat()),
    fault: RECORD,
    response: fc.constant(undefined),
  });
  fc.assert(
    fc.property(fc.array(events, { maxLength: 40 }), (entries) => {
      for (const { ours, theirs } of both(entries)) expect(ours).toEqual(theirs);
    }),
  );
});

test("entries of every kind stand in their order, each where its offset says", () => {
  const pageRequest = {
    address: 0x5000n,
    groupIndex: 3,
    last: false,
    read: true,
    write: false,
    execute: false,
    privileged: false,
  };
  const entries = [
    faultEvent(1),
    stalled(2),
    faultGap(),
    faultEvent(3, BARE_FAULT),
    resolution(2),
    faultEvent(4, { type: "PAGE_REQUEST", typeNumber: 0, pageRequest }),
    faultEvent(5, { record: new Uint8Array(100_000) }), // longer than the first buffer
    faultEvent(6),
  ];
  for (const { ours, theirs } of both(entries)) expect(ours).toEqual(theirs);
});

test("a field is where fault.proto has it", () => {
  // sequence 1: 08 01; device (2) of 22 characters… the first bytes by hand: tag 0x0a of events, a length of two bytes.
  const { bytes } = encodeEntries([faultEvent(1, { ...BARE_FAULT, record: Uint8Array.of(0xaa) })], "owner");
  const device = Buffer.from(`devices/${FAULT.device}`);
  const type = Buffer.from("F_TRANSLATION");
  const body = Buffer.concat([
    Uint8Array.of(0x08, 1, 0x12, device.length),
    device,
    Uint8Array.of(0x2a, type.length),
    type,
    Uint8Array.of(0x30, 0x10), // type_number
    Uint8Array.of(0x82, 0x01, 1, 0xaa), // record, field 16
    // time, field 17: seconds 1,700,000,000 = 0x6553f100, nanos 250,000,000 = 0x0ee6b280, 7 bits a byte
    Uint8Array.of(0x8a, 0x01, 11, 0x08, 0x80, 0xe2, 0xcf, 0xaa, 0x06, 0x10, 0x80, 0xe5, 0x9a, 0x77),
  ]);
  expect(bytes.toString("hex")).toBe(Buffer.concat([Uint8Array.of(0x0a, body.length), body]).toString("hex"));
});
