import { expect, test } from "vitest";
import { FORWARDED_FAULTS, isSameKind, recordedFaults, STALLED_FAULTS } from "../../src/backends/told-faults.ts";
import { EVENT_NUMBER } from "../../src/spec/events.ts";

const ALL = recordedFaults({ ats: true, pri: true });

test("Linux forwards eight kinds, by the numbers of arm_smmu_handle_event and none of stage 2", () => {
  const numbers = new Map<string, number>(Object.entries(EVENT_NUMBER));
  expect(FORWARDED_FAULTS.map(({ type }) => numbers.get(type))).toEqual([
    ...[0x04, 0x06, 0x08, 0x0a, 0x10, 0x11, 0x12, 0x13],
  ]);
  expect(FORWARDED_FAULTS.filter(({ stage }) => stage === 2)).toEqual([]);
});

test("the simulated SMMU records whatever is told natively, and faults of stage 2 by what was accessed", () => {
  for (const kind of [...FORWARDED_FAULTS, ...STALLED_FAULTS]) {
    expect(
      ALL.some((one) => isSameKind(one, kind)),
      `${kind.type} ${kind.stage}`,
    ).toBe(true);
  }
  expect(ALL.filter(({ stage }) => stage === 2)).toHaveLength(12);
});

test("faults of ATS and page requests are told only where a device may make such requests", () => {
  const typesOf = (features: { ats: boolean; pri: boolean }) => recordedFaults(features).map(({ type }) => type);
  const without = typesOf({ ats: false, pri: false });
  expect(typesOf({ ats: true, pri: false }).filter((type) => !without.includes(type))).toEqual([
    ...["F_BAD_ATS_TREQ", "F_TRANSL_FORBIDDEN"],
  ]);
  expect(typesOf({ ats: false, pri: true }).filter((type) => !without.includes(type))).toEqual(["PAGE_REQUEST"]);
});

test("kinds differ by type, by stage and by class", () => {
  const kind = { type: "F_ACCESS", stage: 2, class: "TTD" } as const;
  expect(isSameKind(kind, { ...kind })).toBe(true);
  for (const other of [
    { ...kind, type: "F_PERMISSION" },
    { ...kind, stage: 1 as const },
    { ...kind, class: "CD" as const },
  ]) {
    expect(isSameKind(kind, other)).toBe(false);
  }
});
