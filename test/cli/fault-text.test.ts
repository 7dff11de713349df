import { describe, expect, test } from "vitest";
import { eventText, gapText, resolutionText, timeOf } from "../../src/cli/fault-text.ts";
import {
  FaultClass,
  FaultDiagnosisVerdict,
  type FaultEvent,
  FaultGapReason,
  FaultResolutionOutcome,
  FaultStage,
} from "../../src/client/client.ts";

const PIPE = { columns: undefined, hasColour: false };
const DEVICE = "devices/0000:01:00.0";
/** 2023-11-14T22:13:20.25Z */
const TIME = { seconds: 1_700_000_000n, nanos: 250_000_000 };
const WHEN = "2023-11-14T22:13:20.250Z";

/** Without anything that an event may leave out. */
const BARE: FaultEvent = {
  sequence: 17n,
  device: DEVICE,
  type: "F_TRANSLATION",
  typeNumber: 0x10,
  stage: FaultStage.FAULT_STAGE_UNSPECIFIED,
  class: FaultClass.FAULT_CLASS_UNSPECIFIED,
  transition: false,
  record: new Uint8Array(32),
  time: TIME,
  hostOnly: false,
};

const ACCESS = { inputAddress: 0x7fff_dead_b000n, read: false, instruction: false, privileged: false };
const EVENT: FaultEvent = { ...BARE, ...ACCESS, virtualStreamId: 0x42, stage: FaultStage.FAULT_STAGE_1 };

const DIAGNOSIS: NonNullable<FaultEvent["diagnosis"]> = {
  verdict: FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_REPRODUCED,
  summary: "the level 3 descriptor at IPA 0x40004048 is not valid",
  rule: "DESCRIPTOR_INVALID",
  section: "§3.4",
  structure: "stage 1 descriptor",
  level: 3,
  address: 0x4000_4048n,
  raw: [0n],
  fields: [],
};

describe("an event", () => {
  test.each<[string, FaultEvent, string]>([
    ["of stage 1", EVENT, "F_TRANSLATION  vSID 0x42, stage 1, write of 0x7fff_dead_b000"],
    [
      "of stage 2",
      { ...EVENT, stage: FaultStage.FAULT_STAGE_2, ipa: 0x9000n, read: true, hostOnly: true },
      "F_TRANSLATION  vSID 0x42, stage 2, read of 0x7fff_dead_b000, IPA 0x9000, the host's business",
    ],
    [
      "with a SubstreamID, of a privileged instruction fetch",
      { ...EVENT, substreamId: 5, read: true, instruction: true, privileged: true },
      "F_TRANSLATION  vSID 0x42, SubstreamID 5, stage 1, privileged fetch of 0x7fff_dead_b000",
    ],
    [
      "without an address",
      { ...BARE, virtualStreamId: 0x42, type: "C_BAD_STE", transition: true },
      "C_BAD_STE  vSID 0x42, while the STE was being changed",
    ],
    [
      "of a fetch that failed, before the guest named the device",
      { ...BARE, ...ACCESS, type: "F_CD_FETCH", fetchAddress: 0x1_0000n },
      "F_CD_FETCH  no vSID, write of 0x7fff_dead_b000, its fetch of 0x1_0000",
    ],
    [
      "that waits",
      { ...EVENT, pending: { responseToken: "secret", deadline: { seconds: 1_700_000_010n, nanos: 0 }, stag: 0x1234 } },
      "F_TRANSLATION  vSID 0x42, stage 1, write of 0x7fff_dead_b000, " +
        "waits for an answer (STAG 0x1234) until 2023-11-14T22:13:30.000Z",
    ],
    [
      "of the page request queue",
      {
        ...BARE,
        ...ACCESS,
        virtualStreamId: 0x42,
        type: "PAGE_REQUEST",
        pageRequest: {
          address: 0x5000n,
          groupIndex: 3,
          last: true,
          read: true,
          write: true,
          execute: false,
          privileged: false,
        },
      },
      "PAGE_REQUEST  vSID 0x42, asks for the page at 0x5000 (read and write), group 3, the last of it",
    ],
  ])("%s is a line", (_what, event, expected) => {
    expect(eventText(event, PIPE)).toBe(`${WHEN} 0000:01:00.0 #17 ${expected}\n`);
  });

  test("has its reason behind it in a pipe, and beneath it in a terminal, as wide as that is", () => {
    const event = { ...EVENT, diagnosis: DIAGNOSIS };
    expect(eventText(event, PIPE)).toMatch(/b000 — the level 3 descriptor at IPA 0x40004048 is not valid \(§3\.4\)\n$/);
    expect(eventText(event, { columns: 40, hasColour: false }).split("\n").slice(1)).toEqual([
      "    the level 3 descriptor at IPA",
      "    0x40004048 is not valid (§3.4)",
      "",
    ]);
  });

  test("whose tables have changed since says so", () => {
    const verdict = FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_NO_LONGER_REPRODUCIBLE;
    const diagnosis = { ...DIAGNOSIS, verdict, summary: "the access translates now", section: "" };
    expect(eventText({ ...EVENT, diagnosis }, PIPE)).toMatch(/ — no longer reproducible: the access translates now\n$/);
  });

  test("has nothing in it that a terminal obeys, and no token", () => {
    const diagnosis = { ...DIAGNOSIS, summary: "a\u001b[2J\nb" };
    const pending = { responseToken: "secret" };
    const text = eventText({ ...EVENT, type: "\u001b]0;x\u0007", device: "devices/\u202e", diagnosis, pending }, PIPE);
    for (const bad of ["\u001b", "\u0007", "\u202e", "secret"]) expect(text).not.toContain(bad);
    expect(text.split("\n")).toHaveLength(2);
  });

  test("is coloured on a terminal that has colours", () => {
    expect(eventText(EVENT, { columns: 80, hasColour: true })).toContain("\u001b[31mF_TRANSLATION\u001b[0m");
  });
});

