// Every call of the kernel that a verb makes fails once, each in its turn: the verb then has changed nothing, nothing is left
// over, and the same verb succeeds afterwards.

import { describe, expect, test } from "vitest";
import type { PartHandle } from "../../../src/backends/backend.ts";
import { BrokerError } from "../../../src/backends/errors.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { holderAttaches, vendedFiles } from "../../support/native-holder.ts";
import { BASE, type NativeWorld, nativeWorld, PassedFile, type WorldOptions } from "../../support/native-world.ts";

interface Scene {
  readonly world: NativeWorld;
  readonly part: PartHandle;
  readonly act: () => Promise<unknown>;
}

type Setting = (world: NativeWorld) => Promise<Omit<Scene, "world">>;

const PAGE = 4096;

async function attached(world: NativeWorld, n = 1) {
  const made = await world.part();
  await world.backend.attach(world.group(n), made.part, "bypass");
  return made;
}

const VERBS: Readonly<Record<string, Setting>> = {
  "an address space": async (world) => ({ ...(await world.part()), act: () => world.backend.createAddressSpace() }),
  "a map before anything stands on it": async (world) => {
    const { space, part } = await world.part();
    const pages = [0, 1, 2].map((index) => world.mapping({ ipa: 0x8000_0000 + index * PAGE, bytes: PAGE }));
    return { part, act: () => world.backend.map(space, pages) };
  },
  "an unmap of several": async (world) => {
    const { space, part } = await attached(world);
    const pages = [0, 1, 2].map((index) => world.mapping({ ipa: 0x8000_0000 + index * PAGE, bytes: PAGE }));
    await world.backend.map(space, pages);
    return { part, act: () => world.backend.unmap(space, pages) };
  },
  "the first attach": async (world) => {
    const { part } = await world.part();
    return { part, act: () => world.backend.attach(world.group(1), part, "abort") };
  },
  "the attach of a group of two": async (world) => {
    const { part } = await attached(world);
    return { part, act: () => world.backend.attach(world.group(3), part, "bypass") };
  },
  "abort for a group of two": async (world) => {
    const { part } = await attached(world, 3);
    return { part, act: () => world.backend.setPlainStage(world.group(3), part, "abort") };
  },
  "the first bind": async (world) => {
    const { part } = await attached(world);
    return { part, act: () => world.bind(1, part) };
  },
  "a bind of another table": async (world) => {
    const { part } = await attached(world);
    await world.bind(1, part);
    const vste = { dword0: 0xbn | BigInt(BASE + 0x2_0000), dword1: 0xd4n, disposition: "translate" } as const;
    return { part, act: () => world.bind(1, part, 0x30, vste) };
  },
  "a bind under another name": async (world) => {
    const { part } = await attached(world);
    await world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x31));
    return { part, act: () => world.bind(1, part, 0x30) };
  },
  "a name": async (world) => {
    const { part } = await attached(world);
    await world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x31));
    return {
      part,
      act: () => world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x32)),
    };
  },
  "another name under the guest's stage": async (world) => {
    const { part } = await attached(world);
    await world.bind(1, part, 0x31);
    return {
      part,
      act: () => world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x32)),
    };
  },
  "a device that is vended": async (world) => ({
    ...(await world.part()),
    act: () => world.backend.vend(world.group(1), "bound"),
  }),
  "a device that is vended to be bound by others": async (world) => ({
    ...(await world.part()),
    act: () => world.backend.vend(world.group(1), "unbound"),
  }),
  "the end of a vended device that nobody has bound": async (world) => {
    const made = await world.part();
    await world.backend.vend(world.group(1), "unbound");
    return { ...made, act: () => world.backend.withhold(world.group(1)) };
  },
  "the end of a vended device that its holder has attached": async (world) => {
    const made = await world.part();
    await holderAttaches(await vendedFiles(world));
    return { ...made, act: () => world.backend.withhold(world.group(1)) };
  },
  "a look at a group of two that was withheld": async (world) => {
    const { part } = await attached(world, 3);
    await world.backend.handOut(world.device(3).id);
    await world.backend.withhold(world.group(3));
    return { part, act: () => world.backend.reclaim(world.group(3)) };
  },
  "a block of what nobody has": async (world) => ({
    ...(await world.part()),
    act: () => world.backend.block(world.group(3)),
  }),
};

/** What can be seen of a world: nothing of it may change when a verb fails. */
function seen(world: NativeWorld) {
  return {
    stages: [1, 2, 3, 4].map((n) => world.stage(n)),
    alive: kinds(world),
    pinned: world.kernel
      .pinned()
      .map(({ last, start }) => `${start}-${last}`)
      .sort(),
    names: names(world),
    references: world.file.references,
  };
}

/** Virtual StreamIDs that the kernel knows. */
function names({ kernel }: NativeWorld): readonly bigint[] {
  const objects = kernel.contexts().flatMap((context) => [...context.objects.values()]);
  return objects.flatMap((object) => (object.kind === "vdevice" ? [object.virtualID] : [])).sort();
}

