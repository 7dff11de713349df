import { expect, test } from "vitest";
import { type Peer, replayScope, uidOf } from "../../../src/server/rpc/peer.ts";

const unix = (uid: number, pid: number): Peer => ({ kind: "unix", credentials: { uid, pid, gid: 0 } });
const TCP: Peer = { kind: "tcp", address: "127.0.0.1:4000" };

test("a process on a Unix socket is the same caller on every connection it makes", () => {
  expect(replayScope("uds-1", unix(1000, 42))).toBe(replayScope("uds-2", unix(1000, 42)));
});

test.each([
  ["another process", "uds-2", unix(1000, 43)],
  ["the same pid under another uid", "uds-2", unix(1001, 42)],
  ["uid and pid the other way round", "uds-2", unix(42, 1000)],
])("%s is another caller", (_who, connection, peer) => {
  expect(replayScope(connection, peer)).not.toBe(replayScope("uds-1", unix(1000, 42)));
});

test("over TCP, and where the kernel has no pid, a caller is its connection", () => {
  for (const peer of [TCP, unix(1000, 0)]) {
    expect(replayScope("one", peer)).toBe(replayScope("one", peer));
    expect(replayScope("one", peer)).not.toBe(replayScope("two", peer));
  }
});

test("a connection that is gone is nobody", () => {
  expect([replayScope("uds-1", undefined), uidOf(undefined)]).toEqual([undefined, undefined]);
});

test("only a Unix socket tells a uid", () => {
  expect([uidOf(unix(1000, 42)), uidOf(unix(0, 0)), uidOf(TCP)]).toEqual([1000, 0, undefined]);
});
