import { expect, test } from "vitest";
import { type Caller, isSameIdentity, replayScope, uidOf } from "../../../src/server/core/caller.ts";

const unix = (uid: number, pid: number, connection = "uds-1"): Caller => ({
  kind: "process",
  uid,
  gid: 0,
  pid,
  connection,
});
const tcp = (connection: string): Caller => ({ kind: "unknown", connection });

test("a process on a Unix socket is the same caller on every connection it makes", () => {
  expect(replayScope(unix(1000, 42, "uds-1"))).toBe(replayScope(unix(1000, 42, "uds-2")));
});

test.each([
  ["another process", unix(1000, 43)],
  ["the same pid under another uid", unix(1001, 42)],
  ["uid and pid the other way round", unix(42, 1000)],
])("%s is another caller", (_who, caller) => {
  expect(replayScope(caller)).not.toBe(replayScope(unix(1000, 42)));
});

test("over TCP, and where the kernel has no pid, a caller is its connection", () => {
  expect([replayScope(tcp("one")), replayScope(unix(1000, 0, "one"))]).toEqual(["one", "one"]);
  expect([replayScope(tcp("two")), replayScope(unix(1000, 0, "two"))]).toEqual(["two", "two"]);
});

test("only a Unix socket tells a uid", () => {
  expect([uidOf(unix(1000, 42)), uidOf(unix(0, 0)), uidOf(tcp("tcp-1"))]).toEqual([1000, 0, undefined]);
});

test("an identity is the uid, whatever process and connection; a process is nobody's equal over TCP", () => {
  const owner = unix(1000, 42);
  expect(isSameIdentity(owner, unix(1000, 43, "uds-7"))).toBe(true);
  expect(isSameIdentity(owner, unix(1001, 42))).toBe(false);
  expect(isSameIdentity(owner, tcp("tcp-1"))).toBe(false);
  expect(isSameIdentity(tcp("tcp-1"), owner)).toBe(false);
});