/** Numbers of objects are given again: what counts is how many there are of each kind. */
function kinds({ kernel }: NativeWorld) {
  const { files, objects, views } = kernel.alive();
  return { files, views, objects: objects.map((object) => object.split(" ")[0]).sort() };
}

async function failEach(options: WorldOptions, setting: Setting): Promise<number> {
  for (let n = 1; ; n += 1) {
    const world = await nativeWorld(options);
    const { act } = await setting(world);
    const before = seen(world);
    const calls = world.kernel.calls.length;
    world.kernel.failCall(n, "ENOSPC");
    let error: unknown;
    await act().catch((thrown: unknown) => {
      error = thrown;
    });
    if (error === undefined && world.kernel.calls.length - calls < n) return n - 1;
    const call = world.kernel.calls[calls + n - 1];
    // A failed look at what is no longer wanted may be left for later; that is told.
    if (error === undefined) {
      expect([call, world.notices.length]).toEqual(["destroy", 1]);
      continue;
    }
    expect([call, error instanceof BrokerError, String(error)]).toEqual([call, true, String(error)]);
    expect([call, seen(world)]).toEqual([call, before]);
    await act();
    expect([call, seen(world)]).not.toEqual([call, before]);
  }
}

describe.each([
  ["where the host nests", {}],
  ["where the kernel takes no files", { machine: { unknown: ["ioas_map_file"] } }],
  ["where it does not", { iommu: fakeSmmu({ nesting: false }) }],
  ["where stalls are answered", { iommu: fakeSmmu({ hwInfo: stallingHwInfo() }), mayStall: true }],
] satisfies [string, WorldOptions][])("%s", (_, options) => {
  const isPlain = "iommu" in options && !options.iommu.nesting;
  const verbs = Object.entries(VERBS).filter(([name]) => !isPlain || !/bind|name/.test(name));
  test.each(verbs)("%s", async (_name, setting) => {
    expect(await failEach(options, setting)).toBeGreaterThan(0);
  });
});

/** As fakeSmmu's, with STALL_MODEL 0 (IDR0 [25:24], IHI 0070 §6.3.1). */
function stallingHwInfo(): Uint8Array {
  const { hwInfo } = fakeSmmu();
  const bytes = hwInfo.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(8, view.getUint32(8, true) & ~(3 << 24), true);
  return bytes;
}

test("a part that could not be taken down whole is taken down by the next try, and serves again if it is used instead", async () => {
  for (let n = 1; ; n += 1) {
    const world = await nativeWorld();
    const { part, space } = await attached(world);
    await world.backend.detach(world.group(1));
    const calls = world.kernel.calls.length;
    world.kernel.failCall(n, "EBUSY");
    const failed = await world.backend.destroyPart(part).then(
      () => false,
      () => true,
    );
    if (!failed) {
      expect(world.kernel.calls.length - calls).toBeLessThan(n);
      expect(n).toBeGreaterThan(4);
      return;
    }
    if (n % 2 === 0) {
      await world.backend.attach(world.group(1), part, "bypass");
      expect(world.stage(1)).toBe("9 0");
      await world.backend.detach(world.group(1));
    }
    await world.backend.destroyPart(part);
    await world.backend.destroyAddressSpace(space);
    expect(kinds(world)).toEqual({ files: 1, views: 0, objects: [] });
  }
});

test("an object that could not be destroyed in its time goes with its part", async () => {
  const world = await nativeWorld();
  const { part, space } = await attached(world);
  await world.bind(1, part);
  const stop = world.kernel.failAll("destroy", "EBUSY");
  await world.backend.setPlainStage(world.group(1), part, "abort");
  expect(world.stage(1)).toBe("1 0");
  expect(world.notices).toHaveLength(1);
  stop();
  await world.backend.detach(world.group(1));
  await world.backend.destroyPart(part);
  await world.backend.destroyAddressSpace(space);
  expect(kinds(world)).toEqual({ files: 1, views: 0, objects: [] });
});

test("a guest that is taken down in order leaves nothing in the kernel, and no file held", async () => {
  const world = await nativeWorld();
  const before = kinds(world);
  const { part, space } = await attached(world);
  await world.bind(1, part);
  await world.bind(1, part, 0x30);
  await world.backend.detach(world.group(1));
  await world.backend.destroyPart(part);
  await world.backend.destroyAddressSpace(space);
  expect(kinds(world)).toEqual(before);
  expect(world.file.references).toBe(1);
});

test("a daemon that closes gives every device and descriptor back, whatever was attached, bound or blocked", async () => {
  const world = await nativeWorld({ iommu: fakeSmmu({ hwInfo: stallingHwInfo() }), mayStall: true });
  const { part } = await attached(world);
  await world.bind(1, part);
  await world.backend.block(world.group(2));
  const other = new PassedFile("/memory/b", PAGE);
  const space = await world.backend.createAddressSpace();
  await world.backend.map(space, [world.mapping({ file: other, bytes: PAGE })]);
  await world.backend.close();
  expect(world.kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
  expect([world.file.references, other.references]).toEqual([1, 1]);
});
