// A repeated OpenSession or ClaimSession whose answer was lost with the daemon: its token is on no disk.

import { describe, expect, test } from "vitest";
import type { CallIssue } from "../../../src/server/core/token-issue.ts";
import { CALLER, guest, refusal, type TestHost, testHost } from "../../support/host.ts";

const ISSUE: CallIssue = { scope: "1000/42/", requestID: "boot", digest: "content" };

async function opened() {
  const host = testHost();
  await host.core.recover([]);
  const { session, token } = host.core.sessions.open({
    displayName: "vmm",
    ttlMs: undefined,
    caller: CALLER,
    issue: ISSUE,
  });
  return { host, id: session.id, token };
}

async function restarted(host: TestHost): Promise<TestHost> {
  const next = testHost({ after: host });
  await next.core.recover(host.durable);
  return next;
}

describe("after a restart", () => {
  test("the call is given its session with a new token, and the old one, which nobody has, is void", async () => {
    const { host, id, token } = await opened();
    const next = await restarted(host);
    const again = await next.core.sessions.reissue(ISSUE, CALLER);
    expect(again?.session).toMatchObject({ id, state: "live", displayName: "vmm" });
    expect(next.core.sessions.authenticate(again!.token, CALLER)).toBe(id);
    expect((await refusal(() => next.core.sessions.authenticate(token, CALLER))).code).toBe("lease_expired");
    expect(next.core.census().sessions).toBe(1);
  });

  test("as often as its answer is lost again", async () => {
    const { host, id } = await opened();
    const second = await restarted(host);
    await second.core.sessions.reissue(ISSUE, CALLER);
    const third = testHost({ after: second });
    await third.core.recover([...host.durable, ...second.durable]);
    expect((await third.core.sessions.reissue(ISSUE, CALLER))?.session.id).toBe(id);
  });

  test("a claim's too, with what the session has", async () => {
    const { host } = await opened();
    const vmm = await guest(host, { name: "one", terms: { transferableTo: ["uid:1000"] } });
    const claim = { ...ISSUE, requestID: "claim" };
    await host.core.sessions.claim(vmm.session, CALLER, { ttlMs: undefined }, claim);
    const next = await restarted(host);
    const again = await next.core.sessions.reissue(claim, CALLER);
    expect(again).toMatchObject({ session: { id: vmm.session }, held: { addressSpaces: [vmm.addressSpace] } });
  });
});

describe("is not given", () => {
  test("once the token was used: then the answer did arrive, and the token stays good", async () => {
    const { host, id, token } = await opened();
    host.core.sessions.authenticate(token, CALLER);
    const next = await restarted(host);
    const error = await refusal(() => next.core.sessions.reissue(ISSUE, CALLER));
    expect(error).toMatchObject({ code: "request_conflict", message: expect.stringContaining("has been used") });
    expect(next.core.sessions.authenticate(token, CALLER)).toBe(id);
  });

  test("to other content", async () => {
    const { host } = await opened();
    const next = await restarted(host);
    const error = await refusal(() => next.core.sessions.reissue({ ...ISSUE, digest: "other" }, CALLER));
    expect(error).toMatchObject({ code: "request_conflict", message: expect.stringContaining("other content") });
  });

  test("to another caller, under another request_id, to another identity, or when the session has ended", async () => {
    const { host, id } = await opened();
    const next = await restarted(host);
    const { sessions } = next.core;
    expect(await sessions.reissue({ ...ISSUE, scope: "1000/43/" }, CALLER)).toBeUndefined();
    expect(await sessions.reissue({ ...ISSUE, requestID: "other" }, CALLER)).toBeUndefined();
    expect(await sessions.reissue(ISSUE, { ...CALLER, uid: 1001 })).toBeUndefined();
    await sessions.close(id);
    expect(await sessions.reissue(ISSUE, CALLER)).toBeUndefined();
  });
});

test("neither a token nor an answer that holds one is noted for the disk", async () => {
  const { host, token } = await opened();
  const next = await restarted(host);
  const again = await next.core.sessions.reissue(ISSUE, CALLER);
  // The test's digest is the token with a word before it: taken out, nothing of the token may be left.
  const written = JSON.stringify([host.durable, host.core.image(), next.durable, next.core.image()]);
  for (const secret of [token, again!.token]) {
    expect(written.replaceAll(`digest of ${secret}"`, "")).not.toContain(`${secret}"`);
  }
});
