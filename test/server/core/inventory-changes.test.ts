// Devices that come and go by themselves, on the native backend with a kernel that is played.

import { describe, expect, test } from "vitest";
import {
  attach,
  bind,
  CALLER,
  detach,
  type Guest,
  refusal,
  type TestHost,
  testHost,
  turn,
} from "../../support/host.ts";
import {
  BASE,
  MEMORY_BYTES,
  type NativeWorld,
  nativeWorld,
  PassedFile,
  TRANSLATE,
} from "../../support/native-world.ts";

async function start(): Promise<{ host: TestHost; world: NativeWorld; vmm: Guest }> {
  const world = await nativeWorld();
  const host = testHost({ wrap: () => world.backend, withSimulator: false });
  await host.core.recover([]);
  return { host, world, vmm: await nativeGuest(host, world) };
}

async function nativeGuest(host: TestHost, world: NativeWorld): Promise<Guest> {
  const { addressSpaces, sessions, virtualIommus } = host.core;
  const { session, token } = sessions.open({ displayName: "vmm", ttlMs: undefined, caller: CALLER });
  const { id: addressSpace } = await addressSpaces.create(session.id, "eager");
  const file = new PassedFile("/memory/vmm", MEMORY_BYTES);
  host.files.set(file.path, file);
  const range = { ipa: BigInt(BASE), bytes: BigInt(MEMORY_BYTES), source: 0, offset: 0n };
  const mappings = [{ ...range, readable: true, writable: true }];
  await addressSpaces.map(session.id, { addressSpace, sources: [file.path], mappings });
  const { iommu } = world.device(1);
  const { id: virtualIommu } = await virtualIommus.create(session.id, {
    addressSpace,
    iommus: [iommu],
    registers: undefined,
  });
  return { session: session.id, token, addressSpace, virtualIommu, file };
}

const has = (host: TestHost, id: string): boolean => host.core.devices.list().some((device) => device.id === id);
const failures = ({ events }: TestHost) => events.filter(({ type }) => type === "reapFailed");

/** Until the records say so. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 100 && !isSo(); turns++) await turn();
  expect(isSo()).toBe(true);
}

describe("a device that disappears", () => {
  test("is nobody's, closed and told, and all that stood behind it can be taken down", async () => {
    const { host, vmm, world } = await start();
    const { id } = world.device(1);
    const notices: unknown[] = [];
    host.core.sessions.onNotice(vmm.session, (notice) => notices.push(notice));
    await attach(host, vmm, id);
    await bind(host, vmm, id, TRANSLATE, 0x30);
    world.look(2, 3, 4);
    await until(() => !has(host, id));
    expect(world.kernel.alive().objects.filter((object) => /device/.test(object))).toEqual([]);
    expect(notices).toHaveLength(1);
    expect(host.events.at(-1)).toEqual({ type: "deviceRemoved", device: id, session: vmm.session });
    await host.core.sessions.close(vmm.session);
    expect(world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
    expect(failures(host)).toEqual([]);
  });

  test("and comes again is attached anew, under a generation of its own", async () => {
    const { host, vmm, world } = await start();
    const { id } = world.device(1);
    const before = await attach(host, vmm, id);
    world.look(2, 3, 4);
    world.look(1, 2, 3, 4);
    await until(() => has(host, id) && host.core.devices.get(id).state === "default-domain");
    const after = await attach(host, vmm, id, "bypass");
    expect(after.generation > before.generation).toBe(true);
    expect(world.stage(1)).toBe("9 0"); // V=1, Config 0b100 (IHI 0070 §5.2)
  });

  test("and whose session ends at that moment is given back once, and the session reaped", async () => {
    const { host, vmm, world } = await start();
    const { id } = world.device(1);
    await attach(host, vmm, id);
    world.look(2, 3, 4);
    await host.core.sessions.close(vmm.session);
    await until(() => !has(host, id));
    expect([failures(host), world.kernel.alive()]).toEqual([[], { files: 1, views: 0, objects: [] }]);
  });

  test("while it is being attached is gone after that, and nothing of it stays", async () => {
    const { host, vmm, world } = await start();
    const { id } = world.device(1);
    const attaching = attach(host, vmm, id);
    await turn();
    world.look(2, 3, 4);
    await attaching.catch(() => {}); // it may have been too late
    await until(() => !has(host, id));
    await host.core.sessions.close(vmm.session);
    expect(world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
  });

  test("leaves its sibling to the owner who has attached that one, and takes it along from one who has not", async () => {
    const { host, vmm, world } = await start();
    const [three, four] = [world.device(3).id, world.device(4).id];
    await attach(host, vmm, three);
    await attach(host, vmm, four);
    world.look(1, 2, 4);
    await until(() => !has(host, three));
    expect(host.core.devices.get(four)).toMatchObject({ state: "guest-abort", owner: { id: vmm.session } });
    world.look(1, 2, 3, 4);
    await until(() => has(host, three));
    expect(host.core.devices.get(three)).toMatchObject({ state: "guest-abort", attached: false });
    expect(world.stage(3)).toBe(world.stage(4));
    world.look(1, 2, 3);
    await until(() => !has(host, four));
    expect(host.core.devices.get(three)).toMatchObject({ state: "default-domain", owner: undefined });
    expect(world.stage(3)).toBe("host");
  });

  test("while it was withheld is forgotten, and free when it comes again", async () => {
    const { host, vmm, world } = await start();
    const { id } = world.device(1);
    await attach(host, vmm, id);
    await host.core.stages.getDescriptor(vmm.session, { device: id, expectedGeneration: undefined });
    const [held] = world.backend.descriptorsOf(id);
    const copy = world.kernel.dup(held!.fd);
    expect((await detach(host, vmm, id)).state).toBe("releasing");
    world.look(2, 3, 4);
    await until(() => !has(host, id));
    await world.kernel.close(copy);
    world.look(1, 2, 3, 4);
    await until(() => has(host, id));
    expect((await attach(host, vmm, id)).state).toBe("guest-abort");
  });
});

describe("what cannot be taken over", () => {
  test("is told, and taken over with a later tick", async () => {
    const { host, vmm, world } = await start();
    const [three, four] = [world.device(3).id, world.device(4).id];
    world.look(1, 2, 3);
    await attach(host, vmm, three, "bypass");
    const mend = world.kernel.failAll("bind_iommufd", "ENOMEM");
    world.look(1, 2, 3, 4);
    await until(() => failures(host).length === 1);
    expect(failures(host)).toMatchObject([{ subject: `device/${four}` }]);
    expect(has(host, four)).toBe(false);
    mend();
    await host.core.reapExpired();
    expect([has(host, four), world.stage(4)]).toEqual([true, world.stage(3)]);
    expect((await detach(host, vmm, three)).state).toBe("default-domain");
  });

  test("and is gone again is not told of", async () => {
    const { host, vmm, world } = await start();
    const [three, four] = [world.device(3).id, world.device(4).id];
    world.look(1, 2, 3);
    await attach(host, vmm, three, "bypass");
    world.kernel.failAll("bind_iommufd", "ENOMEM");
    world.look(1, 2, 3, 4);
    await until(() => failures(host).length === 1);
    world.look(1, 2, 3);
    await host.core.reapExpired();
    expect([has(host, four), failures(host).length]).toEqual([false, 1]);
    expect((await refusal(() => host.core.devices.get(four))).code).toBe("device_unknown");
  });
});
