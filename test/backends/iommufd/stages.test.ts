// The order in which the kernel is asked, and what stands where it does not nest. The contract and the unwinding tests have
// the rest.

import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { attachPt, bindIommufd, detachPt } from "../../../src/backends/iommufd/ioctl.ts";
import { fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { refusal } from "../../support/host.ts";
import { BASE, devicePath, nativeWorld, PassedFile } from "../../support/native-world.ts";

test("abort, bypass and the queue of events are there before the first bind; a bind is a vDEVICE, an HWPT and an attach", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  const calls = () => world.kernel.calls;
  const before = calls().length;
  await world.backend.attach(world.group(1), part, "abort");
  expect(calls().slice(before)).toEqual([
    "open",
    "bind_iommufd",
    "hwpt_alloc", // nesting parent
    "viommu_alloc",
    "hwpt_alloc", // abort
    "hwpt_alloc", // bypass
    "veventq_alloc",
    "watch",
    "attach_pt",
  ]);
  const bound = calls().length;
  await world.bind(1, part);
  expect(calls().slice(bound)).toEqual(["hwpt_alloc", "vdevice_alloc", "attach_pt"]);
  const again = calls().length;
  await world.bind(1, part);
  expect(calls().slice(again)).toEqual(["hwpt_alloc", "attach_pt", "destroy"]); // replaced, then the old one goes
});

test("another name under the guest's stage is a vDEVICE and an attach, for faults have the name of their attach", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "abort");
  await world.bind(1, part, 0x30);
  const stage = world.stage(1);
  const before = world.kernel.calls.length;
  await world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x31));
  expect(world.kernel.calls.slice(before)).toEqual([
    "destroy", // the vDEVICE of the name before
    "vdevice_alloc",
    "hwpt_alloc",
    "attach_pt",
    "destroy", // the HWPT before
  ]);
  expect(world.stage(1)).toBe(stage);
  const again = world.kernel.calls.length;
  await world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x31));
  await world.backend.setVirtualStreamID(world.device(1).id, part, undefined);
  expect(world.kernel.calls.slice(again)).toEqual(["destroy"]);
});

test("a second device of the part finds all that stands there already", async () => {
  const world = await nativeWorld();
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  const before = world.kernel.calls.length;
  await world.backend.attach(world.group(2), part, "bypass");
  expect(world.kernel.calls.slice(before)).toEqual(["open", "bind_iommufd", "attach_pt"]);
});

test("no two parts share a stage 2, be they of one address space", async () => {
  const world = await nativeWorld();
  const { part, space } = await world.part();
  const other = await world.backend.createPart(space, world.device(2).iommu);
  await world.backend.attach(world.group(1), part, "bypass");
  await world.backend.attach(world.group(2), other, "bypass");
  const parents = world.kernel.alive().objects.filter((object) => object.startsWith("paging"));
  expect(parents).toHaveLength(2);
});

test("pages are pinned when the first device is attached, and what was mapped later with its mapping", async () => {
  const world = await nativeWorld();
  const { part, space } = await world.part();
  expect(world.kernel.pinned()).toEqual([]);
  await world.backend.attach(world.group(1), part, "abort");
  expect(world.kernel.pinned()).toHaveLength(1);
  await world.backend.map(space, [world.mapping({ ipa: 0x8000_0000, bytes: 4096 })]);
  expect(world.kernel.pinned()).toHaveLength(2);
});

test("memory that cannot be pinned is a limit of the host's, with its remedy, at the attach and at a later map", async () => {
  const world = await nativeWorld({ machine: { lockedMemoryMax: 2n ** 21n } });
  const { part, space } = await world.part();
  await world.backend.map(space, [world.mapping({ ipa: 0x8000_0000, bytes: 4096 })]);
  const attach = await refusal(() => world.backend.attach(world.group(1), part, "bypass"));
  expect(attach).toMatchObject({ code: "limit_reached", facts: { limit: "locked_memory" } });
  expect(attach.message).toContain("LimitMEMLOCK");
  expect(world.stage(1)).toBe("host");
  await world.backend.unmap(space, [{ ipa: 0x8000_0000, bytes: 4096 }]);
  await world.backend.attach(world.group(1), part, "bypass");
  const map = await refusal(() => world.backend.map(space, [world.mapping({ ipa: 0x8000_0000, bytes: 4096 })]));
  expect(map).toMatchObject({ code: "limit_reached", facts: { limit: "locked_memory" } });
});

