import { describe, expect, test } from "vitest";
import { recordsOf } from "../../../src/server/store/codec.ts";
import { refusal } from "../../support/host.ts";

const GROUP = {
  type: "group",
  value: { id: 3, state: "guest-nested", generation: 9, owner: "s", virtualIommu: "v", vste: ["0x4000000b", "0x0"] },
};

test("a record comes back as it was written", () => {
  expect(recordsOf([GROUP, { type: "sessionGone", id: "s" }], "/state")).toEqual([
    GROUP,
    { type: "sessionGone", id: "s" },
  ]);
});

const SESSION = {
  id: "s",
  displayName: "vm 1",
  tokenDigest: "0".repeat(64),
  liveness: "ttl",
  ttlMs: 30_000,
  process: null,
  graceMs: 0,
  transferableTo: [],
  openedMs: 1_700_000_000_000,
  state: "live",
  lossReason: null,
  aborted: [],
};

describe("whoever opened a session comes back as it was written", () => {
  const process = { kind: "process", uid: 1000, gid: 100, pid: 42, connection: "uds-1" };
  test.each([
    ["a process that nothing more is known of", process],
    ["a process", { ...process, executable: "/usr/bin/vmm", cgroup: "/vmm.slice", startTime: 123_456_789 }],
    ["a certificate", { kind: "certificate", name: "spiffe://example.org/vmm/7", connection: "tls-2" }],
    ["a TCP client", { kind: "unknown", connection: "tcp-3" }],
  ])("%s", (_who, caller) => {
    const record = { type: "session", value: { ...SESSION, caller } };
    expect(recordsOf([record], "/state")).toEqual([record]);
  });
});

test("a session comes back with what it hangs on, whom it may go to, and what its loss did", () => {
  const caller = { kind: "unknown", connection: "tcp-3" };
  const hanging = { liveness: "peer-process", ttlMs: 0, process: { pid: 42, birth: "1234@boot" }, graceMs: 500 };
  const gone = { state: "lost", lossReason: "peer_died", aborted: [{ group: 3, generation: 9 }] };
  const record = { type: "session", value: { ...SESSION, caller, ...hanging, ...gone, transferableTo: ["uid:7"] } };
  expect(recordsOf([record], "/state")).toEqual([record]);
});

test("a mapping of memory that was passed comes back with its label and length", () => {
  const range = { ipa: 0x4000_0000, bytes: 4096, offset: 0, readable: true, writable: false };
  const passed = { ...range, path: "ticket:ram", passed: { label: "ram", bytes: 8192 } };
  const record = { type: "mappings", id: "a", removed: [0], added: [{ ...range, path: "/ram" }, passed] };
  expect(recordsOf([record], "/state")).toEqual([record]);
});

test.each([
  { type: "answer", value: { session: "s", requestID: "a", digest: "d", answer: "YQ==" } },
  { type: "answer", value: { session: "s", requestID: "a", digest: "d", answer: null } },
  { type: "sessionAbsence", id: "s", usedMs: 156.25 },
  { type: "groupGone", id: 3, generation: 9 },
  { type: "generationFloor", value: 9 },
  { type: "deviceAdded", value: { id: "d", iommu: "i", group: 1, streamIDs: [8], pasidBits: 0, ats: true } },
  {
    type: "deviceAdded",
    value: { id: "d", iommu: "i", group: 1, streamIDs: [8], pasidBits: 0, ats: true, pri: true, stall: true },
  },
])("$type comes back as it was written", (record) => {
  expect(recordsOf([record], "/state")).toEqual([record]);
});

test("a session comes back with the call that was given its token", () => {
  const caller = { kind: "unknown", connection: "tcp-3" };
  const issue = { scope: "1000/42/7", requestID: "boot", digest: "d", isUsed: true };
  const record = { type: "session", value: { ...SESSION, caller, issue } };
  expect(recordsOf([record], "/state")).toEqual([record]);
});

test("intents and outcomes are history, not state", () => {
  const intent = { kind: "intent", verb: "attach", session: "s", subject: "group/3", generation: 1, result: "pending" };
  expect(recordsOf([intent, GROUP], "/state")).toEqual([GROUP]);
});

describe("what this version does not write is refused and named", () => {
  test.each([
    ["no list", { type: "group" }, /no list/],
    [
      "an answer that is not base64",
      [{ type: "answer", value: { session: "s", requestID: "a", digest: "d", answer: "é" } }],
      /base64/,
    ],
    ["an unknown type", [{ type: "lease", id: "s" }], /type/],
    ["a state that is none", [{ ...GROUP, value: { ...GROUP.value, state: "s1-only" } }], /state/],
    ["a generation below zero", [{ ...GROUP, value: { ...GROUP.value, generation: -1 } }], /generation/],
    [
      "a doubleword of 65 bits",
      [{ ...GROUP, value: { ...GROUP.value, vste: ["0x10000000000000000", "0x0"] } }],
      /vste/,
    ],
    ["a field too many", [{ ...GROUP, value: { ...GROUP.value, colour: "red" } }], /colour/],
    ["a field missing", [{ type: "device", value: { id: "d", attached: true } }], /virtualStreamID/],
  ])("%s", async (_what, payload, named) => {
    const error = await refusal(() => recordsOf(payload, "/state"));
    expect(error).toMatchObject({ code: "backend_failed", message: expect.stringMatching(named) });
    expect(error).toMatchObject({
      message: expect.stringMatching(/^\/state was written by another version: start that one/),
    });
    expect(error).toMatchObject({ message: expect.not.stringContaining("\n") });
  });
});
