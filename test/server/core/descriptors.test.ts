import { beforeEach, describe, expect, test } from "vitest";
import type { VendedNode } from "../../../src/backends/backend.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import {
  attach,
  bind,
  detach,
  Failures,
  fetchDescriptors,
  type Guest,
  guest,
  NIC,
  NVME,
  readEnds,
  refusal,
  steConfig,
  type TestHost,
  TRIPLE,
  testHost,
  turn,
} from "../../support/host.ts";
import { rule } from "../../support/policy.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)

let host: TestHost;
let failures: Failures;
let vmm: Guest;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host);
});

const ask = (device = NVME, expectedGeneration?: bigint) => ({ device, expectedGeneration });
const get = (who: Guest = vmm, device = NVME) => host.core.stages.getDescriptor(who.session, ask(device));
const vend = (who: Guest = vmm, device = NVME, node: VendedNode = "unbound") =>
  host.core.stages.vend(who.session, { ...ask(device), node });
const view = (device = NVME) => host.core.devices.get(device);

describe("the node of an attached device", () => {
  beforeEach(async () => {
    await attach(host, vmm, NVME, "bypass");
  });

  test("is its owner's for a ticket; the stage stays, and is not the broker's alone any more", async () => {
    const before = view();
    const { device, ticket } = await get();
    expect(device).toEqual({ ...before, stageAuthoritative: false });
    expect(fetchDescriptors(host, ticket.ticket)).toMatchObject([{ kind: "simulated-cdev" }]);
    expect((await bind(host, vmm, NVME, TRANSLATE, 0x30)).state).toBe("guest-nested");
  });

  test("is the same open file for each ticket", async () => {
    const [one, other] = [await get(), await get()];
    const [first] = fetchDescriptors(host, one.ticket.ticket);
    expect(fetchDescriptors(host, other.ticket.ticket)).toEqual([first]);
  });

  test("is nobody else's, of no device that is not attached, and of no generation that is gone", async () => {
    const other = await guest(host, { name: "other" });
    expect((await refusal(() => get(other))).code).toBe("device_owned");
    expect((await refusal(() => get(vmm, NIC))).code).toBe("not_owner");
    const stale = ask(NVME, 99n);
    expect((await refusal(() => host.core.stages.getDescriptor(vmm.session, stale))).code).toBe("fenced");
    expect(failures.calls).not.toContain("handOut");
  });

  test("of one in a group that its owner did not attach is refused", async () => {
    await attach(host, vmm, TRIPLE[0]!);
    expect((await refusal(() => get(vmm, TRIPLE[1]))).message).toContain("attach it first");
  });

  test("is not passed when the device has changed hands since the ticket was given", async () => {
    const { ticket } = await get();
    const request = host.deviceTickets.get(ticket.ticket)!;
    await detach(host, vmm, NVME);
    expect(host.deviceTickets.size).toBe(0);
    expect((await refusal(() => request.open())).code).toBe("not_owner");
  });

  test("is not passed to a process that has not the session any more", async () => {
    const { ticket } = await get();
    const request = host.deviceTickets.get(ticket.ticket)!;
    await host.core.sessions.close(vmm.session);
    expect((await refusal(() => request.open())).code).toBe("lease_expired");
  });

  test("is told as fetched only when it was passed", async () => {
    const { ticket } = await get();
    const request = host.deviceTickets.get(ticket.ticket)!;
    request.open();
    expect(host.events.filter(({ type }) => type === "descriptorsTaken")).toEqual([]);
    request.passed();
    expect(host.events.filter(({ type }) => type === "descriptorsTaken")).toHaveLength(1);
  });

  test("is told and counted: who was given a ticket, and who fetched", async () => {
    const { ticket } = await get();
    fetchDescriptors(host, ticket.ticket);
    const told = host.events.filter(({ type }) => type === "handedOut" || type === "descriptorsTaken");
    expect(told).toEqual([
      { type: "handedOut", device: NVME, session: vmm.session, how: "brokered" },
      { type: "descriptorsTaken", device: NVME, session: vmm.session },
    ]);
  });

  test("that cannot be made ready leaves everything as it was", async () => {
    failures.fail("handOut");
    expect((await refusal(() => get())).code).toBe("backend_failed");
    expect(view().stageAuthoritative).toBe(true);
  });
});

