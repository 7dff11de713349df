import { expect, test } from "vitest";
import { callerOf } from "../../../src/server/rpc/peer.ts";

test("a peer on a Unix socket is the process that the kernel named", () => {
  const peer = { kind: "unix", credentials: { uid: 1000, gid: 100, pid: 42 } } as const;
  expect(callerOf("uds-1", peer)).toEqual({ kind: "process", uid: 1000, gid: 100, pid: 42, connection: "uds-1" });
});

test("over TCP nobody vouches for anything", () => {
  const peer = { kind: "tcp", address: "127.0.0.1:4000" } as const;
  expect(callerOf("tcp-2", peer)).toEqual({ kind: "unknown", connection: "tcp-2" });
});
