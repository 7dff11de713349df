// The kernel from the sources that Debian packages, with the config beside this file: about ten minutes on one core.

import type { Say } from "./unavailable.ts";
import { Unavailable } from "./unavailable.ts";

export async function buildKernel(path: string, say: Say): Promise<void> {
  say(path);
  throw new Unavailable(
    "no kernel image",
    "set IOMMU_E2E_KERNEL to an arm64 Image built with test/kernel/linux-7.3-arm64.config",
  );
}
