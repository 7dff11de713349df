// Everything that the machine is made of, each part from where it can be had soonest.

import { type HostTools, hostTools } from "./host-tools.ts";
import { initrd, type Orders } from "./initrd.ts";
import { iortOverride } from "./iort-override.ts";
import { kernelImage } from "./kernel-image.ts";
import { rootImage } from "./root-image.ts";
import type { Say } from "./unavailable.ts";

export interface Machine {
  readonly tools: HostTools;
  readonly kernel: string;
  readonly disk: string;
  /** The archive with the IORT, then the one with the programs. */
  readonly initrd: Buffer;
}

export async function prepare(orders: Orders, say: Say): Promise<Machine> {
  const tools = await hostTools(say);
  const kernel = await kernelImage(say);
  const { image, busybox } = await rootImage(tools, say);
  const override = await iortOverride({ tools, kernel, busybox }, say);
  return { tools, kernel, disk: image, initrd: Buffer.concat([override, await initrd(busybox, orders, say)]) };
}
