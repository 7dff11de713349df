import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TranslationOutcome } from "../../../src/backends/simulator-control.ts";
import { codec, iommubroker } from "../../../src/server/rpc/codec.ts";
import { longOf } from "../../../src/server/rpc/int64.ts";
import { TRANSLATIONS } from "../../../src/server/rpc/translation-codec.ts";
import { EVENT_NUMBER } from "../../../src/spec/events.ts";

const OK = {
  end: "ok",
  pa: 0x1234,
  pageBytes: 4096,
  ipa: undefined,
  bypass: false,
  attributes: undefined,
  fault: undefined,
  recorded: false,
} as const satisfies TranslationOutcome;
const ABORT = { ...OK, end: "abort", pa: 0, pageBytes: 0 } as const satisfies TranslationOutcome;

// Tags by hand from simulator.proto: field number × 8, plus 2 for what has a length. 4660 is 36 × 128 + 52.
describe("on the wire", () => {
  test.each<[string, TranslationOutcome, number[]]>([
    ["a success has outcome, pa and page_bytes", OK, [8, 1, 16, 0x80 + 52, 36, 24, 0x80, 32]],
    ["a bypass of address 0 has no pa and no page_bytes", { ...OK, pa: 0, pageBytes: 0, bypass: true }, [8, 1, 40, 1]],
    ["an IPA of 0 is there", { ...ABORT, end: "ok", ipa: 0 }, [8, 1, 32, 0]],
    ["an address of 32 bits is whole", { ...ABORT, pa: 2 ** 32 - 1 }, [8, 2, 16, 255, 255, 255, 255, 15]],
    ["an address of 33 bits is whole", { ...ABORT, pa: 2 ** 32 }, [8, 2, 16, 128, 128, 128, 128, 16]],
    ["an address of 52 bits is whole", { ...ABORT, pa: 2 ** 52 - 1 }, [8, 2, 16, 255, 255, 255, 255, 255, 255, 255, 7]],
    ["a silent abort has its outcome", ABORT, [8, 2]],
    ["a read as zero that was recorded says both", { ...ABORT, end: "raz-wi", recorded: true }, [8, 3, 88, 1]],
    [
      "a success with attributes has their two names",
      { ...ABORT, end: "ok", attributes: { memoryType: "D", shareability: "OSH" } },
      [8, 1, 98, 1, 0x44, 106, 3, 0x4f, 0x53, 0x48],
    ],
    [
      "a stall has its fault: type, stage, class, IPA and fetch address",
      {
        ...ABORT,
        end: "stalled",
        recorded: true,
        fault: { type: "F_UUT", stage: 2, class: "IN", ipa: 0, fetchAddress: 127 },
      },
      [8, 5, 50, 5, 0x46, 0x5f, 0x55, 0x55, 0x54, 56, 2, 66, 2, 0x49, 0x4e, 72, 0, 80, 127, 88, 1],
    ],
  ])("%s", (_what, outcome, expected) => {
    expect([...TRANSLATIONS.encode([outcome])]).toEqual([10, expected.length, ...expected]);
  });

  test("attributes that are the same as before are written as before", () => {
    const same = { ...ABORT, end: "ok", attributes: { memoryType: "D", shareability: "I" } } as const;
    const names = [98, 1, 0x44, 106, 1, 0x49];
    const other = { ...same, attributes: { memoryType: "N", shareability: "O" } };
    expect([...TRANSLATIONS.encode([same, { ...same, pa: 1 }, other, same])]).toEqual([
      ...[10, 8, 8, 1, ...names],
      ...[10, 10, 8, 1, 16, 1, ...names],
      ...[10, 8, 8, 1, 98, 1, 0x4e, 106, 1, 0x4f],
      ...[10, 8, 8, 1, ...names],
    ]);
  });

  test("translations stand in order, and none is no byte at all", () => {
    expect([...TRANSLATIONS.encode([ABORT, { ...ABORT, end: "ok" }])]).toEqual([10, 2, 8, 2, 10, 2, 8, 1]);
    expect(TRANSLATIONS.encode([])).toHaveLength(0);
  });
});

test("the generated decoder reads what any outcome has, the longest included", () => {
  const address = fc.oneof(fc.integer({ min: 0, max: 2 ** 33 }), fc.maxSafeInteger().map(Math.abs));
  const optional = fc.option(address, { nil: undefined });
  const fault = fc.record({
    type: fc.constantFrom(...Object.keys(EVENT_NUMBER)),
    stage: fc.constantFrom(1 as const, 2 as const, undefined),
    class: fc.constantFrom("CD" as const, "TTD" as const, "IN" as const, undefined),
    ipa: optional,
    fetchAddress: optional,
  });
  const outcome: fc.Arbitrary<TranslationOutcome> = fc.record({
    end: fc.constantFrom("ok", "abort", "raz-wi", "bus-error", "stalled"),
    pa: address,
    pageBytes: address,
    ipa: optional,
    bypass: fc.boolean(),
    attributes: fc.option(
      fc.record({
        memoryType: fc.constantFrom("Device-nGnRnE", "Normal-iWB-oWB"),
        shareability: fc.constantFrom("NSH", "OSH"),
      }),
      { nil: undefined },
    ),
    fault: fc.option(fault, { nil: undefined }),
    recorded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 8 }), (outcomes) => {
      expect(TRANSLATIONS.decode(TRANSLATIONS.encode(outcomes))).toEqual(decodedMessage(outcomes));
    }),
  );
});

/** What a client sees, by way of the generated encoder. */
function decodedMessage(outcomes: readonly TranslationOutcome[]): iommubroker.v1.TranslateResponse {
  const { v1 } = iommubroker;
  const kind = v1.TransactionOutcome;
  const ends = {
    ok: kind.TRANSACTION_OUTCOME_OK,
    abort: kind.TRANSACTION_OUTCOME_ABORT,
    "raz-wi": kind.TRANSACTION_OUTCOME_RAZ_WI,
    "bus-error": kind.TRANSACTION_OUTCOME_BUS_ERROR,
    stalled: kind.TRANSACTION_OUTCOME_STALLED,
  };
  const long = (value: number | undefined) => (value === undefined ? null : longOf(BigInt(value)));
  const translations = outcomes.map(({ attributes, bypass, end, fault, ipa, pa, pageBytes, recorded }) => ({
    outcome: ends[end],
    pa: pa === 0 ? null : long(pa),
    pageBytes: pageBytes === 0 ? null : long(pageBytes),
    ipa: long(ipa),
    bypass: bypass || null,
    faultType: fault?.type ?? null,
    faultStage: fault?.stage ?? null,
    faultClass: fault?.class ?? null,
    faultIpa: long(fault?.ipa),
    faultFetchAddress: long(fault?.fetchAddress),
    recorded: recorded || null,
    memoryType: attributes?.memoryType ?? null,
    shareability: attributes?.shareability ?? null,
  }));
  const generated = codec(v1.TranslateResponse);
  return generated.decode(generated.encode({ translations }));
}
