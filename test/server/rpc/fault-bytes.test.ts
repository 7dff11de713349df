import { describe, expect, test } from "vitest";
import type { FaultDiagnosis } from "../../../src/backends/diagnosis.ts";
import { FaultDiagnosisVerdict, FaultResolutionOutcome } from "../../../src/client/client.ts";
import { plain } from "../../../src/client/plain.ts";
import type { FaultBatch } from "../../../src/server/core/fault-verbs.ts";
import {
  DIAGNOSES_PER_MESSAGE_MAX,
  FAULT_BYTES,
  type FaultReader,
  faultMessages,
} from "../../../src/server/rpc/fault-bytes.ts";
import { NIC } from "../../support/fake-core.ts";
import { batchOf, eventBatch, FAULT, faultEvent, faultGap, resolution, stalled } from "../../support/fault-samples.ts";

const OWNER: FaultReader = { view: "owner", types: undefined, diagnose: undefined, messageBytesMax: 2 ** 21 };
const OBSERVER: FaultReader = { ...OWNER, view: "observer" };

function decoded(batch: FaultBatch, reader: FaultReader = OWNER) {
  return [...faultMessages(batch, reader)].map((bytes) => plain(FAULT_BYTES.decode(bytes)));
}

/** What each message has: sequence numbers of events, first numbers of gaps, numbers of resolutions. */
function contents(batch: FaultBatch, reader: FaultReader = OWNER) {
  return decoded(batch, reader).map(({ events, gaps, resolutions }) => ({
    events: events.map(({ sequence }) => Number(sequence)),
    gaps: gaps.map(({ first }) => Number(first)),
    resolutions: resolutions.map(({ sequence }) => Number(sequence)),
  }));
}

describe("a segment", () => {
  test("is encoded once: every reader is given the same bytes", () => {
    const batch = batchOf(faultEvent(1), faultEvent(2), resolution(1));
    const [first] = faultMessages(batch, OWNER);
    const [second] = faultMessages(batch, { ...OWNER });
    const [observed] = faultMessages(batch, OBSERVER);
    const [wanting] = faultMessages(batch, { ...OWNER, types: new Set(["F_TRANSLATION", "C_BAD_CD"]) });
    expect(first?.length).toBeGreaterThan(0);
    for (const other of [second, observed, wanting]) {
      expect([other?.buffer === first?.buffer, other?.byteOffset, other?.length]).toEqual([
        true,
        first?.byteOffset,
        first?.length,
      ]);
    }
  });

  test("is given in part, without being encoded anew", () => {
    const { slices } = eventBatch(1, 2, 3, 4, 5);
    const [{ segment } = { segment: undefined }] = slices;
    if (segment === undefined) throw new Error("no segment");
    const [whole] = faultMessages({ slices, gaps: [] }, OWNER);
    const middle: FaultBatch = { slices: [{ segment, from: 1, to: 3 }], gaps: [] };
    expect(contents(middle)).toEqual([{ events: [2, 3], gaps: [], resolutions: [] }]);
    const [part] = faultMessages(middle, OWNER);
    expect(part?.buffer).toBe(whole?.buffer);
  });

  test("whose bytes nobody asked for for long is encoded anew", () => {
    const old = batchOf(faultEvent(1, { record: new Uint8Array(2 ** 20) }));
    const [before] = faultMessages(old, OWNER);
    // 32 MiB of others are kept.
    for (let other = 0; other < 33; other += 1) {
      const [bytes] = faultMessages(batchOf(faultEvent(other, { record: new Uint8Array(2 ** 20) })), OWNER);
      expect(bytes?.length).toBeGreaterThan(2 ** 20);
    }
    const [after] = faultMessages(old, OWNER);
    expect(after?.equals(before ?? Buffer.alloc(0))).toBe(true);
    expect(after?.buffer).not.toBe(before?.buffer);
  });
});