test("memory without a descriptor cannot be given to the kernel, and nothing of the batch stays", async () => {
  const world = await nativeWorld();
  const { space } = await world.part();
  const awaited = Object.assign(new PassedFile("/memory/c", 4096), { descriptor: undefined });
  const pages = [
    world.mapping({ ipa: 0x8000_0000, bytes: 4096 }),
    world.mapping({ ipa: 0x8000_1000, bytes: 4096, file: awaited }),
  ];
  const objects = world.kernel.contexts().flatMap((context) => [...context.objects.values()]);
  const maps = () => objects.flatMap((object) => (object.kind === "ioas" ? [...object.maps.keys()] : []));
  expect((await refusal(() => world.backend.map(space, pages))).code).toBe("backend_unsupported");
  expect(maps()).toEqual([BigInt(BASE)]);
});

test("a blocked group keeps nothing of its owner's: part and address space can go, and it stays blocked until released", async () => {
  const world = await nativeWorld();
  const { part, space } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part);
  await world.backend.block(world.group(1));
  await world.backend.destroyPart(part);
  await world.backend.destroyAddressSpace(space);
  expect([world.stage(1), world.kernel.pinned(), world.file.references]).toEqual(["blocked", [], 1]);
  await world.backend.detach(world.group(1));
  expect(world.stage(1)).toBe("host");
  expect(world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

describe("where the host does not nest", () => {
  test.each([
    ["no nesting parent", fakeSmmu({ nesting: false })],
    ["no vIOMMU: neither CANWBS nor S2FWB", fakeSmmu({ coherentWalks: false })],
  ])(
    "%s: stage 2 alone, abort is the blocking domain, and a guest's table is refused with the reason",
    async (_, iommu) => {
      const world = await nativeWorld({ iommu });
      const { part } = await world.part();
      await world.backend.attach(world.group(1), part, "abort");
      expect(world.stage(1)).toBe("blocked");
      await world.backend.setPlainStage(world.group(1), part, "bypass");
      expect(world.stage(1)).toBe("stage 2");
      await world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x30));
      const error = await refusal(() => world.bind(1, part));
      expect(error.code).toBe("backend_unsupported");
      expect(error.message).toMatch(/IOMMU_(?:VIOMMU|HWPT)_ALLOC/);
      expect(world.stage(1)).toBe("stage 2");
      const [host] = world.backend.inventory.iommus();
      expect(host!.nesting).toMatchObject({ supported: false });
      await world.backend.setPlainStage(world.group(1), part, "abort");
      expect(world.stage(1)).toBe("blocked");
      await world.backend.detach(world.group(1));
      expect(world.stage(1)).toBe("host");
    },
  );
});

test("a kernel before 6.15 has no queue of events: guests are served, and the log says what is missing", async () => {
  const world = await nativeWorld({ machine: { unknown: ["veventq_alloc"] } });
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part);
  expect(world.stage(1)).toBe("4001000b d4");
  expect(world.notices).toMatchObject([{ level: "warn", facts: { reason: expect.stringContaining("6.15") } }]);
});

test("a device that a host's driver has cannot be attached, and the error says how it could", async () => {
  const world = await nativeWorld({ machine: { hostGroups: [1] } });
  const { part } = await world.part();
  const error = await refusal(() => world.backend.attach(world.group(1), part, "bypass"));
  expect(error.code).toBe("device_owned");
  expect(error.message).toContain("vfio-pci");
});