test("over TCP nobody is given a ticket, for no kernel says who would fetch", async () => {
  const { session } = host.core.sessions.open({
    displayName: "far",
    ttlMs: undefined,
    caller: { kind: "unknown", connection: "tcp-1" },
  });
  expect((await refusal(() => host.core.stages.vend(session.id, { ...ask(), node: "unbound" }))).code).toBe(
    "policy_denied",
  );
  expect(view().state).toBe("default-domain");
});

test("a policy may forbid either, by device", async () => {
  const forbidden = rule("no nodes", { effect: "deny", verbs: ["GetDeviceDescriptor", "VendDevice"] });
  host = testHost({ policy: { rules: [forbidden, rule("anybody")] } });
  vmm = await guest(host);
  await attach(host, vmm, NVME);
  expect((await refusal(() => get())).facts).toMatchObject({ rule: "no nodes", verb: "GetDeviceDescriptor" });
  expect((await refusal(() => vend(vmm, NIC))).facts).toMatchObject({ rule: "no nodes", verb: "VendDevice" });
});

describe("a vended device", () => {
  test("is its session's with both descriptors, and no stage of the broker's", async () => {
    const { device, ticket } = await vend();
    expect(device).toMatchObject({
      state: "vended",
      attached: true,
      stageAuthoritative: false,
      virtualIommu: undefined,
    });
    expect(device.owner?.id).toBe(vmm.session);
    const kinds = fetchDescriptors(host, ticket.ticket).map(({ kind }) => kind);
    expect(kinds).toEqual(["simulated-iommufd", "simulated-cdev"]);
    expect([steConfig(host, NVME), await readEnds(host, NVME, 0x4000_0000)]).toEqual([0, "abort"]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["attach", () => attach(host, vmm, NVME)],
    ["bind", () => bind(host, vmm, NVME, TRANSLATE, 0x30)],
    ["unbind", () => host.core.stages.unbind(vmm.session, ask())],
    ["reset", () => host.core.stages.reset(vmm.session, ask())],
    ["its node alone", () => get()],
  ])("refuses %s: that is the holder's to do", async (_name, act) => {
    await vend();
    const error = await refusal(act);
    expect([error.code, error.facts.state]).toEqual(["vended", "vended"]);
  });

  test("gives another ticket while nobody has fetched, in place of the first, and none afterwards", async () => {
    const first = await vend();
    const second = await vend();
    expect(second.device.generation).toBe(first.device.generation);
    expect([...host.deviceTickets.keys()]).toEqual([second.ticket.ticket]);
    fetchDescriptors(host, second.ticket.ticket);
    expect((await refusal(() => vend())).code).toBe("vended");
  });

  test("has its node as it was first asked for: bound or not cannot be both", async () => {
    const { ticket } = await vend();
    expect((await refusal(() => vend(vmm, NVME, "bound"))).facts).toMatchObject({ state: "vended", node: "unbound" });
    expect([...host.deviceTickets.keys()]).toEqual([ticket.ticket]);
  });

  test("is nobody's who has it otherwise, and alone in its group", async () => {
    await attach(host, vmm, NIC);
    expect((await refusal(() => vend(vmm, NIC))).facts).toMatchObject({ trigger: "vend", state: "guest-abort" });
    const error = await refusal(() => vend(vmm, TRIPLE[0]));
    expect([error.code, error.facts.siblings]).toEqual(["group_not_singleton", `${TRIPLE[1]}, ${TRIPLE[2]}`]);
    const other = await guest(host, { name: "other" });
    await vend();
    expect((await refusal(() => vend(other))).code).toBe("device_owned");
  });

  test("counts as a device of its session, for the limit too", async () => {
    host = testHost({ limits: { devicesPerSessionMax: 1 } });
    vmm = await guest(host);
    await vend();
    expect((await refusal(() => vend(vmm, NIC))).facts.limit).toBe("devices_per_session_max");
    expect(host.core.census().clients).toMatchObject([{ devices: 1 }]);
  });

  test("is not aborted when its session is lost: that is in nobody's power; it goes when the grace is over", async () => {
    const graced = await guest(host, { name: "graced", terms: { graceMs: 5000, ttlMs: 1000 } });
    const { ticket } = await vend(graced);
    fetchDescriptors(host, ticket.ticket);
    host.clock.advance(1001);
    await host.core.reapExpired();
    expect(view().state).toBe("vended");
    host.clock.advance(5001);
    await host.core.reapExpired();
    await turn();
    expect(view()).toMatchObject({ state: "releasing", owner: undefined });
  });
});
