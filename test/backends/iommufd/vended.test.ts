import { describe, expect, test } from "vitest";
import { attachPt, bindIommufd, hwptAlloc, ioasAlloc } from "../../../src/backends/iommufd/ioctl.ts";
import { holderAttaches, vendedFiles } from "../../support/native-holder.ts";
import { nativeWorld } from "../../support/native-world.ts";

test("an iommufd that counts pages for each process, and the device bound to it, which its holder attaches by itself", async () => {
  const world = await nativeWorld();
  const calls = world.kernel.calls.length;
  await world.backend.vend(world.group(1), "bound");
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
  await world.backend.vend(world.group(1), "bound");
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

describe("a node that its holder binds, as QEMU and Cloud Hypervisor do", () => {
  test("is not bound, and comes with an iommufd that is empty; the device was asked before", async () => {
    const world = await nativeWorld();
    const calls = world.kernel.calls.length;
    const files = await vendedFiles(world);
    expect(world.kernel.calls.slice(calls)).toEqual([
      ...["open", "option", "open", "bind_iommufd", "get_hw_info", "open"],
    ]);
    expect(world.backend.descriptorsOf(world.device(1).id)[1]).not.toHaveProperty("object");
    expect(world.kernel.alive().objects).toEqual([]);
    await holderAttaches(files);
    expect(world.stage(1)).toBe("stage 2");
  });

  test("is seen as held while its holder has it bound, and is free when that is closed", async () => {
    const world = await nativeWorld();
    const { iommufd, node } = await vendedFiles(world);
    await holderAttaches({ iommufd, node });
    await world.backend.withhold(world.group(1));
    expect(world.stage(1)).toBe("blocked");
    expect(await world.backend.reclaim(world.group(1))).toBe(false);
    await world.kernel.close(node.fd);
    expect(await world.backend.reclaim(world.group(1))).toBe(true);
  });

  test("cannot be bound once its owner is gone: a copy that nobody had bound is seen, and reaches nothing", async () => {
    const world = await nativeWorld();
    const { iommufd, node } = await vendedFiles(world);
    await world.backend.withhold(world.group(1));
    await expect(bindIommufd(node, iommufd.fd)).rejects.toMatchObject({ facts: { errno: "EINVAL" } });
    const ioas = await ioasAlloc(iommufd);
    await expect(attachPt(node, ioas)).rejects.toThrow(); // an object of another iommufd than the node's
    expect(world.stage(1)).toBe("blocked");
    expect(await world.backend.reclaim(world.group(1))).toBe(false);
    await world.kernel.close(node.fd);
    expect(await world.backend.reclaim(world.group(1))).toBe(true);
    await world.backend.detach(world.group(1));
    await world.kernel.close(iommufd.fd);
    expect(world.kernel.alive()).toMatchObject({ files: 1, objects: [] });
  });
});

test("without CAP_SYS_RESOURCE nothing is vended, and the error names it", async () => {
  const world = await nativeWorld({ machine: { limited: true } });
  const before = world.kernel.alive();
  await expect(world.backend.vend(world.group(1), "bound")).rejects.toMatchObject({
    code: "backend_unsupported",
    message: expect.stringContaining("CAP_SYS_RESOURCE"),
  });
  expect(world.kernel.alive()).toEqual(before);
  expect(await world.backend.reset(world.device(1).id)).toEqual({ kind: "done" });
});

test("a daemon that closes keeps nothing of it", async () => {
  const world = await nativeWorld();
  await world.backend.vend(world.group(1), "bound");
  await world.backend.close();
  expect(world.kernel.alive()).toEqual({ files: 0, views: 0, objects: [] });
});