test.each([
  [{ count: 7n, reason: FaultGapReason.FAULT_GAP_REASON_RING_OVERRUN }, "7 events lost, this reader was slower"],
  [{ count: 0n, reason: FaultGapReason.FAULT_GAP_REASON_HARDWARE_OVERFLOW }, "events lost, nobody knows how many, the"],
  [{ count: 1n, reason: FaultGapReason.FAULT_GAP_REASON_RELEASED }, "1 event lost, the device was released"],
  [{ count: 2n, reason: FaultGapReason.FAULT_GAP_REASON_RESTART }, "2 events lost, the broker was restarted"],
  [{ count: 7n, reason: 99 }, "7 events lost, reason 99"],
])("a gap is a line with how much and why", (change, expected) => {
  const gap = { device: DEVICE, first: 3n, last: 9n, suppressed: [], ...change };
  expect(gapText(gap, PIPE)).toMatch(/^-- 0000:01:00\.0 #3 to #9: .*\n$/);
  expect(gapText(gap, PIPE)).toContain(expected);
});

test.each([
  [9n, "#3 to #9"],
  [3n, "#3"],
])("numbers that a restart leaves open, up to #%i, are told as what they are, and not as a loss", (last, numbers) => {
  const gap = { device: DEVICE, first: 3n, last, count: 0n, reason: FaultGapReason.FAULT_GAP_REASON_RESTART };
  expect(gapText({ ...gap, suppressed: [] }, PIPE)).toBe(
    `-- 0000:01:00.0 ${numbers}: set aside before the broker was restarted or the device removed, and may never have been used\n`,
  );
  expect(gapText({ ...gap, suppressed: [] }, { columns: 80, hasColour: true })).not.toContain("\u001b[33m");
});

test("a gap of the rate limit tells what was held back", () => {
  const suppressed = [
    { type: "F_TRANSLATION", page: 0x9000n, count: 900n, first: 3n, last: 950n },
    { type: "", count: 48n, first: 10n, last: 949n },
  ];
  const reason = FaultGapReason.FAULT_GAP_REASON_RATE_LIMIT;
  expect(gapText({ device: DEVICE, first: 3n, last: 950n, count: 948n, reason, suppressed }, PIPE)).toBe(
    "-- 0000:01:00.0 #3 to #950: 948 events lost, more came than limits.fault_events_per_second lets pass: " +
      "900 F_TRANSLATION at 0x9000, 48 others\n",
  );
});

test.each([
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_ANSWERED, "was answered"],
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_TIMED_OUT, "was ended: nobody answered in time"],
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_OWNER_GONE, "was ended: its owner is gone"],
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_STAGE_CHANGED, "was ended: the device's stage was changed"],
])("outcome %i is a line", (outcome, expected) => {
  expect(resolutionText({ device: DEVICE, sequence: 17n, outcome, time: TIME }, PIPE)).toBe(
    `${WHEN} 0000:01:00.0 #17 ${expected}\n`,
  );
});

test("a time that no clock has is none", () => {
  expect(timeOf({ seconds: 2n ** 63n, nanos: 0 })).toBeUndefined();
});
