import { expect, test } from "vitest";
import { eventJson, gapJson, resolutionJson } from "../../src/cli/fault-json.ts";
import { FaultDiagnosisVerdict, type FaultEvent, FaultGapReason } from "../../src/client/client.ts";

const TIME = { seconds: 1_700_000_000n, nanos: 250_000_000 };
const DEVICE = "devices/0000:01:00.0";

const EVENT: FaultEvent = {
  sequence: 2n ** 64n - 1n,
  device: DEVICE,
  type: "C_BAD_CD",
  typeNumber: 0x0a,
  stage: 0,
  class: 0,
  transition: false,
  record: Uint8Array.of(10, 0, 255),
  time: TIME,
  hostOnly: false,
  pending: { responseToken: "secret", deadline: TIME, stag: 7 },
  diagnosis: {
    verdict: FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_REPRODUCED,
    summary: "why\u2028",
    rule: "CD_ASID_SIZE",
    section: "§5.4.1",
    structure: "CD",
    address: 2n ** 52n - 64n,
    raw: [1n],
    fields: [{ name: "CD.ASID", value: 0x1a3n }],
  },
};

test("an event is a line of protobuf's JSON, without its token", () => {
  const text = eventJson(EVENT);
  expect(text.endsWith("\n") && !text.slice(0, -1).includes("\n")).toBe(true);
  expect(text).not.toMatch(/secret|\u2028/);
  expect(JSON.parse(text)).toEqual({
    event: {
      sequence: "18446744073709551615",
      device: DEVICE,
      type: "C_BAD_CD",
      typeNumber: 10,
      stage: "FAULT_STAGE_UNSPECIFIED",
      class: "FAULT_CLASS_UNSPECIFIED",
      transition: false,
      record: "CgD/",
      time: "2023-11-14T22:13:20.250Z",
      hostOnly: false,
      pending: { deadline: "2023-11-14T22:13:20.250Z", stag: 7 },
      diagnosis: {
        verdict: "FAULT_DIAGNOSIS_VERDICT_REPRODUCED",
        summary: "why\u2028",
        rule: "CD_ASID_SIZE",
        section: "§5.4.1",
        structure: "CD",
        address: "4503599627370432",
        raw: ["1"],
        fields: [{ name: "CD.ASID", value: "419" }],
      },
    },
  });
});

test("a gap and a resolution are lines of their own", () => {
  const reason = FaultGapReason.FAULT_GAP_REASON_RATE_LIMIT;
  const suppressed = [{ type: "F_ACCESS", page: 0x9000n, count: 2n, first: 3n, last: 9n }];
  expect(JSON.parse(gapJson({ device: DEVICE, first: 3n, last: 9n, count: 2n, reason, suppressed }))).toEqual({
    gap: {
      device: DEVICE,
      first: "3",
      last: "9",
      count: "2",
      reason: "FAULT_GAP_REASON_RATE_LIMIT",
      suppressed: [{ type: "F_ACCESS", page: "36864", count: "2", first: "3", last: "9" }],
    },
  });
  expect(JSON.parse(resolutionJson({ device: DEVICE, sequence: 3n, outcome: 2 }))).toEqual({
    resolution: { device: DEVICE, sequence: "3", outcome: "FAULT_RESOLUTION_OUTCOME_TIMED_OUT" },
  });
});
