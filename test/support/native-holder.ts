// Who is passed a vended device on the played kernel, and does what QEMU does with it: binds the node it was given to the
// iommufd it was given, and attaches it there.
// Source: QEMU hw/vfio/iommufd.c (iommufd_cdev_connect_and_bind).

import { attachPt, bindIommufd, ioasAlloc, type KernelFile } from "../../src/backends/iommufd/ioctl.ts";
import type { NativeWorld } from "./native-world.ts";

export interface VendedFiles {
  readonly iommufd: KernelFile;
  readonly node: KernelFile;
}

/** Device 1 is vended, its node not bound; these are the holder's copies. */
export async function vendedFiles(world: NativeWorld): Promise<VendedFiles> {
  const { backend, kernel } = world;
  await backend.vend(world.group(1), "unbound");
  const [iommufd, node] = backend.descriptorsOf(world.device(1).id).map(({ fd }) => ({ kernel, fd: kernel.dup(fd) }));
  return { iommufd: iommufd!, node: node! };
}

export async function holderAttaches({ iommufd, node }: VendedFiles): Promise<void> {
  await bindIommufd(node, iommufd.fd);
  await attachPt(node, await ioasAlloc(iommufd)); // the kernel makes the HWPT
}