describe("what waits", () => {
  test("has its token for its owner, and for an observer everything but the token", () => {
    const batch = batchOf(stalled(7));
    const [[owned], [observed]] = [decoded(batch), decoded(batch, OBSERVER)];
    const deadline = { seconds: 1_700_000_010n, nanos: 250_000_000 };
    expect(owned?.events[0]?.pending).toEqual({ responseToken: "answer-7", deadline, stag: 0xffff });
    expect(observed?.events[0]?.pending).toEqual({ responseToken: "", deadline, stag: 0xffff });
    const [bytes] = faultMessages(batch, OBSERVER);
    expect(bytes?.includes("answer-7")).toBe(false);
  });
});

describe("a filter by type", () => {
  const MIXED = batchOf(
    faultEvent(1),
    faultEvent(2, { type: "C_BAD_CD" }),
    faultGap({ first: 3, last: 3 }),
    faultEvent(4, { type: "C_BAD_CD" }),
    resolution(1),
    faultEvent(5),
  );

  test("leaves the events of its types, all gaps and all resolutions", () => {
    expect(contents(MIXED, { ...OWNER, types: new Set(["C_BAD_CD"]) })).toEqual([
      { events: [2, 4], gaps: [3], resolutions: [1] },
    ]);
    expect(contents(MIXED, { ...OWNER, types: new Set(["C_BAD_STE"]) })).toEqual([
      { events: [], gaps: [3], resolutions: [1] },
    ]);
  });

  test("that leaves nothing makes no message", () => {
    expect(contents(eventBatch(1, 2), { ...OWNER, types: new Set(["C_BAD_CD"]) })).toEqual([]);
  });
});

