// Each ioctl of the fake iommufd: its structure is read, its rules are asked, its answer is written back.
// Source: reference of the uAPI §2-§5; drivers/iommu/iommufd and arm-smmu-v3-iommufd.c of Linux 7.3.

import * as uapi from "../../src/backends/iommufd/structs.ts";
import type { FakeCall, FakeIommufd, OpenDevice } from "./fake-iommufd.ts";
import { Refusal, refuseIf } from "./fake-iommufd-refusal.ts";
import type { FakeContext, Queue } from "./fake-iommufd-rules.ts";
import { invalidate, nestedOf } from "./fake-iommufd-smmu.ts";

/** The structure and what it points to; written in place. */
export interface Called {
  bytes: Uint8Array;
  payload: Uint8Array | undefined;
}

const WHOLE = 2n ** 64n - 1n;
const EVENTQ_DEPTH_MAX = 2 ** 19;

export function callIommufd(fake: FakeIommufd, context: FakeContext, name: FakeCall, called: Called): void {
  const call = IOMMUFD_CALLS[name];
  if (call === undefined) throw new Refusal("ENOTTY");
  call(called, context, fake);
}

type Call = (called: Called, context: FakeContext, fake: FakeIommufd) => void;

const IOMMUFD_CALLS: Readonly<Partial<Record<FakeCall, Call>>> = {
  destroy: ({ bytes }, context) => context.destroy(uapi.IOMMU_DESTROY.read(bytes).id),
  ioas_alloc: (called, context) => {
    refuseIf(uapi.IOMMU_IOAS_ALLOC.read(called.bytes).flags !== 0, "EOPNOTSUPP");
    called.bytes = uapi.IOMMU_IOAS_ALLOC.create({ out_ioas_id: context.add({ kind: "ioas", maps: new Map() }) });
  },
  ioas_map: (called, context, fake) => {
    const { flags, ioas_id, iova, length } = uapi.IOMMU_IOAS_MAP.read(called.bytes);
    map(fake, context, { ioas: ioas_id, flags, iova, length, source: "memory" });
  },
  ioas_map_file: (called, context, fake) => {
    const { flags, ioas_id, fd, iova, length } = uapi.IOMMU_IOAS_MAP_FILE.read(called.bytes);
    refuseIf(fd >= 2 ** 31, "EBADF");
    map(fake, context, { ioas: ioas_id, flags, iova, length, source: "file" });
  },
  ioas_unmap: (called, context) => {
    const { ioas_id, iova, length } = uapi.IOMMU_IOAS_UNMAP.read(called.bytes);
    context.get(ioas_id, "ioas");
    const isAll = iova === 0n && length === WHOLE;
    refuseIf(length === 0n, "EINVAL");
    refuseIf(!isAll && (iova === WHOLE || length === WHOLE || iova + length - 1n > WHOLE), "EOVERFLOW");
    const last = isAll ? WHOLE : iova + length - 1n;
    const removed = context.unmap(ioas_id, { start: iova, last });
    called.bytes = uapi.IOMMU_IOAS_UNMAP.create({ ioas_id, iova, length: removed });
  },
  ioas_iova_ranges: (called, context) => {
    const asked = uapi.IOMMU_IOAS_IOVA_RANGES.read(called.bytes);
    const { ranges, alignment } = context.iovaRanges(asked.ioas_id);
    called.bytes = uapi.IOMMU_IOAS_IOVA_RANGES.create({
      ...asked,
      num_iovas: ranges.length,
      out_iova_alignment: alignment,
    });
    refuseIf(ranges.length > asked.num_iovas, "EMSGSIZE");
    ranges.forEach((range, at) => void called.payload?.set(uapi.IOMMU_IOVA_RANGE.create(range), at * 16));
  },
  option: ({ bytes }, context, fake) => {
    const { option_id, op, object_id, val64 } = uapi.IOMMU_OPTION.read(bytes);
    refuseIf(fake.machine.limited === true, "EPERM");
    refuseIf(option_id !== uapi.OPTION.RLIMIT_MODE || object_id !== 0, "EOPNOTSUPP");
    refuseIf(op !== uapi.OPTION_OP.SET || val64 > 1n, "EINVAL");
    refuseIf(context.objects.size > 0, "EBUSY");
  },
  hwpt_alloc: hwptAlloc,
  get_hw_info: (called, context) => {
    const { dev_id, data_len } = uapi.IOMMU_HW_INFO.read(called.bytes);
    const { iommu } = context.get(dev_id, "device").device;
    const type = { smmuv3: uapi.HW_INFO_TYPE.ARM_SMMUV3, vtd: uapi.HW_INFO_TYPE.INTEL_VTD, amd: uapi.HW_INFO_TYPE.AMD };
    called.payload?.fill(0);
    called.payload?.set(iommu.hwInfo.subarray(0, data_len));
    called.bytes = uapi.IOMMU_HW_INFO.create({
      dev_id,
      data_len: iommu.hwInfo.byteLength,
      out_data_type: type[iommu.kind],
      out_capabilities: uapi.HW_CAPABILITIES.PCI_ATS_NOT_SUPPORTED,
    });
  },
  hwpt_invalidate: (called, context, fake) => {
    const asked = uapi.IOMMU_HWPT_INVALIDATE.read(called.bytes);
    const done = invalidate(context, asked, called.payload ?? new Uint8Array(), (bytes) =>
      fake.invalidated.push({ target: asked.hwpt_id, bytes }),
    );
    called.bytes = uapi.IOMMU_HWPT_INVALIDATE.create({ ...asked, entry_num: done.handled });
    if (done.refusal !== undefined) throw done.refusal;
  },
  fault_queue_alloc: (called, context, fake) => {
    const queue = newQueue("fault", undefined, 0);
    const out_fault_id = context.add(queue);
    const out_fault_fd = fake.addFile({ kind: "queue", queue, context });
    called.bytes = uapi.IOMMU_FAULT_ALLOC.create({ out_fault_id, out_fault_fd });
  },
  viommu_alloc: (called, context) => {
    const { flags, type, dev_id, hwpt_id } = uapi.IOMMU_VIOMMU_ALLOC.read(called.bytes);
    refuseIf(flags !== 0 || type === uapi.VIOMMU_TYPE.DEFAULT, "EOPNOTSUPP");
    const { iommu } = context.get(dev_id, "device").device;
    const isArm = iommu.kind === "smmuv3" && type === uapi.VIOMMU_TYPE.ARM_SMMUV3;
    refuseIf(!isArm || !iommu.nesting || !iommu.coherentWalks, "EOPNOTSUPP");
    const parent = context.get(hwpt_id, "paging");
    refuseIf(!parent.nestParent || parent.iommu !== iommu, "EINVAL");
    const out_viommu_id = context.add({ kind: "viommu", parent: hwpt_id, iommu });
    called.bytes = uapi.IOMMU_VIOMMU_ALLOC.create({ type, dev_id, hwpt_id, out_viommu_id });
  },
  vdevice_alloc: (called, context) => {
    const { viommu_id, dev_id, virt_id } = uapi.IOMMU_VDEVICE_ALLOC.read(called.bytes);
    const viommu = context.get(viommu_id, "viommu");
    const { device } = context.get(dev_id, "device");
    refuseIf(device.iommu !== viommu.iommu, "EINVAL");
    refuseIf(
      context.vdeviceOf(dev_id) !== undefined || context.vdeviceNamed(viommu_id, virt_id) !== undefined,
      "EEXIST",
    );
    refuseIf(device.streams !== 1, "EOPNOTSUPP");
    const out_vdevice_id = context.add({ kind: "vdevice", viommu: viommu_id, device: dev_id, virtualID: virt_id });
    called.bytes = uapi.IOMMU_VDEVICE_ALLOC.create({ viommu_id, dev_id, virt_id, out_vdevice_id });
  },
  veventq_alloc: (called, context, fake) => {
    const { flags, viommu_id, type, veventq_depth: depth } = uapi.IOMMU_VEVENTQ_ALLOC.read(called.bytes);
    refuseIf(flags !== 0 || type === uapi.VEVENTQ_TYPE.DEFAULT, "EOPNOTSUPP");
    refuseIf(depth < 1 || depth > EVENTQ_DEPTH_MAX, "EINVAL");
    context.get(viommu_id, "viommu");
    refuseIf(context.veventqOf(viommu_id) !== undefined, "EEXIST");
    const queue = newQueue("veventq", viommu_id, depth);
    const out_veventq_id = context.add(queue);
    const out_veventq_fd = fake.addFile({ kind: "queue", queue, context });
    called.bytes = uapi.IOMMU_VEVENTQ_ALLOC.create({
      viommu_id,
      type,
      veventq_depth: depth,
      out_veventq_id,
      out_veventq_fd,
    });
  },
};

