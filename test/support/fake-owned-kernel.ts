// What Kernel.ownedBy gives of a kernel that is played: the same, and for each descriptor it is noted on whose behalf it was called.

import type { Kernel } from "../../src/backends/iommufd/kernel.ts";

export function ownedKernel(kernel: Kernel, note: (fd: number) => void): Kernel {
  return {
    ownedBy: (owner) => kernel.ownedBy(owner),
    ioctl: (request) => {
      note(request.fd);
      return kernel.ioctl(request);
    },
    ioctls: (steps) => {
      for (const { fd } of steps) note(fd);
      return kernel.ioctls(steps);
    },
    ioctlNow: (request) => kernel.ioctlNow(request),
    open: (path) => kernel.open(path),
    close: (fd) => kernel.close(fd),
    onReadable: (fd, listener) => kernel.onReadable(fd, listener),
    readNow: (fd, into) => kernel.readNow(fd, into),
    writeNow: (fd, from) => kernel.writeNow(fd, from),
    mapFile: (part) => kernel.mapFile(part),
    unmapFile: (address, bytes) => kernel.unmapFile(address, bytes),
  };
}
