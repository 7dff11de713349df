// Everything that the machine is made of, each part from where it can be had soonest.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { guestQemu } from "./guest-qemu.ts";
import { type HostTools, hostTools, TOOLS_REMEDY } from "./host-tools.ts";
import { initrd, type Orders } from "./initrd.ts";
import { iortOverride } from "./iort-override.ts";
import { kernelImage } from "./kernel-image.ts";
import { rootImage } from "./root-image.ts";
import { orUnavailable, type Say, Unavailable } from "./unavailable.ts";

const KERNEL_REMEDY = "set IOMMU_E2E_KERNEL to an arm64 Image made with test/kernel/linux-7.3-arm64.config";
const ROOT_REMEDY = "run where Debian's mirror and the npm registry can be reached: once, what they give is cached";

export interface Machine {
  readonly tools: HostTools;
  readonly kernel: string;
  readonly disk: string;
  readonly qemuDisk: string | undefined;
  /** Why there is no QEMU for the guest, where one was asked for. */
  readonly noQemu: Unavailable | undefined;
  /** A file: the archive with the IORT, then the one with the programs. */
  readonly initrd: string;
}

export interface Parts {
  readonly work: string;
  readonly withQemu: boolean;
}

/** @param parts.work  a folder for what is made for this run only */
export async function prepare(orders: Orders, { work, withQemu }: Parts, say: Say): Promise<Machine> {
  const tools = await orUnavailable("QEMU", TOOLS_REMEDY, () => hostTools(say));
  const kernel = await orUnavailable("a kernel with iommufd", KERNEL_REMEDY, () => kernelImage(say));
  const { image, busybox } = await orUnavailable("Node for arm64", ROOT_REMEDY, () => rootImage(tools, say));
  const qemu = withQemu ? await qemuOrNone(tools, say) : {};
  const override = await iortOverride({ tools, kernel, busybox }, say);
  const told = qemu.why === undefined ? orders : { ...orders, noQemu: qemu.why.message };
  const programs = await initrd(busybox, told, work, say);
  const path = join(work, "initrd");
  writeFileSync(path, Buffer.concat([override, programs]));
  return { tools, kernel, disk: image, qemuDisk: qemu.image, noQemu: qemu.why, initrd: path };
}

/** Few cases need it: where it cannot be had the others run without. */
async function qemuOrNone(tools: HostTools, say: Say): Promise<{ image?: string; why?: Unavailable }> {
  try {
    return { image: await orUnavailable("QEMU for arm64", ROOT_REMEDY, () => guestQemu(tools, say)) };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    say(`the cases with QEMU in the guest are left out: ${error.message}`);
    return { why: error };
  }
}
