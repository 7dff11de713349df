// A guest's stage on a device in one call of the pool: its HWPT, the device's name where it has none yet, the device
// attached to it, and the HWPT of before destroyed. Each call is made only if the one before succeeded; what was made is
// told in any case, so that who asked can take it back.
// Source: Linux drivers/iommu/iommufd/hw_pagetable.c, viommu.c, device.c (replace).

import type { BrokerError } from "../errors.ts";
import { callError } from "./errno.ts";
import type { KernelCall } from "./errno-table.ts";
import { type HwptKind, hwptRequest } from "./hwpt-ioctl.ts";
import { type KernelFile, REQUEST } from "./ioctl-call.ts";
import type { ChainStep, IoctlResult } from "./kernel.ts";
import * as uapi from "./structs.ts";

export interface BindJob {
  readonly iommufd: KernelFile;
  readonly cdev: KernelFile;
  /** The kernel's number of the device. */
  readonly device: number;
  readonly hwpt: HwptKind;
  /** Undefined: it has its name. */
  readonly name: { readonly viommu: number; readonly virtualID: bigint } | undefined;
  /** The HWPT that nothing uses once the device is attached to the new one. */
  readonly before: number | undefined;
}

/** What was made; undefined where it did not come to that. */
export interface BindOutcome {
  readonly nested: number | undefined;
  readonly vdevice: number | undefined;
  readonly isAttached: boolean;
  /** What failed, and so ended it; of the destruction of `before` the caller is told by isAttached. */
  readonly error: BrokerError | undefined;
}

interface Step extends ChainStep {
  readonly as: KernelCall;
}

export async function runBind(job: BindJob): Promise<BindOutcome> {
  const steps = stepsOf(job);
  const results = await job.iommufd.kernel.ioctls(steps);
  const done = (as: KernelCall): IoctlResult | undefined => {
    const answer = results[steps.findIndex((step) => step.as === as)];
    return answer !== undefined && answer.result >= 0 ? answer : undefined;
  };
  const [nested, vdevice] = [done("hwpt_alloc_nested"), done("vdevice_alloc")];
  const last = results.at(-1);
  const error =
    last !== undefined && last.result < 0 ? errorOf(job, steps[results.length - 1]!.as, -last.result) : undefined;
  return {
    nested: nested && uapi.IOMMU_HWPT_ALLOC.read(nested.bytes).out_hwpt_id,
    vdevice: vdevice && uapi.IOMMU_VDEVICE_ALLOC.read(vdevice.bytes).out_vdevice_id,
    isAttached: done("attach_pt") !== undefined,
    error,
  };
}

function stepsOf({ before, cdev, device, hwpt, iommufd, name }: BindJob): readonly Step[] {
  const { out_hwpt_id: made } = uapi.IOMMU_HWPT_ALLOC.fields;
  const { pt_id: target } = uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT.fields;
  const steps: Step[] = [
    { as: "hwpt_alloc_nested", fd: iommufd.fd, request: REQUEST.hwpt_alloc, ...hwptRequest(device, hwpt) },
  ];
  if (name !== undefined) {
    const bytes = uapi.IOMMU_VDEVICE_ALLOC.create({ viommu_id: name.viommu, dev_id: device, virt_id: name.virtualID });
    steps.push({ as: "vdevice_alloc", fd: iommufd.fd, request: REQUEST.vdevice_alloc, bytes });
  }
  steps.push({
    as: "attach_pt",
    fd: cdev.fd,
    request: REQUEST.attach_pt,
    bytes: uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT.create({}),
    take: { step: 0, at: made.at, into: target.at },
    isInput: true,
  });
  if (before !== undefined) {
    const bytes = uapi.IOMMU_DESTROY.create({ id: before });
    steps.push({ as: "destroy", fd: iommufd.fd, request: REQUEST.destroy, bytes, isInput: true });
  }
  return steps;
}

function errorOf({ before, device, hwpt, name }: BindJob, as: KernelCall, errno: number): BrokerError {
  const facts: Record<string, string | number | bigint> = { device_object: device };
  if (as === "hwpt_alloc_nested") facts.hwpt = hwpt.kind;
  if (as === "vdevice_alloc" && name !== undefined) facts.virtual_id = name.virtualID;
  if (as === "destroy" && before !== undefined) facts.id = before;
  return callError(as, errno, facts);
}