describe("a device whose node was passed on", () => {
  async function handedOut(n = 1) {
    const world = await nativeWorld();
    const made = await world.part();
    const { id } = world.device(n);
    await world.backend.attach(world.group(n), made.part, "bypass");
    await world.backend.handOut(id);
    const [node, ...others] = world.backend.descriptorsOf(id);
    expect([node?.kind, others]).toEqual(["vfio-cdev", []]); // never the iommufd
    const copy = world.kernel.dup(node!.fd);
    const holder = { kernel: world.kernel, fd: copy };
    return { ...made, world, holder };
  }

  test("is detached when it is given up, and cannot be bound anew before the last copy is closed", async () => {
    const { world, holder } = await handedOut();
    const another = world.kernel.dup(holder.fd);
    await world.backend.withhold(world.group(1));
    expect(world.stage(1)).toBe("blocked");
    expect(await world.backend.reclaim(world.group(1))).toBe(false);
    await world.kernel.close(holder.fd);
    expect(await world.backend.reclaim(world.group(1))).toBe(false);
    await world.kernel.close(another);
    expect(await world.backend.reclaim(world.group(1))).toBe(true);
    expect(world.stage(1)).toBe("blocked"); // ours again, until it is reset
    expect(await world.backend.reclaim(world.group(1))).toBe(true);
    expect(await world.backend.reset(world.device(1).id)).toEqual({ kind: "done" });
    await world.backend.detach(world.group(1));
    expect(world.stage(1)).toBe("host");
  });

  test("is attached where the broker says even if its holder has attached it elsewhere", async () => {
    const { world, holder, part } = await handedOut();
    await detachPt(holder);
    expect(world.stage(1)).toBe("blocked");
    await world.backend.setPlainStage(world.group(1), part, "bypass");
    expect(world.stage(1)).toBe("9 0");
  });

  test("finds nothing to attach to once its address space is gone", async () => {
    const { part, space, world, holder } = await handedOut();
    const hwpts = world.kernel.contexts().flatMap(({ objects }) => [...objects.keys()]);
    await world.backend.withhold(world.group(1));
    await world.backend.destroyPart(part);
    await world.backend.destroyAddressSpace(space);
    for (const id of hwpts) await expect(attachPt(holder, id)).rejects.toBeInstanceOf(BrokerError);
    expect(world.kernel.pinned()).toEqual([]);
  });

  test("of one in a group keeps the whole group", async () => {
    const { world, holder } = await handedOut(3);
    await world.backend.withhold(world.group(3));
    expect(await world.backend.reclaim(world.group(3))).toBe(false);
    const left = world.kernel.alive();
    expect(await world.backend.reclaim(world.group(3))).toBe(false);
    expect(world.kernel.alive()).toEqual(left); // a look leaves nothing behind
    await world.kernel.close(holder.fd);
    expect(await world.backend.reclaim(world.group(3))).toBe(true);
  });

  test("is blocked and finds no memory when the daemon closes, though its holder goes on", async () => {
    const { world, holder } = await handedOut();
    await world.backend.close();
    expect(world.stage(1)).toBe("blocked");
    expect(world.kernel.contexts().flatMap((context) => context.mapped())).toEqual([]);
    await world.kernel.close(holder.fd);
    expect(world.kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
  });

  test("of before a restart is found to be held, and is not asked for its registers meanwhile", async () => {
    const world = await nativeWorld();
    const cdev = { kernel: world.kernel, fd: await world.kernel.open(devicePath(world.device(2).id)) };
    const iommufd = await world.kernel.open("/dev/iommu");
    await bindIommufd(cdev, iommufd); // by the daemon of before
    await world.backend.recall(world.group(2));
    expect(await world.backend.reclaim(world.group(2))).toBe(false);
    await world.kernel.close(cdev.fd);
    expect(await world.backend.reclaim(world.group(2))).toBe(true);
  });

  test("what cannot be looked at is an error, not an answer", async () => {
    const { world } = await handedOut();
    await world.backend.withhold(world.group(1));
    world.kernel.failAll("open", "EACCES");
    await expect(world.backend.reclaim(world.group(1))).rejects.toMatchObject({ facts: { errno: "EACCES" } });
  });
});

test("what an address space and its devices need of the kernel waits in its owner's turn, and the daemon's own in none", async () => {
  const world = await nativeWorld();
  const { backend, kernel } = world;
  const space = await backend.createAddressSpace("session a");
  await backend.map(space, [world.mapping()]);
  const part = await backend.createPart(space, world.device(1).iommu);
  await backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part);
  await backend.block(world.group(2));
  const owners = [...kernel.files].map(([fd, file]) => `${file.kind} ${kernel.owners.get(fd)}`);
  expect(owners.sort()).toEqual([
    "device session a",
    "device undefined",
    "iommufd session a",
    "iommufd undefined",
    "queue undefined",
  ]);
});
