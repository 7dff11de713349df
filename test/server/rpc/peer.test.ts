import { expect, test } from "vitest";
import { callerOf } from "../../../src/server/rpc/peer.ts";

test("a peer on a Unix socket is the process that the kernel named", () => {
  const credentials = { uid: 1000, gid: 100, pid: 42 };
  const identity = { executable: "/usr/bin/vmm", cgroup: "/vmm.slice", startTime: 7 };
  expect(callerOf("uds-1", { kind: "unix", credentials, identity })).toEqual({
    kind: "process",
    connection: "uds-1",
    ...credentials,
    ...identity,
  });
  expect(callerOf("uds-2", { kind: "unix", credentials, identity: {} })).toEqual({
    kind: "process",
    connection: "uds-2",
    ...credentials,
  });
});

test("a peer over TLS is the name in its certificate", () => {
  const peer = { kind: "certificate", name: "spiffe://example.org/vmm/7", address: "10.0.0.2:4000" } as const;
  expect(callerOf("tls-3", peer)).toEqual({ kind: "certificate", name: peer.name, connection: "tls-3" });
});

test("over plain TCP nobody vouches for anything", () => {
  const peer = { kind: "tcp", address: "127.0.0.1:4000" } as const;
  expect(callerOf("tcp-2", peer)).toEqual({ kind: "unknown", connection: "tcp-2" });
});

test("a connection's caller stays one object, and another connection's is another", () => {
  const peer = { kind: "tcp", address: "127.0.0.1:4000" } as const;
  const caller = callerOf("tcp-2", peer);
  expect(callerOf("tcp-2", peer)).toBe(caller);
  expect(callerOf("tcp-3", peer)).toEqual({ kind: "unknown", connection: "tcp-3" });
  expect(callerOf("tcp-2", { ...peer })).not.toBe(caller);
});
