// A daemon that is restarted again and again: whose owner is gone ends all the same, whose owner comes has all its time.

import { describe, expect, test } from "vitest";
import { attach, CALLER, type Guest, guest, NVME, refusal, type TestHost, testHost } from "../../support/host.ts";

const LEASE_MS = 8000; // longer than the window: what a restored session has to come back
const SHARES = 64;

async function busy(terms: Parameters<typeof guest>[1] = {}): Promise<{ host: TestHost; vmm: Guest }> {
  const host = testHost();
  await host.core.recover([]);
  const vmm = await guest(host, { terms: { ttlMs: LEASE_MS, ...terms.terms } });
  await attach(host, vmm, NVME);
  return { host, vmm };
}

/** A life that lasts so long, with a reaper that looks twice a second. */
async function nextLife(before: TestHost, lifeMs: number): Promise<TestHost> {
  const host = testHost({ after: before });
  await host.core.recover([...before.core.image()]);
  for (let livedMs = 0; livedMs + 500 <= lifeMs; livedMs += 500) {
    host.clock.advance(500);
    await host.core.reapExpired();
  }
  host.clock.advance(lifeMs % 500);
  return host;
}

async function livesUntilReleased(lifeMs: number, start: TestHost): Promise<number> {
  let host = start;
  for (let lives = 1; lives <= 10 * SHARES; lives += 1) {
    host = await nextLife(host, lifeMs);
    await host.core.reapExpired();
    if (host.core.devices.get(NVME).owner === undefined) return lives;
  }
  throw new Error("the device was never released");
}

describe("a client with a lease that is dead", () => {
  test.each([
    // [length of each life, lives]: 8 s of waiting in all; of each life at least a share of 125 ms is paid
    [8000, 1],
    [3000, 3],
    [500, 16],
    [10, SHARES],
    [0, SHARES],
  ])("is let go after 8 s of waiting, in lives of %i ms: %i of them and one more at most", async (lifeMs, least) => {
    const { host } = await busy();
    const lives = await livesUntilReleased(lifeMs, host);
    expect(lives).toBeGreaterThanOrEqual(Math.ceil(least / 2));
    expect(lives).toBeLessThanOrEqual(least + 1);
  });

  test("waits on while the daemon is down: only what the daemon lives counts", async () => {
    const { host } = await busy();
    const second = await nextLife(host, 1000);
    second.clock.advance(3_600_000);
    const third = await nextLife(second, 5000);
    expect(third.core.devices.get(NVME).owner).toBeDefined();
  });

  test("has a grace that is bounded too", async () => {
    const { host } = await busy({ terms: { graceMs: 6000 } });
    const lives = await livesUntilReleased(1000, host);
    expect(lives).toBeLessThanOrEqual(8 + 6 + 2 + 7); // the lease, the grace, and what the ends of lives cost
  });
});

describe("a client that is there", () => {
  test("and calls once in a while outlives any number of restarts, with its whole lease after each call", async () => {
    const { host, vmm } = await busy();
    let current = host;
    for (let life = 0; life < 3 * SHARES; life += 1) {
      current = await nextLife(current, 2500);
      if (life % 3 === 2) expect(current.core.sessions.authenticate(vmm.token, CALLER)).toBe(vmm.session);
    }
    expect(current.core.sessions.renew(vmm.session)).toBe(LEASE_MS);
    expect(current.core.sessions.remaining(vmm.session)).toBe(LEASE_MS);
    expect(current.core.devices.get(NVME).owner?.id).toBe(vmm.session);
  });

  test("has its whole lease after the first restart, and what is left of it after the next", async () => {
    const { host, vmm } = await busy();
    const second = await nextLife(host, 2000);
    expect(second.core.sessions.remaining(vmm.session)).toBe(LEASE_MS - 2000);
    const third = await nextLife(second, 0);
    const remaining = third.core.sessions.remaining(vmm.session);
    expect(remaining).toBeLessThanOrEqual(LEASE_MS - 2000);
    expect(remaining).toBeGreaterThanOrEqual(LEASE_MS - 2000 - (2 * LEASE_MS) / SHARES);
  });

  test("comes too late when all its time was used", async () => {
    const { host, vmm } = await busy();
    const second = await nextLife(host, 7500);
    const third = await nextLife(second, 0);
    third.clock.advance(500);
    expect((await refusal(() => third.core.sessions.authenticate(vmm.token, CALLER))).code).toBe("lease_expired");
  });
});

test("a stall of the daemon counts for nobody: who waits has the whole time again", async () => {
  const { host, vmm } = await busy();
  const second = testHost({ after: host, limits: { leaseStallMs: 1000 } });
  await second.core.recover([...host.core.image()]);
  second.clock.advance(60_000);
  await second.core.reapExpired();
  expect(second.core.sessions.remaining(vmm.session)).toBe(LEASE_MS);
  const third = await nextLife(second, 0);
  expect(third.core.sessions.remaining(vmm.session)).toBe(LEASE_MS - LEASE_MS / SHARES);
});
