// Guest memory on a kernel that takes no files (before Linux 6.13): views of sealed memory, and nothing else.

import { expect, test } from "vitest";
import { refusal } from "../../support/host.ts";
import { BASE, type NativeWorld, nativeWorld, PassedFile } from "../../support/native-world.ts";

const OLD = { machine: { unknown: ["ioas_map_file"] } } as const;

test("sealed memory is pinned through a view, which goes with its mapping", async () => {
  const world = await nativeWorld(OLD);
  const { part, space } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  const more = world.mapping({ ipa: 0x8000_0000, bytes: 4096 });
  await world.backend.map(space, [more]);
  expect(world.kernel.pinned().map(({ source, start }) => [source, start])).toEqual([
    ["memory", BigInt(BASE)],
    ["memory", 0x8000_0000n],
  ]);
  expect(world.kernel.alive().views).toBe(2);
  await world.backend.unmap(space, [more]);
  expect(world.kernel.alive().views).toBe(1);
  await world.backend.detach(world.group(1));
  await world.backend.destroyPart(part);
  await world.backend.destroyAddressSpace(space);
  expect(world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

test("memory that somebody could make shorter is not mapped, and the error says what to do", async () => {
  const world = await nativeWorld(OLD);
  const { space } = await world.part();
  const file = Object.assign(new PassedFile("/memory/d", 4096), { isSealed: false });
  const page = world.mapping({ ipa: 0x8000_0000, bytes: 4096, file });
  const error = await refusal(() => world.backend.map(space, [page]));
  expect([error.code, error.message]).toEqual(["backend_unsupported", expect.stringContaining("F_SEAL_SHRINK")]);
  expect([world.kernel.alive().views, file.references]).toEqual([1, 1]);
});

test("a view that cannot be had is told as memory that cannot be pinned", async () => {
  const world = await nativeWorld(OLD);
  const { space } = await world.part();
  world.kernel.failAll("mapFile", "ENOMEM");
  const page = world.mapping({ ipa: 0x8000_0000, bytes: 4096 });
  expect((await refusal(() => world.backend.map(space, [page]))).code).toBe("limit_reached");
});

test("a kernel that takes files is asked no other way", async () => {
  const world = await nativeWorld();
  await world.part();
  expect(world.kernel.calls).not.toContain("ioas_map");
  expect(world.kernel.alive().views).toBe(0);
});

test("memory that no kernel pins is refused before anything is asked of it, with the remedy", async () => {
  const world = await nativeWorld();
  const { space } = await world.part();
  const file = new PassedFile("/var/disk", 4096);
  file.pinRefusal = "is not of tmpfs: put it beneath /dev/shm";
  const before = world.kernel.calls.length;
  const page = world.mapping({ ipa: 0x8000_0000, bytes: 4096, file });
  const error = await refusal(() => world.backend.map(space, [page]));
  expect([error.code, error.message]).toEqual([
    "argument_invalid",
    "/var/disk is not of tmpfs: put it beneath /dev/shm",
  ]);
  expect(world.kernel.calls).toHaveLength(before);
});

/** Memory whose owner has still to put it here. */
class LateFile extends PassedFile {
  isMissing = true;
}

test("filling holes is all or none, and a hole that could not be filled stays one", async () => {
  const world = await nativeWorld();
  const { part, space } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  const files = [new LateFile("/memory/x", 4096), new LateFile("/memory/y", 4096)];
  const holes = files.map((file, n) => world.mapping({ ipa: 0x8000_0000 + n * 4096, bytes: 4096, file }));
  await world.backend.map(space, holes);
  expect(world.kernel.pinned()).toHaveLength(1);
  for (const file of files) file.isMissing = false;
  const before = world.kernel.calls.length;
  world.kernel.failCall(2, "EFAULT");
  await refusal(() => world.backend.fill(space, holes));
  expect(world.kernel.calls.slice(before)).toEqual(["ioas_map_file", "ioas_map_file", "ioas_unmap"]);
  expect(world.kernel.pinned()).toHaveLength(1);
  await world.backend.fill(space, holes);
  await world.backend.fill(space, holes); // what is filled is passed over
  expect(world.kernel.pinned()).toHaveLength(3);
  await world.backend.unmap(space, holes);
  expect([world.kernel.pinned().length, ...files.map(({ references }) => references)]).toEqual([1, 1, 1]);
});

const page = (n: number) => ({ ipa: 0x8000_0000 + n * 4096, bytes: 4096 });

test("a mapping that could not be put back after a failed unmap is a hole, which the next unmap takes away", async () => {
  const world = await nativeWorld();
  const { space } = await world.part();
  const files = [new PassedFile("/memory/x", 4096), new PassedFile("/memory/y", 4096)];
  const pages = files.map((file, n) => world.mapping({ ...page(n), file }));
  await world.backend.map(space, pages);
  world.kernel.failCall(2, "EBUSY"); // the second unmap
  world.kernel.failCall(3, "ENOMEM"); // putting the first one back
  await refusal(() => world.backend.unmap(space, pages));
  expect(world.notices.map(({ message }) => message)).toEqual([expect.stringContaining("could not be put back")]);
  expect(mapped(world)).toEqual([BASE, 0x8000_1000]);
  await world.backend.unmap(space, pages);
  expect(mapped(world)).toEqual([BASE]);
  expect(files.map(({ references }) => references)).toEqual([1, 1]);
});

test("a mapping that could not be put back is reached again once it is filled", async () => {
  const world = await nativeWorld();
  const { space } = await world.part();
  const pages = [0, 1].map((n) => world.mapping(page(n)));
  await world.backend.map(space, pages);
  world.kernel.failCall(2, "EBUSY");
  world.kernel.failCall(3, "ENOMEM");
  await refusal(() => world.backend.unmap(space, pages));
  await world.backend.fill(space, pages);
  expect(mapped(world)).toEqual([BASE, 0x8000_0000, 0x8000_1000]);
});

test("what the kernel would not take back is taken back before anything more is mapped, which is refused until then", async () => {
  const world = await nativeWorld();
  const { space } = await world.part();
  const pages = [0, 1].map((n) => world.mapping(page(n)));
  world.kernel.failCall(2, "ENOMEM"); // the second page
  const mend = world.kernel.failAll("ioas_unmap", "EBUSY");
  await refusal(() => world.backend.map(space, pages));
  expect(mapped(world)).toEqual([BASE, 0x8000_0000]);
  await refusal(() => world.backend.map(space, [world.mapping(page(9))]));
  expect(mapped(world)).toEqual([BASE, 0x8000_0000]);
  mend();
  await world.backend.map(space, pages);
  expect(mapped(world)).toEqual([BASE, 0x8000_0000, 0x8000_1000]);
});

test("a hole that was filled half and not taken back is taken back when it is unmapped", async () => {
  const world = await nativeWorld();
  const { space } = await world.part();
  const files = [new LateFile("/memory/x", 4096), new LateFile("/memory/y", 4096)];
  const holes = files.map((file, n) => world.mapping({ ...page(n), file }));
  await world.backend.map(space, holes);
  for (const file of files) file.isMissing = false;
  world.kernel.failCall(2, "EFAULT");
  const mend = world.kernel.failAll("ioas_unmap", "EBUSY");
  await refusal(() => world.backend.fill(space, holes));
  mend();
  await world.backend.unmap(space, holes);
  expect(mapped(world)).toEqual([BASE]);
});

test("views of what the kernel would not take back go with the address space", async () => {
  const world = await nativeWorld(OLD);
  const { part, space } = await world.part();
  const pages = [0, 1].map((n) => world.mapping(page(n)));
  const mend = world.kernel.failAll("ioas_unmap", "EBUSY");
  world.kernel.failCall(4, "ENOMEM"); // a view and a mapping, and once more
  await refusal(() => world.backend.map(space, pages));
  expect(world.kernel.alive().views).toBe(2);
  mend();
  await world.backend.destroyPart(part);
  await world.backend.destroyAddressSpace(space);
  expect(world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

function mapped(world: NativeWorld): number[] {
  const starts = world.kernel.contexts().flatMap((context) => context.mapped().map(({ start }) => Number(start)));
  return starts.sort((a, b) => a - b);
}
