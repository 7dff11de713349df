import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import {
  attach,
  detach,
  Failures,
  fetchDescriptors,
  type Guest,
  guest,
  NVME,
  readEnds,
  refusal,
  steConfig,
  type TestHost,
  TRIPLE,
  testHost,
  turn,
} from "../../support/host.ts";

let host: TestHost;
let failures: Failures;
let vmm: Guest;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host);
});

const view = (device = NVME) => host.core.devices.get(device);
const changes = () => host.events.flatMap((event) => (event.type === "stageChanged" ? [event.trigger] : []));

/** A process holds a copy of the device's node. */
async function handedOut(who: Guest = vmm, device: DeviceID = NVME): Promise<void> {
  await attach(host, who, device, "bypass");
  const { ticket } = await host.core.stages.getDescriptor(who.session, { device, expectedGeneration: undefined });
  fetchDescriptors(host, ticket.ticket);
}

test("a device that was handed out and whose copies are closed is free with its detach", async () => {
  await handedOut();
  host.standIns.closeAll(NVME);
  expect(await detach(host, vmm, NVME)).toMatchObject({ state: "default-domain", stageAuthoritative: true });
  expect(changes()).toEqual(["attach", "withhold", "release"]);
});

test("a ticket that nobody fetched withholds nothing", async () => {
  await attach(host, vmm, NVME);
  await host.core.stages.getDescriptor(vmm.session, { device: NVME, expectedGeneration: undefined });
  expect((await detach(host, vmm, NVME)).state).toBe("default-domain");
});

describe("while a copy is open", () => {
  test("the device is nobody's, its DMA blocked, and it is reset and free as soon as the last one is closed", async () => {
    await handedOut();
    expect(await detach(host, vmm, NVME)).toMatchObject({ state: "releasing", owner: undefined, attached: false });
    expect([steConfig(host, NVME), await readEnds(host, NVME, 0x4000_0000)]).toEqual([0, "abort"]);
    expect(host.events.some(({ type }) => type === "deviceReset")).toBe(false);
    host.standIns.closeAll(NVME);
    await turn();
    expect(view()).toMatchObject({ state: "default-domain", stageAuthoritative: true });
    expect(host.events.filter(({ type }) => type === "deviceReset")).toHaveLength(1);
    expect(steConfig(host, NVME)).toBe(0b101);
  });

  test("nobody attaches it, the last owner included, and is told what to wait for", async () => {
    await handedOut();
    await detach(host, vmm, NVME);
    const other = await guest(host, { name: "other" });
    for (const who of [vmm, other]) {
      const error = await refusal(() => attach(host, who, NVME));
      expect([error.code, error.facts.state]).toEqual(["device_releasing", "releasing"]);
      expect(error.message).toContain("once every copy is closed: end those processes");
    }
    const vend = () =>
      host.core.stages.vend(other.session, { device: NVME, node: "unbound", expectedGeneration: undefined });
    expect((await refusal(vend)).code).toBe("device_releasing");
  });

  test("who waits for it gets it when the last one is closed", async () => {
    await handedOut();
    await detach(host, vmm, NVME);
    const other = await guest(host, { name: "other" });
    const { session, virtualIommu } = other;
    const asked = {
      device: NVME,
      virtualIommu,
      initial: "abort",
      expectedGeneration: undefined,
      waitMs: 5000,
    } as const;
    const waiting = host.core.stages.attach(session, asked);
    await turn();
    expect(view().waiters).toBe(1);
    host.standIns.closeAll(NVME);
    expect((await waiting).owner?.displayName).toBe("other");
  });

  test("its dead owner's memory is out of every address space before anything else of it goes", async () => {
    await handedOut();
    await host.core.sessions.close(vmm.session);
    expect(view().state).toBe("releasing");
    const order = failures.calls.filter((verb) =>
      ["withhold", "unmap", "destroyPart", "destroyAddressSpace"].includes(verb),
    );
    expect(order).toEqual(["withhold", "unmap", "destroyPart", "destroyAddressSpace"]);
    expect(vmm.file.references).toBe(1);
  });

  test("an administrator's force takes it from its owner, and cannot close others' copies", async () => {
    await handedOut();
    expect((await host.core.administration.forceRelease(NVME, "stuck")).state).toBe("releasing");
    const again = await refusal(() => host.core.administration.forceRelease(NVME, "stuck"));
    expect(again.code).toBe("device_releasing");
    expect(again.message).toContain("nobody can take that away");
  });

  test("one that is removed is gone for good", async () => {
    await handedOut();
    await detach(host, vmm, NVME);
    await host.core.simulator!.removeDevice(vmm.session, NVME);
    expect(host.core.devices.list().some(({ id }) => id === NVME)).toBe(false);
    host.standIns.closeAll(NVME);
    await turn();
    expect(changes().at(-1)).toBe("withhold");
  });

  test("of one in a group the whole group is withheld, and no device is added to it", async () => {
    for (const id of TRIPLE) await attach(host, vmm, id);
    const [first] = TRIPLE;
    const asked = { device: first!, expectedGeneration: undefined };
    const { ticket } = await host.core.stages.getDescriptor(vmm.session, asked);
    fetchDescriptors(host, ticket.ticket);
    expect(TRIPLE.map((id) => view(id).stageAuthoritative)).toEqual([false, false, false]);
    await host.core.sessions.close(vmm.session);
    expect(TRIPLE.map((id) => view(id).state)).toEqual(["releasing", "releasing", "releasing"]);
    host.standIns.closeAll(first!);
    await turn();
    expect(TRIPLE.map((id) => view(id).state)).toEqual(["default-domain", "default-domain", "default-domain"]);
  });
});