describe("a message", () => {
  test("has what this reader alone lost, and the slices of several devices in order", () => {
    const nic = batchOf(faultEvent(8, { device: NIC }));
    const batch = { slices: [...eventBatch(10, 11).slices, ...nic.slices], gaps: [faultGap({ first: 2, last: 9 })] };
    expect(contents(batch)).toEqual([{ events: [10, 11, 8], gaps: [2], resolutions: [] }]);
  });

  test.each([200, 500, 4096])("has at most %i bytes where that many are the limit", (messageBytesMax) => {
    const numbers = Array.from({ length: 100 }, (_, index) => index + 1);
    const batch = { slices: [...eventBatch(...numbers).slices, ...eventBatch(...numbers).slices], gaps: [] };
    const reader = { ...OWNER, messageBytesMax };
    const lengths = [...faultMessages(batch, reader)].map(({ length }) => length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(messageBytesMax);
    expect(contents(batch, reader).flatMap(({ events }) => events)).toEqual([...numbers, ...numbers]);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    // Full but for less than one event each, and the last.
    expect(lengths.length).toBeLessThanOrEqual(Math.ceil(total / (messageBytesMax - 160)) + 1);
  });

  test("of several segments is put together once for readers that keep step, and anew for one with a loss of its own", () => {
    const slices = [...eventBatch(1, 2).slices, ...eventBatch(3).slices];
    const [first] = faultMessages({ slices, gaps: [] }, OWNER);
    const [second] = faultMessages({ slices, gaps: [] }, { ...OWNER });
    expect(second).toBe(first);
    const late = { slices, gaps: [faultGap({ first: 1, last: 1 })] };
    const [third] = faultMessages(late, OWNER);
    expect([third === first, contents(late)]).toEqual([false, [{ events: [1, 2, 3], gaps: [1], resolutions: [] }]]);
    expect(contents({ slices: slices.slice(1), gaps: [] })).toEqual([{ events: [3], gaps: [], resolutions: [] }]);
  });

  test("with one event that is longer than the limit has it alone", () => {
    const long = faultEvent(2, { record: new Uint8Array(300) });
    expect(contents(batchOf(faultEvent(1), long, faultEvent(3)), { ...OWNER, messageBytesMax: 200 })).toEqual([
      { events: [1], gaps: [], resolutions: [] },
      { events: [2], gaps: [], resolutions: [] },
      { events: [3], gaps: [], resolutions: [] },
    ]);
  });
});

describe("a diagnosis", () => {
  const FOUND: FaultDiagnosis = {
    verdict: "reproduced",
    summary: "CD.ASID 0x1a3 needs 16 bits, and IDR0.ASID16 is 0",
    cause: {
      rule: "CD_ASID_SIZE",
      section: "§5.4.1",
      structure: "CD",
      level: undefined,
      address: 2n ** 52n - 64n,
      raw: [2n ** 64n - 1n, 0n],
      fields: [
        { name: "CD.ASID", value: 0x1a3n },
        { name: "IDR0.ASID16", value: 0n },
      ],
    },
  };
  const REPRODUCED = {
    verdict: FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_REPRODUCED,
    summary: FOUND.summary,
    rule: "CD_ASID_SIZE",
    section: "§5.4.1",
    structure: "CD",
    address: 2n ** 52n - 64n,
    raw: [2n ** 64n - 1n, 0n],
    fields: FOUND.cause.fields,
  };

  test("is in the event it belongs to, which is otherwise as without one", () => {
    const batch = batchOf(faultEvent(1), resolution(1), faultEvent(2), faultGap());
    const [plainly] = decoded(batch);
    const [message] = decoded(batch, { ...OWNER, diagnose: ({ sequence }) => (sequence === 1 ? FOUND : undefined) });
    expect(message?.events).toEqual([
      { ...plainly?.events[0], diagnosis: REPRODUCED },
      {
        ...plainly?.events[1],
        diagnosis: {
          verdict: FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_OVER_BUDGET,
          summary: expect.stringContaining("fault_diagnoses_per_second"),
          rule: "",
          section: "",
          structure: "",
          raw: [],
          fields: [],
        },
      },
    ]);
    expect(message?.gaps).toEqual(plainly?.gaps);
    expect(message?.resolutions.map(({ outcome }) => outcome)).toEqual([
      FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_ANSWERED,
    ]);
  });

  test("has the level where there is one, 0 included", () => {
    const cause = { ...FOUND.cause, level: 0 };
    const [message] = decoded(eventBatch(1), { ...OWNER, diagnose: () => ({ ...FOUND, cause }) });
    expect(message?.events[0]?.diagnosis?.level).toBe(0);
  });

  test.each([
    ["no-longer-reproducible", FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_NO_LONGER_REPRODUCIBLE],
    ["not-applicable", FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_NOT_APPLICABLE],
  ] as const)("that is %s says why", (verdict, expected) => {
    const [message] = decoded(eventBatch(1), { ...OWNER, diagnose: () => ({ verdict, summary: "why" }) });
    expect(message?.events[0]?.diagnosis).toMatchObject({ verdict: expected, summary: "why", rule: "" });
  });

  test("is never an observer's way to a token", () => {
    const [bytes] = faultMessages(batchOf(stalled(7)), { ...OBSERVER, diagnose: () => FOUND });
    expect(bytes?.includes("answer-7")).toBe(false);
    expect(plain(FAULT_BYTES.decode(bytes ?? Buffer.alloc(0))).events[0]).toMatchObject({
      pending: { stag: 0xffff },
      diagnosis: REPRODUCED,
    });
  });

  test("is made for what passes the filter, when its message is asked for, so many a message", () => {
    const made: number[] = [];
    const numbers = Array.from({ length: 2 * DIAGNOSES_PER_MESSAGE_MAX + 2 }, (_, index) => index + 1);
    const batch = batchOf(
      ...numbers.map((sequence) => faultEvent(sequence, { type: sequence % 2 === 0 ? "C_BAD_CD" : FAULT.type })),
    );
    const messages = faultMessages(batch, {
      ...OWNER,
      types: new Set(["C_BAD_CD"]),
      diagnose: ({ sequence }) => {
        made.push(sequence);
        return { ...FOUND };
      },
    });
    const even = numbers.filter((sequence) => sequence % 2 === 0);
    messages.next();
    expect(made).toEqual(even.slice(0, DIAGNOSES_PER_MESSAGE_MAX));
    messages.next();
    expect(made).toEqual(even);
    expect(messages.next().done).toBe(true);
  });

  test("that was found for the page already, or is over the budget, takes no turn of its own", () => {
    const batch = eventBatch(...Array.from({ length: 100 }, (_, index) => index + 1));
    expect(decoded(batch, { ...OWNER, diagnose: () => FOUND })).toHaveLength(1);
    expect(decoded(batch, { ...OWNER, diagnose: () => undefined })).toHaveLength(1);
  });
});
