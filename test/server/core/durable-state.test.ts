import { describe, expect, test } from "vitest";
import type { DurableRecord, DurableSession } from "../../../src/server/core/durable.ts";
import { foldRecords } from "../../../src/server/core/durable-state.ts";

const SESSION: DurableSession = {
  id: "s",
  displayName: "vm",
  caller: { kind: "unknown", connection: "tcp-1" },
  tokenDigest: "one",
  liveness: "ttl",
  ttlMs: 1000,
  process: null,
  graceMs: 500,
  transferableTo: [],
  openedMs: 0,
  state: "live",
  lossReason: null,
  aborted: [],
};
const OPENED: DurableRecord = { type: "session", value: SESSION };
const ANSWER: DurableRecord = { type: "answer", value: { session: "s", requestID: "r", digest: "d", answer: "YQ==" } };
const WAITED: DurableRecord = { type: "sessionAbsence", id: "s", usedMs: 100 };
const DEVICE = { id: "d", iommu: "i", group: 1, streamIDs: [8], pasidBits: 0, ats: false };
const mapping = (ipa: number) => ({ ipa, bytes: 4096, path: "/ram", offset: 0, readable: true, writable: true });

describe("of a session", () => {
  test("answers and waiting go with it, and come to nothing after it", () => {
    const state = foldRecords([OPENED, ANSWER, WAITED, { type: "sessionGone", id: "s" }, ANSWER, WAITED]);
    expect([state.sessions.size, state.answers.size, state.absences.size]).toEqual([0, 0, 0]);
  });

  test("another token is another owner, who is told no answer of the one before", () => {
    const claimed: DurableRecord = { type: "session", value: { ...SESSION, tokenDigest: "two" } };
    expect(foldRecords([OPENED, ANSWER, OPENED]).answers.get("s")?.size).toBe(1);
    expect(foldRecords([OPENED, ANSWER, claimed]).answers.size).toBe(0);
  });

  test("waiting counts from its loss, and on through what is told of it while it is lost", () => {
    const lost: DurableRecord = { type: "session", value: { ...SESSION, state: "lost", lossReason: "peer_died" } };
    expect(foldRecords([OPENED, WAITED, lost]).absences.size).toBe(0);
    expect(foldRecords([OPENED, lost, WAITED, lost]).absences.get("s")).toBe(100);
  });
});

test("mappings are differences: what is removed and added at once is there as it was added", () => {
  const change = (removed: number[], added: number[]): DurableRecord => ({
    type: "mappings",
    id: "a",
    removed,
    added: added.map(mapping),
  });
  const { mappings } = foldRecords([change([], [0, 4096]), change([0, 4096], [4096])]);
  expect([...mappings.get("a")!.keys()]).toEqual([4096]);
  expect(foldRecords([change([], [0]), { type: "addressSpaceGone", id: "a" }]).mappings.size).toBe(0);
});

test("a configured device that is removed stays removed, one that was added is forgotten", () => {
  const added: DurableRecord = { type: "deviceAdded", value: DEVICE };
  const removed: DurableRecord = { type: "deviceRemoved", id: "d" };
  expect([...foldRecords([removed]).removedDevices]).toEqual(["d"]);
  expect([...foldRecords([added, removed]).removedDevices]).toEqual([]);
  const again = foldRecords([removed, added]);
  expect([...again.removedDevices, ...again.addedDevices.keys()]).toEqual(["d", "d"]); // first the one, then the other
});

test("a group that comes again is no longer gone, and the floor under generations only rises", () => {
  const group = { id: 3, state: "default-domain", generation: 9, owner: null, virtualIommu: null, vste: null } as const;
  const gone: DurableRecord = { type: "groupGone", id: 3, generation: 8 };
  expect(foldRecords([gone]).goneGroups.get(3)).toBe(8);
  expect(foldRecords([gone, { type: "group", value: group }]).goneGroups.size).toBe(0);
  const floors = [7, 9, 8].map((value): DurableRecord => ({ type: "generationFloor", value }));
  expect(foldRecords(floors).generationFloor).toBe(9);
});
