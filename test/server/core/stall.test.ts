import { describe, expect, test } from "vitest";
import { CALLER, guest, NVME, refusal, testHost } from "../../support/host.ts";

const LIMITS = { leaseStallMs: 1000, leaseTtlDefaultMs: 3000 };

describe("while the daemon stands still", () => {
  test("no lease lapses: each gets its full length from when the daemon runs again", async () => {
    const host = testHost({ limits: LIMITS });
    const vmm = await guest(host);
    const { session, virtualIommu } = vmm;
    await host.core.stages.attach(session, {
      device: NVME,
      virtualIommu,
      initial: "abort",
      expectedGeneration: undefined,
    });
    await host.core.reapExpired();
    host.clock.advance(60_000);
    await host.core.reapExpired();
    expect(host.core.devices.get(NVME).owner?.id).toBe(session);
    expect(host.events).toContainEqual({ type: "stalled", awayMs: 60_000, sessions: 1 });
    for (let ms = 0; ms < 2900; ms += 100) {
      host.clock.advance(100);
      await host.core.reapExpired();
    }
    expect(host.core.devices.get(NVME).owner?.id).toBe(session);
    host.clock.advance(100);
    await host.core.reapExpired();
    expect(host.core.devices.get(NVME).owner).toBeUndefined();
  });

  test("a call that comes before the reaper's next look is answered too", async () => {
    const host = testHost({ limits: LIMITS });
    const { session, token } = host.core.sessions.open({ displayName: "vmm", ttlMs: undefined, caller: CALLER });
    host.clock.advance(60_000);
    expect(host.core.sessions.authenticate(token, CALLER)).toBe(session.id);
    expect(host.core.sessions.renew(session.id)).toBe(3000);
  });

  test("a pause no longer than a stall's bound is the client's own", async () => {
    const host = testHost({ limits: { leaseStallMs: 5000, leaseTtlDefaultMs: 3000 } });
    const { token } = host.core.sessions.open({ displayName: "vmm", ttlMs: undefined, caller: CALLER });
    host.clock.advance(3000);
    expect((await refusal(() => host.core.sessions.authenticate(token, CALLER))).code).toBe("lease_expired");
  });
});
