// Which calls of the pool may wait for which: what pins a guest's memory can take seconds and is many, so it never has all
// threads; what ends DMA or gives something back has a thread meanwhile, and is never refused, for that would leave it behind.
// Source: Linux drivers/iommu/iommufd/pages.c (pinning, at a map or at the first HWPT on an IOAS); HOUSE rule 6.

import type { ChainStep } from "../backends/iommufd/kernel.ts";
import type { KernelJob } from "./call-slot.ts";

/** `pins`: may pin memory. `ends`: an abort is an attach or a detach, a way back a close, an unmap or a destroy. */
export type CallLane = "pins" | "ends" | "other";

/** As iommufd.h and vfio.h number them; os knows no more of the backend than its ports. */
export const LANED = {
  attach_pt: 0x3b77,
  detach_pt: 0x3b78,
  destroy: 0x3b80,
  ioas_map: 0x3b85,
  ioas_unmap: 0x3b86,
  hwpt_alloc: 0x3b89,
  ioas_map_file: 0x3b8f,
} as const;

const PINS: ReadonlySet<number> = new Set([LANED.ioas_map, LANED.ioas_map_file]);
const ENDS: ReadonlySet<number> = new Set([LANED.attach_pt, LANED.detach_pt, LANED.destroy, LANED.ioas_unmap]);

export function laneOf(job: KernelJob): CallLane {
  if (job.kind === "close" || job.kind === "unmap") return "ends";
  if (job.kind !== "ioctls") return "other";
  if (job.steps.some(pins)) return "pins";
  return job.steps.every(({ request }) => ENDS.has(request)) ? "ends" : "other";
}

function pins({ payload, request }: ChainStep): boolean {
  // An HWPT without data stands on the IOAS itself, whose pages are pinned for it.
  return PINS.has(request) || (request === LANED.hwpt_alloc && payload === undefined);
}
