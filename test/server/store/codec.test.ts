import { describe, expect, test } from "vitest";
import { recordsOf } from "../../../src/server/store/codec.ts";
import { refusal } from "../../support/host.ts";

const GROUP = {
  type: "group",
  value: { id: 3, state: "guest-nested", generation: 9, owner: "s", virtualIommu: "v", vste: ["0x4000000b", "0x0"] },
};

test("a record comes back as it was written", () => {
  expect(recordsOf([GROUP, { type: "sessionGone", id: "s" }])).toEqual([GROUP, { type: "sessionGone", id: "s" }]);
});

describe("whoever opened a session comes back as it was written", () => {
  const process = { kind: "process", uid: 1000, gid: 100, pid: 42, connection: "uds-1" };
  test.each([
    ["a process that nothing more is known of", process],
    ["a process", { ...process, executable: "/usr/bin/vmm", cgroup: "/vmm.slice", startTime: 123_456_789 }],
    ["a certificate", { kind: "certificate", name: "spiffe://example.org/vmm/7", connection: "tls-2" }],
    ["a TCP client", { kind: "unknown", connection: "tcp-3" }],
  ])("%s", (_who, caller) => {
    const record = {
      type: "session",
      value: { id: "s", displayName: "vm 1", caller, tokenDigest: "0".repeat(64), ttlMs: 30_000 },
    };
    expect(recordsOf([record])).toEqual([record]);
  });
});

test("intents and outcomes are history, not state", () => {
  const intent = { kind: "intent", verb: "attach", session: "s", subject: "group/3", generation: 1, result: "pending" };
  expect(recordsOf([intent, GROUP])).toEqual([GROUP]);
});

describe("what this version does not write is refused and named", () => {
  test.each([
    ["no list", { type: "group" }, /no list/],
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
    const error = await refusal(() => recordsOf(payload));
    expect(error).toMatchObject({ code: "backend_failed", message: expect.stringMatching(named) });
  });
});
