// A daemon on the played kernel that starts again: every descriptor of before is gone, memory that came by ticket among them.

import { expect, test } from "vitest";
import type { Pinning } from "../../../src/server/core/views.ts";
import { attach, bind, CALLER, type Guest, refusal, type TestHost, testHost } from "../../support/host.ts";
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

async function hostOn(records: Parameters<TestHost["core"]["recover"]>[0]): Promise<Host> {
  const world = await nativeWorld();
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