function newQueue(kind: Queue["kind"], viommu: number | undefined, depth: number): Queue {
  return { kind, viommu, depth, records: [], sequence: 0, hasOpenFile: true };
}

function map(
  fake: FakeIommufd,
  context: FakeContext,
  {
    ioas,
    flags,
    iova,
    length,
    source,
  }: { ioas: number; flags: number; iova: bigint; length: bigint; source: "file" | "memory" },
): void {
  refuseIf(flags > 7, "EOPNOTSUPP");
  refuseIf(flags < 2, "EINVAL"); // neither READABLE nor WRITEABLE
  if (flags % 2 === 0) throw new Error("the backend says where everything goes: FIXED_IOVA is missing");
  context.get(ioas, "ioas");
  refuseIf(iova === WHOLE || length === WHOLE || iova + length - 1n > WHOLE, "EOVERFLOW");
  refuseIf(length === 0n, "EINVAL");
  const range = { start: iova, last: iova + length - 1n };
  context.map(ioas, range, source);
  if (!overLocked(fake)) return;
  context.unmap(ioas, range);
  throw new Refusal("ENOMEM");
}

function overLocked(fake: FakeIommufd): boolean {
  const bytes = fake.pinned().reduce((sum, { start, last }) => sum + last - start + 1n, 0n);
  return bytes > (fake.machine.lockedMemoryMax ?? bytes);
}

