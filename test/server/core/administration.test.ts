import { expect, test } from "vitest";
import { deviceID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { attach, bind, CALLER, guest, NIC, NVME, refusal, steConfig, TRIPLE, testHost } from "../../support/host.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)

test("every session that holds something is listed with what it holds, in order of id, without its token", async () => {
  const host = testHost();
  const one = await guest(host, { name: "one", bytes: 2 ** 21 });
  await attach(host, one, NVME);
  const { session: two } = host.core.sessions.open({ displayName: "two", ttlMs: 5000, caller: { ...CALLER, uid: 7 } });
  const listed = host.core.administration.sessions();
  expect(listed.map(({ id }) => id)).toEqual([one.session, two.id].toSorted());
  expect(listed.find(({ id }) => id === one.session)).toEqual({
    id: one.session,
    displayName: "one",
    liveness: "ttl",
    ttlMs: 10_000,
    state: "live",
    graceMs: 0,
    transferableTo: [],
    openedMs: host.clock.wallMs(),
    seenMs: host.clock.wallMs(),
    caller: CALLER,
    isEnding: false,
    remainingMs: 10_000,
    devices: [NVME],
    mappedBytes: 2 ** 21,
  });
  expect(listed.find(({ id }) => id === two.id)).toMatchObject({ remainingMs: 5000, devices: [], mappedBytes: 0 });
});

test("a revoked session is over, told so, and its devices are the host's", async () => {
  const host = testHost();
  const vmm = await guest(host);
  await attach(host, vmm, NVME);
  await bind(host, vmm, NVME, TRANSLATE, 1);
  const notices: string[] = [];
  host.core.sessions.onNotice(vmm.session, ({ kind }) => notices.push(kind));
  await host.core.administration.revoke(vmm.session, "maintenance");
  expect(host.core.devices.get(NVME)).toMatchObject({ state: "default-domain", owner: undefined, attached: false });
  expect(steConfig(host, NVME)).toBe(0b101); // the host's own stage 1
  expect(notices).toEqual(["revoked"]);
  expect(await refusal(() => host.core.sessions.authenticate(vmm.token, CALLER))).toMatchObject({
    code: "lease_expired",
    facts: { reason: "revoked" },
  });
  expect(host.events).toContainEqual({
    type: "sessionEnded",
    session: vmm.session,
    displayName: "vmm",
    reason: "revoked",
  });
  expect((await refusal(() => host.core.administration.revoke(vmm.session, "again"))).code).toBe("session_unknown");
});

test("a device taken by force is aborted, then the host's, its whole group with it; the session stays and is told", async () => {
  const host = testHost();
  const vmm = await guest(host);
  await attach(host, vmm, TRIPLE[0]!);
  await attach(host, vmm, TRIPLE[1]!, "bypass");
  await attach(host, vmm, NIC);
  const told: unknown[] = [];
  host.core.sessions.onNotice(vmm.session, (notice) => told.push(notice));
  const view = await host.core.administration.forceRelease(TRIPLE[1]!, "maintenance");
  expect(view).toMatchObject({ state: "default-domain", owner: undefined });
  const states = host.events.flatMap((event) => (event.type === "stageChanged" && event.group === 3 ? [event.to] : []));
  expect(states).toEqual(["guest-abort", "default-domain"]);
  expect(told).toEqual(TRIPLE.map((device) => ({ kind: "deviceRemoved", device })));
  expect(host.core.devices.get(NIC).owner?.id).toBe(vmm.session);
  await attach(host, vmm, TRIPLE[0]!);
});

test("a device in bypass passes abort on its way to the host", async () => {
  const host = testHost();
  const vmm = await guest(host);
  await attach(host, vmm, NVME, "bypass");
  await host.core.administration.forceRelease(NVME, "stuck");
  const states = host.events.flatMap((event) => (event.type === "stageChanged" ? [event.to] : []));
  expect(states).toEqual(["nest-parent", "guest-abort", "default-domain"]);
  expect(host.events).toContainEqual({ type: "deviceForced", device: NVME, session: vmm.session, reason: "stuck" });
});

test("a device nobody owns, or nobody knows, is refused", async () => {
  const { core } = testHost();
  expect((await refusal(() => core.administration.forceRelease(NVME, "why not"))).code).toBe("not_owner");
  const unknown = deviceID("0000:99:00.0");
  expect((await refusal(() => core.administration.forceRelease(unknown, "why not"))).code).toBe("device_unknown");
});
