import { expect, test } from "vitest";
import { attachPt, hwptAlloc, ioasAlloc } from "../../../src/backends/iommufd/ioctl.ts";
import { nativeWorld } from "../../support/native-world.ts";

test("an iommufd that counts pages for each process, and the device bound to it, which its holder attaches by itself", async () => {
  const world = await nativeWorld();
  const calls = world.kernel.calls.length;
  await world.backend.vend(world.group(1));
  // RLIMIT_MODE comes before the first object: afterwards the kernel refuses it (iommufd_option_rlimit_mode).
  expect(world.kernel.calls.slice(calls)).toEqual(["open", "option", "open", "bind_iommufd", "get_hw_info"]);
  const [iommufd, cdev] = world.backend.descriptorsOf(world.device(1).id);
  expect([iommufd?.kind, cdev?.kind]).toEqual(["iommufd", "vfio-cdev"]);
  const file = { kernel: world.kernel, fd: world.kernel.dup(iommufd!.fd) };
  const node = { kernel: world.kernel, fd: world.kernel.dup(cdev!.fd) };
  const ioas = await ioasAlloc(file);
  await attachPt(node, await hwptAlloc(file, cdev!.object!, { kind: "nest_parent", ioas }));
  expect(world.stage(1)).toBe("stage 2");
});

test("what the broker gives up is its holder's until every copy of the node is closed, though not one of the iommufd is", async () => {
  const world = await nativeWorld();
  await world.backend.vend(world.group(1));
  const [iommufd, cdev] = world.backend.descriptorsOf(world.device(1).id);
  const [file, node] = [world.kernel.dup(iommufd!.fd), world.kernel.dup(cdev!.fd)];
  await world.backend.withhold(world.group(1));
  expect(world.stage(1)).toBe("blocked");
  expect(await world.backend.reclaim(world.group(1))).toBe(false);
  await world.kernel.close(node);
  expect(await world.backend.reclaim(world.group(1))).toBe(true);
  await world.backend.detach(world.group(1));
  await world.kernel.close(file);
  expect(world.kernel.alive()).toMatchObject({ files: 1, objects: [] }); // the broker's own iommufd
});

test("without CAP_SYS_RESOURCE nothing is vended, and the error names it", async () => {
  const world = await nativeWorld({ machine: { limited: true } });
  const before = world.kernel.alive();
  await expect(world.backend.vend(world.group(1))).rejects.toMatchObject({
    code: "backend_unsupported",
    message: expect.stringContaining("CAP_SYS_RESOURCE"),
  });
  expect(world.kernel.alive()).toEqual(before);
  expect(await world.backend.reset(world.device(1).id)).toEqual({ kind: "done" });
});

test("a daemon that closes keeps nothing of it", async () => {
  const world = await nativeWorld();
  await world.backend.vend(world.group(1));
  await world.backend.close();
  expect(world.kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
});