function hwptAlloc(called: Called, context: FakeContext, fake: FakeIommufd): void {
  const asked = uapi.IOMMU_HWPT_ALLOC.read(called.bytes);
  const { flags, dev_id, pt_id, data_type } = asked;
  refuseIf((data_type === uapi.HWPT_DATA.NONE) !== (asked.data_len === 0), "EINVAL");
  const { iommu } = context.get(dev_id, "device").device;
  const on = context.objects.get(pt_id);
  const { NEST_PARENT, FAULT_ID_VALID } = uapi.HWPT_FLAGS;
  const finish = (id: number): void => {
    called.bytes = uapi.IOMMU_HWPT_ALLOC.create({ ...asked, out_hwpt_id: id });
  };
  if (on?.kind !== "ioas") {
    refuseIf(flags !== 0 && flags !== FAULT_ID_VALID, "EOPNOTSUPP");
    const nested = nestedOf(context, iommu, pt_id, { type: data_type, bytes: called.payload ?? new Uint8Array() });
    if (flags === FAULT_ID_VALID) context.get(asked.fault_id, "fault");
    finish(context.add({ ...nested, fault: flags === FAULT_ID_VALID ? asked.fault_id : undefined }));
    return;
  }
  refuseIf(data_type !== uapi.HWPT_DATA.NONE, "EOPNOTSUPP");
  refuseIf(flags !== 0 && (flags !== NEST_PARENT || !iommu.nesting), "EOPNOTSUPP");
  const id = context.add({ kind: "paging", ioas: pt_id, nestParent: flags === NEST_PARENT, isAuto: false, iommu });
  if (overLocked(fake)) {
    context.destroy(id);
    throw new Refusal("ENOMEM");
  }
  finish(id);
}

export function callDevice(fake: FakeIommufd, file: OpenDevice, name: FakeCall, called: Called): void {
  const { bound, device } = file;
  if (name === "bind_iommufd") bind(fake, file, called);
  else if (bound === undefined)
    throw new Refusal("EINVAL"); // nothing else is taken before
  else if (name === "attach_pt") {
    const { flags, pt_id } = uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT.read(called.bytes);
    refuseIf(flags !== 0, "EINVAL");
    const hwpt = bound.context.attach(bound.id, pt_id);
    called.bytes = uapi.VFIO_DEVICE_ATTACH_IOMMUFD_PT.create({ pt_id: hwpt });
  } else if (name === "detach_pt") bound.context.detach(bound.id);
  else if (name === "vfio_reset") {
    refuseIf(!device.resets, "EINVAL");
    fake.resets.set(device.path, (fake.resets.get(device.path) ?? 0) + 1);
  } else if (name === "vfio_device_info") {
    const flags = uapi.VFIO_DEVICE_FLAGS.PCI + (device.resets ? uapi.VFIO_DEVICE_FLAGS.RESET : 0);
    called.bytes = uapi.VFIO_DEVICE_INFO.create({ flags, num_regions: 9, num_irqs: 5 });
  } else throw new Refusal("ENOTTY");
}

function bind(fake: FakeIommufd, file: OpenDevice, called: Called): void {
  const { iommufd } = uapi.VFIO_DEVICE_BIND_IOMMUFD.read(called.bytes);
  refuseIf(file.bound !== undefined, "EINVAL");
  const target = fake.files.get(iommufd);
  if (target === undefined) throw new Refusal("EBADF");
  if (target.kind !== "iommufd") throw new Refusal("EBADFD");
  refuseIf(fake.machine.unsafeInterrupts === true, "EPERM");
  const { device } = file;
  const others = [...fake.files.values()].filter((other) => other.kind === "device" && other.bound !== undefined);
  // A device is opened through its node once: asked before whose iommufd it is (vfio_df_open).
  refuseIf(
    others.some((other) => other.kind === "device" && other.device === device),
    "EINVAL",
  );
  refuseIf(fake.machine.hostGroups?.includes(device.group) === true, "EBUSY");
  for (const other of others) {
    if (other.kind !== "device" || other.device.group !== device.group) continue;
    refuseIf(other.bound?.context !== target.context, "EBUSY"); // one iommufd for a group
  }
  file.bound = { context: target.context, id: target.context.add({ kind: "device", device }) };
  called.bytes = uapi.VFIO_DEVICE_BIND_IOMMUFD.create({ iommufd, out_devid: file.bound.id });
}