describe("where nobody tells that the last copy was closed", () => {
  test("each tick looks, and what cannot be looked at is told and looked at again", async () => {
    await handedOut();
    failures.fail("reclaim", 2);
    expect(await detach(host, vmm, NVME)).toMatchObject({ state: "releasing", owner: undefined });
    await host.core.reapExpired();
    const failed = host.events.filter(({ type }) => type === "reapFailed");
    expect(failed).toMatchObject([{ subject: "group/2" }, { subject: "group/2", session: undefined }]);
    await host.core.reapExpired();
    expect(view().state).toBe("releasing");
    host.standIns.forget(NVME); // closed, and nobody is told
    await host.core.reapExpired();
    expect(view().state).toBe("default-domain");
  });

  test("what cannot be blocked stays with its owner, whose stage it has", async () => {
    await handedOut();
    failures.fail("withhold");
    expect((await refusal(() => detach(host, vmm, NVME))).code).toBe("backend_failed");
    expect(view()).toMatchObject({ state: "nest-parent", owner: { displayName: "vmm" } });
    expect((await detach(host, vmm, NVME)).state).toBe("releasing");
  });
});

test("a look at it that fails by a bug is told and made again with the next tick, and ends nothing else", async () => {
  await handedOut();
  await detach(host, vmm, NVME);
  const bug = new Error("not a refusal");
  failures.before = async (verb) => {
    if (verb === "reclaim") throw bug;
  };
  host.standIns.closeAll(NVME);
  await turn();
  expect(host.events.at(-1)).toEqual({
    type: "reapFailed",
    session: undefined,
    subject: `group/${view().group}`,
    error: bug,
  });
  failures.before = async () => {};
  await host.core.reapExpired();
  expect(view().state).toBe("default-domain");
});

test("one that does not come out of its reset when it is free is quarantined", async () => {
  await handedOut();
  await detach(host, vmm, NVME);
  failures.fail("reset");
  host.standIns.closeAll(NVME);
  await turn();
  expect(view()).toMatchObject({ state: "quarantined", stageAuthoritative: true });
});

describe("after a restart", () => {
  async function restarted(): Promise<void> {
    const records = [...host.core.image()];
    host = testHost({ after: host });
    await host.core.recover(records);
  }

  test("a device that was withheld still is, and is freed when the copies are closed", async () => {
    await handedOut();
    await detach(host, vmm, NVME);
    const { generation } = view();
    await restarted();
    expect(view()).toMatchObject({ state: "releasing", generation, owner: undefined });
    expect(steConfig(host, NVME)).toBe(0);
    await host.core.reapExpired();
    expect(view().state).toBe("releasing");
    host.standIns.closeAll(NVME);
    await turn();
    expect(view().state).toBe("default-domain");
  });

  test("a device that was handed out is its owner's as before, and not the broker's alone", async () => {
    await handedOut();
    await restarted();
    expect(view()).toMatchObject({ state: "nest-parent", stageAuthoritative: false, attached: true });
    expect((await detach(host, vmm, NVME)).state).toBe("releasing");
  });

  test("one whose session is given up is withheld and not the host's", async () => {
    await handedOut();
    host.files.clear();
    await restarted();
    expect(view()).toMatchObject({ state: "releasing", owner: undefined });
  });

  test("a vended device is its session's; its descriptors are not given once more", async () => {
    const { ticket } = await host.core.stages.vend(vmm.session, {
      device: NVME,
      node: "unbound",
      expectedGeneration: undefined,
    });
    fetchDescriptors(host, ticket.ticket);
    await restarted();
    expect(view()).toMatchObject({ state: "vended", attached: true, stageAuthoritative: false });
    const again = () =>
      host.core.stages.vend(vmm.session, { device: NVME, node: "unbound", expectedGeneration: undefined });
    expect((await refusal(again)).code).toBe("vended");
    expect((await detach(host, vmm, NVME)).state).toBe("releasing");
  });
});
