// A daemon on the played kernel that starts again: every descriptor of before is gone, memory that came by ticket among them.

import { describe, expect, test } from "vitest";
import type { Pinning } from "../../../src/server/core/views.ts";
import type { FakeIommufd } from "../../support/fake-iommufd.ts";
import {
  attach,
  bind,
  CALLER,
  fetchDescriptors,
  type Guest,
  refusal,
  type TestHost,
  testHost,
} from "../../support/host.ts";
import {
  BASE,
  MEMORY_BYTES,
  type NativeWorld,
  nativeWorld,
  PassedFile,
  TRANSLATE,
} from "../../support/native-world.ts";

const ROM = 0x8000_0000;
const STAGE = `${TRANSLATE.dword0.toString(16)} ${TRANSLATE.dword1.toString(16)}`;
const TICKET = "0".repeat(32);

interface Host {
  readonly world: NativeWorld;
  readonly host: TestHost;
}

function passed(label: string, bytes = MEMORY_BYTES): PassedFile {
  const file = new PassedFile(`ticket:${label}`, bytes);
  file.label = label;
  return file;
}

async function hostOn(records: Parameters<TestHost["core"]["recover"]>[0], kernel?: FakeIommufd): Promise<Host> {
  const world = await nativeWorld(kernel && { kernel });
  const host = testHost({ wrap: () => world.backend, withSimulator: false });
  await host.core.recover(records);
  return { world, host };
}

/** RAM, and beyond it a page of ROM that devices read; each by a ticket of its own. */
async function nativeGuest({ host, world }: Host, pinning: Pinning = "eager"): Promise<Guest> {
  const { addressSpaces, sessions, virtualIommus } = host.core;
  const { session, token } = sessions.open({ displayName: "vmm", ttlMs: undefined, caller: CALLER });
  const { id: addressSpace } = await addressSpaces.create(session.id, pinning);
  const [ram, rom] = [passed("ram"), passed("rom", 4096)];
  host.tickets.files.set("1", ram).set("2", rom);
  const mapping = { ipa: BigInt(BASE), bytes: BigInt(MEMORY_BYTES), source: 0, offset: 0n, readable: true };
  await addressSpaces.map(session.id, {
    addressSpace,
    sources: [{ ticket: "1" }, { ticket: "2" }],
    mappings: [
      { ...mapping, writable: true },
      { ...mapping, ipa: BigInt(ROM), bytes: 4096n, source: 1, writable: false },
    ],
  });
  const { iommu } = world.device(1);
  const request = { addressSpace, iommus: [iommu], registers: undefined };
  const virtual = await virtualIommus.create(session.id, request);
  return { session: session.id, token, addressSpace, virtualIommu: virtual.id, file: ram };
}

async function present({ host }: Host, vmm: Guest, label: string, file = passed(label, sizes[label])) {
  host.tickets.files.set(TICKET, file);
  await host.core.addressSpaces.present(vmm.session, { addressSpace: vmm.addressSpace, label, ticket: TICKET });
  return file;
}

const sizes: Readonly<Record<string, number>> = { ram: MEMORY_BYTES, rom: 4096 };
const pinned = ({ world }: Host): number[] => world.kernel.pinned().map(({ start }) => Number(start));

/** A guest that is bound, and the daemon that comes after. */
async function restarted(): Promise<{ vmm: Guest; before: Host; after: Host }> {
  const before = await hostOn([]);
  const vmm = await nativeGuest(before);
  const device = before.world.device(1).id;
  await attach(before.host, vmm, device, "bypass");
  await bind(before.host, vmm, device, TRANSLATE, 0x123);
  expect(before.world.stage(1)).toBe(STAGE);
  expect(pinned(before)).toEqual([BASE, ROM]);
  return { vmm, before, after: await hostOn(before.host.durable) };
}

