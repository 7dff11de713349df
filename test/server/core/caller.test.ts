import { expect, test } from "vitest";
import {
  type Caller,
  describeCaller,
  identityOf,
  isSameIdentity,
  lastingScope,
  type ProcessCaller,
  replayScope,
  uidOf,
} from "../../../src/server/core/caller.ts";

const unix = (uid: number, pid: number, connection = "uds-1"): ProcessCaller => ({
  kind: "process",
  uid,
  gid: 0,
  pid,
  connection,
});
const certificate = (name: string, connection = "tls-1"): Caller => ({ kind: "certificate", name, connection });
const tcp = (connection: string): Caller => ({ kind: "unknown", connection });

test("a process on a Unix socket is the same caller on every connection it makes", () => {
  expect(replayScope(unix(1000, 42, "uds-1"))).toBe(replayScope(unix(1000, 42, "uds-2")));
});

test.each([
  ["another process", unix(1000, 43)],
  ["the same pid under another uid", unix(1001, 42)],
  ["a later process that was given the same pid", { ...unix(1000, 42), startTime: 8 }],
  ["uid and pid the other way round", unix(42, 1000)],
])("%s is another caller", (_who, caller) => {
  expect(replayScope(caller)).not.toBe(replayScope({ ...unix(1000, 42), startTime: 7 }));
});

test("over TCP, and where the kernel has no pid, a caller is its connection", () => {
  expect([replayScope(tcp("one")), replayScope(unix(1000, 0, "one"))]).toEqual(["one", "one"]);
  expect([replayScope(tcp("two")), replayScope(unix(1000, 0, "two"))]).toEqual(["two", "two"]);
});

test("a process and a certificate's name outlive a restart of the daemon, a connection does not", () => {
  const lasting = [unix(1000, 42), certificate("spiffe://example.org/vmm/7")];
  expect(lasting.map(lastingScope)).toEqual(lasting.map(replayScope));
  expect([tcp("tcp-1"), unix(1000, 0)].map(lastingScope)).toEqual([undefined, undefined]);
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

test("a certificate's name is its holder's identity on every connection, and its retries come from there", () => {
  const owner = certificate("spiffe://example.org/vmm/7");
  const again = certificate("spiffe://example.org/vmm/7", "tls-9");
  const other = certificate("spiffe://example.org/vmm/70");
  expect([isSameIdentity(owner, again), isSameIdentity(owner, other)]).toEqual([true, false]);
  expect(replayScope(owner)).toBe(replayScope(again));
  expect(replayScope(owner)).not.toBe(replayScope(other));
  expect(uidOf(owner)).toBeUndefined();
});

test("nobody is another's equal across kinds, whatever a certificate calls itself", () => {
  const all = [unix(1000, 42), certificate("uid:1000"), certificate("tcp"), tcp("tcp-1")];
  for (const owner of all) {
    expect(all.filter((other) => isSameIdentity(owner, other))).toEqual([owner]);
  }
});

test("an identity and a caller are told in words", () => {
  const callers = [unix(1000, 42), certificate("vmm.example.org"), tcp("tcp-1")];
  expect(callers.map(identityOf)).toEqual(["uid:1000", "vmm.example.org", "tcp"]);
  expect(callers.map(describeCaller)).toEqual([
    "pid 42 of uid 1000",
    "the holder of certificate vmm.example.org",
    "a TCP client",
  ]);
});
