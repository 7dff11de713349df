import { describe, expect, test } from "vitest";
import {
  afterRestart,
  afterStall,
  isLapsed,
  isOver,
  lost,
  openSession,
  reasonOfLapse,
  renewed,
  revived,
} from "../../../src/server/core/session.ts";
import { CALLER } from "../../support/host.ts";

const COMMON = {
  id: "s",
  displayName: "vmm",
  caller: CALLER,
  tokenDigest: "d",
  transferableTo: [],
  openedMs: 1_700_000_000_000,
};
const PROCESS = { pid: 42, birth: "noon" };
const leased = openSession({ ...COMMON, liveness: "ttl", process: undefined, ttlMs: 100, graceMs: 30 }, 1000);
const hanging = openSession({ ...COMMON, liveness: "peer-process", process: PROCESS, ttlMs: 0, graceMs: 30 }, 1000);
const graceless = { ...leased, graceMs: 0 };

describe("a live session", () => {
  test("with a lease lasts until its deadline and is over at it", () => {
    expect(leased.deadlineMs).toBe(1100);
    expect([1000, 1099, 1100, 1101].map((now) => isLapsed(leased, now))).toEqual([false, false, true, true]);
  });

  test("that hangs on a process never lapses", () => {
    expect([1000, 1e15].map((now) => isLapsed(hanging, now))).toEqual([false, false]);
    expect(renewed(hanging, 5000)).toEqual(hanging);
  });

  test("that is renewed has the whole lease from now, and nothing else changes", () => {
    expect(renewed(leased, 1099)).toEqual({ ...leased, deadlineMs: 1199 });
  });

  test("whose lease has lapsed may come back for as long as its grace, looked at or not", () => {
    expect([1099, 1100, 1129, 1130].map((now) => isOver(leased, now))).toEqual([false, false, false, true]);
    expect([1099, 1100].map((now) => isOver(graceless, now))).toEqual([false, true]);
  });
});

describe("a lost session", () => {
  const gone = lost(hanging, "peer_died", 2000);

  test("has its grace from then, and remembers why", () => {
    expect(gone).toEqual({ ...hanging, state: "lost", lossReason: "peer_died", deadlineMs: 2030 });
    expect([2029, 2030].map((now) => isOver(gone, now))).toEqual([false, true]);
    expect(reasonOfLapse(gone)).toBe("peer_died");
  });

  test("without grace is over at once", () => {
    expect(isOver(lost(graceless, "lease_expired", 2000), 2000)).toBe(true);
  });

  test("forgets what an earlier loss set to abort", () => {
    expect(lost({ ...leased, aborted: [{ group: 1, generation: 2 }] }, "lease_expired", 2000).aborted).toEqual([]);
  });

  test("that is revived is live in the hands of who came, by what he hangs on", () => {
    const other = { ...CALLER, pid: 43 };
    const presence = { liveness: "peer-process", process: { pid: 43, birth: "one" }, ttlMs: 0 } as const;
    expect(revived(gone, other, presence, 2020)).toEqual({ ...hanging, ...presence, caller: other });
  });
});

describe("after a restart", () => {
  test("a session has the window to come back, or its lease where that is longer", () => {
    expect(afterRestart(leased, 5000, 0, 10)).toEqual({ ...leased, state: "restored", deadlineMs: 5010 });
    expect(afterRestart(leased, 50, 0, 10).deadlineMs).toBe(110);
    expect(afterRestart(hanging, 5000, 0, 10)).toEqual({ ...hanging, state: "restored", deadlineMs: 5010 });
  });

  test("a session that has no process to hang on yet is not renewed by who cannot be watched", () => {
    const restored = afterRestart(hanging, 5000, 0, 10);
    expect(renewed(restored, 4000)).toEqual(restored);
  });

  test("a lost one is lost still, and has its grace again, the window at least; without grace it has nothing", () => {
    const gone = lost(leased, "lease_expired", 2000);
    expect(afterRestart(gone, 5000, 0, 10)).toEqual({ ...gone, deadlineMs: 5010 });
    expect(afterRestart(gone, 5, 0, 10).deadlineMs).toBe(40);
    expect(afterRestart(lost(graceless, "lease_expired", 2000), 5000, 0, 10).deadlineMs).toBe(10);
  });

  test("a session that nobody came back for is lost for that, or for its lease", () => {
    expect(reasonOfLapse(afterRestart(hanging, 5000, 0, 10))).toBe("not_resumed");
    expect(reasonOfLapse(afterRestart(leased, 5000, 0, 10))).toBe("lease_expired");
  });
});

test("after a stall every state has its full time again", () => {
  expect(afterStall(leased, 5000, 3000).deadlineMs).toBe(3100);
  expect(afterStall(hanging, 5000, 3000).deadlineMs).toBe(Number.POSITIVE_INFINITY);
  expect(afterStall(afterRestart(hanging, 5000, 0, 10), 5000, 3000).deadlineMs).toBe(8000);
  expect(afterStall(lost(leased, "lease_expired", 2000), 5000, 3000).deadlineMs).toBe(3030);
});
