// A session that passes into other hands: what whoever takes it up is told, and when its lease begins.

import { beforeEach, describe, expect, test } from "vitest";
import type { TakenUp } from "../../../src/server/core/session-verbs.ts";
import { attach, CALLER, Failures, guest, NVME, refusal, type TestHost, testHost, turn } from "../../support/host.ts";

const TTL_MS = 100;
const GRACE_MS = 5000;
const TERMS = { ttlMs: TTL_MS, graceMs: GRACE_MS, transferableTo: ["uid:1001"] };
const OTHER = { ...CALLER, uid: 1001, pid: 50, connection: "uds-3" };
const ISSUE = { scope: "1000/42/7", requestID: "open", digest: "d" };

let host: TestHost;
let failures: Failures;
beforeEach(() => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
});

const sessions = () => host.core.sessions;

/** Takes a lost session up while the abort of its device hangs for longer than its lease, and the reaper looks. */
async function takenUpSlowly<T extends TakenUp>(take: (lost: { session: string; token: string }) => Promise<T>) {
  const vmm = await guest(host, { terms: TERMS });
  await attach(host, vmm, NVME, "bypass");
  const gate = Promise.withResolvers<void>();
  failures.before = async (verb) => {
    if (verb === "setPlainStage") await gate.promise;
  };
  host.clock.advance(TTL_MS);
  const looking = host.core.reapExpired();
  await turn();
  const taking = take(vmm);
  host.clock.advance(2 * TTL_MS);
  const another = host.core.reapExpired();
  await turn();
  gate.resolve();
  const taken = await taking;
  await Promise.all([looking, another]);
  return { vmm, taken };
}

describe("a lease that would have lapsed before the answer begins with it", () => {
  test("ClaimSession", async () => {
    const { vmm, taken } = await takenUpSlowly(({ session }) => sessions().claim(session, OTHER, { ttlMs: TTL_MS }));
    expect(taken.held.devices).toMatchObject([{ id: NVME, rebindRequired: true }]);
    expect(sessions().remaining(vmm.session)).toBe(TTL_MS);
    host.clock.advance(TTL_MS - 1);
    expect(sessions().authenticate(taken.token, OTHER)).toBe(vmm.session);
    host.clock.advance(1);
    expect((await refusal(() => sessions().authenticate(taken.token, OTHER))).facts.reason).toBe("lost");
  });

  test("ResumeSession", async () => {
    const { vmm, taken } = await takenUpSlowly(({ token }) => sessions().resume(token, CALLER));
    expect(taken.session.state).toBe("live");
    expect(sessions().authenticate(vmm.token, CALLER)).toBe(vmm.session);
  });

  test("is shown whole meanwhile", async () => {
    const { vmm } = await takenUpSlowly(async ({ session, token }) => {
      const taking = sessions().resume(token, CALLER);
      expect(sessions().remaining(session)).toBe(TTL_MS);
      return await taking;
    });
    expect(sessions().remaining(vmm.session)).toBe(TTL_MS);
  });
});

test("a token is void because its call was repeated, and not because somebody claimed the session", async () => {
  const opened = sessions().open({ ...TERMS, displayName: "vm", caller: CALLER, issue: ISSUE });
  const again = await sessions().reissue(ISSUE, CALLER);
  expect(again?.session.id).toBe(opened.session.id);
  const error = await refusal(() => sessions().authenticate(opened.token, CALLER));
  expect(error).toMatchObject({ code: "lease_expired", facts: { reason: "replaced" } });
  const closing = await refusal(() => sessions().authenticateToClose(opened.token, CALLER));
  expect(closing.facts.reason).toBe("replaced");
});

describe("a session that is lost may be closed by its owner", () => {
  test("and gives its devices back at once, not after its grace", async () => {
    const vmm = await guest(host, { terms: TERMS });
    await attach(host, vmm, NVME);
    host.clock.advance(TTL_MS);
    await host.core.reapExpired();
    expect((await refusal(() => sessions().authenticate(vmm.token, CALLER))).facts.reason).toBe("lost");
    await sessions().close(sessions().authenticateToClose(vmm.token, CALLER));
    expect(host.core.devices.get(NVME)).toMatchObject({ owner: undefined, state: "default-domain" });
    expect((await refusal(() => sessions().authenticateToClose(vmm.token, CALLER))).facts.reason).toBe("closed");
  });

  test("and by nobody else, nor when its grace is over", async () => {
    const vmm = await guest(host, { terms: TERMS });
    host.clock.advance(TTL_MS);
    expect((await refusal(() => sessions().authenticateToClose(vmm.token, OTHER))).code).toBe("unauthenticated");
    host.clock.advance(GRACE_MS);
    expect((await refusal(() => sessions().authenticateToClose(vmm.token, CALLER))).facts.reason).toBe("lease_expired");
  });
});