function readRAM({ world }: Host) {
  const access = { streamIndex: 0, substreamID: undefined, privileged: false, showsHost: false } as const;
  return world.backend.explain({ ...access, device: world.device(1).id, iova: BigInt(BASE), access: "read" }).end;
}

test("the session, its stage and its names are as they were, and its memory is a hole in stage 2", async () => {
  const { vmm, before, after } = await restarted();
  expect(after.host.core.devices.list()).toEqual(before.host.core.devices.list());
  const { mappedBytes } = before.host.core.census();
  expect(after.host.core.census()).toMatchObject({ mappedBytes, pinnedBytes: 0 });
  expect(after.host.core.sessions.authenticate(vmm.token, CALLER)).toBe(vmm.session);
  expect(after.world.stage(1)).toBe(STAGE);
  expect(pinned(after)).toEqual([]);
  expect(readRAM(after)).toMatchObject({ kind: "abort" });
});

test("what is presented is mapped and pinned at once, the rest stays a hole", async () => {
  const { vmm, after } = await restarted();
  const file = await present(after, vmm, "ram");
  expect(pinned(after)).toEqual([BASE]);
  expect(after.world.kernel.calls.filter((name) => name === "ioas_map_file")).toHaveLength(1);
  await present(after, vmm, "rom");
  expect(pinned(after).sort()).toEqual([BASE, ROM]);
  await after.host.core.sessions.close(vmm.session);
  expect(file.references).toBe(1);
  expect(after.world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

test("walks find presented memory, and none before", async () => {
  const before = await hostOn([]);
  const vmm = await nativeGuest(before);
  await attach(before.host, vmm, before.world.device(1).id, "bypass");
  expect(readRAM(before)).toMatchObject({ kind: "ok" });
  const after = await hostOn(before.host.durable);
  expect(readRAM(after)).toMatchObject({ kind: "abort", fault: { type: "F_TRANSLATION", stage: 2 } });
  await present(after, vmm, "ram");
  expect(readRAM(after)).toMatchObject({ kind: "ok" });
});

test("what the kernel refuses to map is missing as before, nobody holds it, and its ticket is good", async () => {
  const { vmm, after } = await restarted();
  const heal = after.world.kernel.failAll("ioas_map_file", "ENOMEM");
  const file = passed("ram");
  expect((await refusal(() => present(after, vmm, "ram", file))).code).toBe("limit_reached");
  expect([file.references, pinned(after), readRAM(after).kind]).toEqual([1, [], "abort"]);
  expect(after.host.tickets.files.get(TICKET)).toBe(file);
  heal();
  await present(after, vmm, "ram", file);
  expect(pinned(after)).toEqual([BASE]);
});

test("a hole is unmapped and given up like any mapping, without asking the kernel", async () => {
  const { vmm, after } = await restarted();
  const ranges = [{ ipa: BigInt(ROM), bytes: 4096n }];
  const { unmappedBytes } = await after.host.core.addressSpaces.unmap(vmm.session, {
    addressSpace: vmm.addressSpace,
    ranges,
  });
  expect(unmappedBytes).toBe(4096);
  expect(after.world.kernel.calls).not.toContain("ioas_unmap");
  await after.host.core.sessions.close(vmm.session);
  expect(after.world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

test("with ON_FIRST_BIND nothing is mapped before that, whether it was presented or not", async () => {
  const before = await hostOn([]);
  const vmm = await nativeGuest(before, "on-first-bind");
  await attach(before.host, vmm, before.world.device(1).id, "abort");
  const after = await hostOn(before.host.durable);
  await present(after, vmm, "ram");
  expect(pinned(after)).toEqual([]);
  await bind(after.host, vmm, after.world.device(1).id, TRANSLATE, 0x123);
  expect(pinned(after)).toEqual([BASE]);
  await present(after, vmm, "rom");
  expect(pinned(after).sort()).toEqual([BASE, ROM]);
});

test("memory that nobody presents stays missing over another restart", async () => {
  const { vmm, after } = await restarted();
  await present(after, vmm, "rom");
  const again = await hostOn(after.host.core.image());
  expect(again.world.stage(1)).toBe(STAGE);
  for (const label of ["ram", "rom"]) await present(again, vmm, label);
  expect(pinned(again).sort()).toEqual([BASE, ROM]);
});

describe("a device whose node a process has kept open", () => {
  /** Devices 1 and `others` bound, device 1's node handed out; the daemon is killed, and another begins. */
  async function killed(
    ...others: readonly number[]
  ): Promise<{ vmm: Guest; before: Host; after: Host; node: number }> {
    const before = await hostOn([]);
    const { host, world } = before;
    const vmm = await nativeGuest(before);
    for (const n of [1, ...others]) {
      await attach(host, vmm, world.device(n).id, "bypass");
      await bind(host, vmm, world.device(n).id, TRANSLATE, 0x122 + n);
    }
    const asked = { device: world.device(1).id, expectedGeneration: undefined };
    const { ticket } = await host.core.stages.getDescriptor(vmm.session, asked);
    const [cdev] = fetchDescriptors(host, ticket.ticket);
    const node = world.kernel.dup(cdev!.fd);
    await world.kernel.killDaemon(node);
    return { vmm, before, after: await hostOn(host.durable, world.kernel), node };
  }

  const state = ({ host, world }: Host, n: number) => host.core.devices.get(world.device(n).id).state;

  test("is out of its session, which lives on with the others and their names", async () => {
    const { vmm, before, after } = await killed(2);
    const { core } = after.host;
    expect(core.sessions.authenticate(vmm.token, CALLER)).toBe(vmm.session);
    const other = after.world.device(2).id;
    expect(core.devices.get(other)).toEqual(before.host.core.devices.get(other));
    expect(state(after, 1)).toBe("releasing");
    expect([after.world.stage(1), after.world.stage(2)]).toEqual([STAGE, STAGE]); // the holder's is as the kill left it
    await present(after, vmm, "ram");
    expect((await bind(after.host, vmm, other, TRANSLATE)).state).toBe("guest-nested");
  });

  test("is told of with the kernel's errno and the remedy, to an administrator and to who wants it", async () => {
    const { vmm, after } = await killed(2);
    const device = after.world.device(1).id;
    for (const ask of [
      () => after.host.core.administration.forceRelease(device, "stuck"),
      () => attach(after.host, vmm, device),
    ]) {
      const error = await refusal(ask);
      expect(error.code).toBe("device_releasing");
      expect(error.facts).toMatchObject({ errno: "EINVAL", ioctl: "VFIO_DEVICE_BIND_IOMMUFD" });
      expect(error.message).toContain("(EINVAL)");
      expect(error.message).toContain("end that process");
    }
  });

  test("is attached and bound again once that is closed", async () => {
    const { vmm, after, node } = await killed(2);
    await after.world.kernel.close(node);
    await after.host.core.reapExpired();
    expect([state(after, 1), after.world.stage(1)]).toEqual(["default-domain", "host"]);
    await attach(after.host, vmm, after.world.device(1).id);
    await bind(after.host, vmm, after.world.device(1).id, TRANSLATE, 0x123);
    expect(after.world.stage(1)).toBe(STAGE);
    await after.host.core.sessions.close(vmm.session);
    expect(after.world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
  });

  test("was the only one of its virtual IOMMU: that has nothing in the kernel until the next device comes", async () => {
    const { vmm, after } = await killed();
    const { host, world } = after;
    const all = [{ dword0: 0x30n, dword1: 0n }]; // CMD_TLBI_NSNH_ALL, IHI 0070 §4.4
    expect(await host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, all)).toBe(1);
    await attach(host, vmm, world.device(2).id);
    await bind(host, vmm, world.device(2).id, TRANSLATE, 0x123);
    expect(world.stage(2)).toBe(STAGE);
  });
});
