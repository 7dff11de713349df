// The ioctls of an iommufd that concern translation: HWPTs, vIOMMUs, their devices and event queues, and invalidation.
// GET_HW_INFO and HWPT_INVALIDATE of a short batch are made on the event loop: the kernel answers them at once.
// Source: include/uapi/linux/iommufd.h of Linux 7.2.

import { callError } from "./errno.ts";
import { call, type KernelFile, REQUEST } from "./ioctl-call.ts";
import type { IoctlRequest, IoctlResult } from "./kernel.ts";
import * as uapi from "./structs.ts";

export type HwptKind =
  /** Stage 2 of guests. */
  | { readonly kind: "nest_parent"; readonly ioas: number }
  /** Translation without nesting, on whatever stage the kernel takes. */
  | { readonly kind: "paging"; readonly ioas: number }
  /** A guest's STE, two doublewords, on a vIOMMU. */
  | { readonly kind: "arm_smmuv3"; readonly viommu: number; readonly ste: Uint8Array; readonly faultQueue?: number }
  /** A guest's first-level table on a nesting parent. */
  | { readonly kind: "vtd_s1"; readonly parent: number; readonly table: VtdTable; readonly faultQueue?: number };

export interface VtdTable {
  readonly flags: bigint;
  readonly pgtblAddr: bigint;
  readonly addrWidth: number;
}

/** @throws BrokerError vste_invalid when the kernel refuses a guest's STE */
export async function hwptAlloc(file: KernelFile, device: number, hwpt: HwptKind): Promise<number> {
  const { bytes: created, payload } = hwptRequest(device, hwpt);
  const facts = { device_object: device, hwpt: hwpt.kind };
  const as = payload === undefined ? "hwpt_alloc" : "hwpt_alloc_nested";
  const { bytes } = await call(file, "hwpt_alloc", created, { payload, as, facts });
  return uapi.IOMMU_HWPT_ALLOC.read(bytes).out_hwpt_id;
}

/** The structure of an allocation, and what it points to. */
export function hwptRequest(device: number, hwpt: HwptKind): Pick<IoctlRequest, "bytes" | "payload"> {
  const { values, payload } = hwptValues(hwpt);
  const bytes = uapi.IOMMU_HWPT_ALLOC.create({ ...values, dev_id: device });
  return payload === undefined ? { bytes } : { bytes, payload };
}

function hwptValues(hwpt: HwptKind) {
  if (hwpt.kind === "nest_parent") return { values: { flags: uapi.HWPT_FLAGS.NEST_PARENT, pt_id: hwpt.ioas } };
  if (hwpt.kind === "paging") return { values: { pt_id: hwpt.ioas } };
  const [pt_id, data_type, data] =
    hwpt.kind === "arm_smmuv3"
      ? [hwpt.viommu, uapi.HWPT_DATA.ARM_SMMUV3, uapi.IOMMU_HWPT_ARM_SMMUV3.create({ ste: hwpt.ste })]
      : [hwpt.parent, uapi.HWPT_DATA.VTD_S1, vtdData(hwpt.table)];
  const fault =
    hwpt.faultQueue === undefined ? {} : { flags: uapi.HWPT_FLAGS.FAULT_ID_VALID, fault_id: hwpt.faultQueue };
  return {
    values: { ...fault, pt_id, data_type, data_len: data.byteLength },
    payload: { pointerAt: uapi.IOMMU_HWPT_ALLOC.fields.data_uptr.at, bytes: data, isInput: true },
  };
}

function vtdData({ flags, pgtblAddr: pgtbl_addr, addrWidth: addr_width }: VtdTable): Uint8Array {
  return uapi.IOMMU_HWPT_VTD_S1.create({ flags, pgtbl_addr, addr_width });
}

export interface HwInfo {
  /** HW_INFO_TYPE of structs.ts. */
  readonly type: number;
  /** The structure of that type, as long as this kernel has it. */
  readonly data: Uint8Array;
  /** HW_CAPABILITIES of structs.ts. */
  readonly capabilities: bigint;
  /** 0: no PASIDs. */
  readonly maxPasidLog2: number;
}

/** Longer than any structure that a kernel has. */
const HW_INFO_BYTES_MAX = 256;

export function getHwInfo({ kernel, fd }: KernelFile, device: number): HwInfo {
  const answer = kernel.ioctlNow({
    fd,
    request: REQUEST.get_hw_info,
    bytes: uapi.IOMMU_HW_INFO.create({ dev_id: device, data_len: HW_INFO_BYTES_MAX }),
    payload: { pointerAt: uapi.IOMMU_HW_INFO.fields.data_uptr.at, bytes: new Uint8Array(HW_INFO_BYTES_MAX) },
  });
  if (answer.result < 0) throw callError("get_hw_info", -answer.result, { device_object: device });
  const { out_data_type, data_len, out_capabilities, out_max_pasid_log2 } = uapi.IOMMU_HW_INFO.read(answer.bytes);
  return {
    type: out_data_type,
    data: (answer.payload ?? new Uint8Array()).slice(0, data_len),
    capabilities: out_capabilities,
    maxPasidLog2: out_max_pasid_log2,
  };
}

export interface Invalidation {
  /** A vIOMMU for Arm, a nested HWPT for VT-d. */
  readonly target: number;
  /** INVALIDATE_DATA of structs.ts. */
  readonly dataType: number;
  readonly entryBytes: number;
  /** Entries without a gap, at least one. */
  readonly entries: Uint8Array;
}

/** Filled in anew for each call: the kernel is given a copy. */
const INVALIDATE = uapi.IOMMU_HWPT_INVALIDATE.create({});
const INVALIDATE_VIEW = new DataView(INVALIDATE.buffer);

function invalidateRequest(fd: number, { target, dataType, entryBytes, entries }: Invalidation): IoctlRequest {
  const { data_type, data_uptr, entry_len, entry_num, hwpt_id } = uapi.IOMMU_HWPT_INVALIDATE.fields;
  INVALIDATE_VIEW.setUint32(hwpt_id.at, target, true);
  INVALIDATE_VIEW.setUint32(data_type.at, dataType, true);
  INVALIDATE_VIEW.setUint32(entry_len.at, entryBytes, true);
  INVALIDATE_VIEW.setUint32(entry_num.at, entries.byteLength / entryBytes, true);
  const payload = { pointerAt: data_uptr.at, bytes: entries, isInput: true };
  return { fd, request: REQUEST.hwpt_invalidate, bytes: INVALIDATE, payload, isInput: true };
}

function requireInvalidated({ result, bytes }: IoctlResult, { target, entries, entryBytes }: Invalidation): void {
  if (result >= 0) return;
  const handled = uapi.IOMMU_HWPT_INVALIDATE.read(bytes).entry_num;
  throw callError("hwpt_invalidate", -result, { target, entries: entries.byteLength / entryBytes, handled });
}

/**
 * On the event loop. Complete on return: the driver waits for its CMD_SYNC.
 * @throws BrokerError with the fact `handled`: entries that the kernel counts as done, of which some may not be
 */
export function hwptInvalidate({ kernel, fd }: KernelFile, invalidation: Invalidation): void {
  requireInvalidated(kernel.ioctlNow(invalidateRequest(fd, invalidation)), invalidation);
}

/** The same in the pool. */
export async function hwptInvalidateInPool({ kernel, fd }: KernelFile, invalidation: Invalidation): Promise<void> {
  const request = invalidateRequest(fd, invalidation);
  requireInvalidated(await kernel.ioctl({ ...request, bytes: request.bytes.slice() }), invalidation);
}

export interface QueueObject {
  readonly id: number;
  /** A descriptor of its own, readable while something waits. The object cannot be destroyed before it is closed. */
  readonly fd: number;
}

export async function faultQueueAlloc(file: KernelFile): Promise<QueueObject> {
  const { bytes } = await call(file, "fault_queue_alloc", uapi.IOMMU_FAULT_ALLOC.create({}));
  const { out_fault_id: id, out_fault_fd: fd } = uapi.IOMMU_FAULT_ALLOC.read(bytes);
  return { id, fd };
}

/** A guest's SMMU on the host's SMMU that serves `device`, over the stage 2 of `parent`. */
export async function viommuAlloc(file: KernelFile, device: number, parent: number): Promise<number> {
  const type = uapi.VIOMMU_TYPE.ARM_SMMUV3;
  const created = uapi.IOMMU_VIOMMU_ALLOC.create({ type, dev_id: device, hwpt_id: parent });
  const { bytes } = await call(file, "viommu_alloc", created, { facts: { device_object: device } });
  return uapi.IOMMU_VIOMMU_ALLOC.read(bytes).out_viommu_id;
}

/** Names a device within a vIOMMU: invalidations and events then know it by `virtualID`, its virtual StreamID. */
export async function vdeviceAlloc(
  file: KernelFile,
  vdevice: { readonly viommu: number; readonly device: number; readonly virtualID: bigint },
): Promise<number> {
  const { viommu: viommu_id, device: dev_id, virtualID: virt_id } = vdevice;
  const created = uapi.IOMMU_VDEVICE_ALLOC.create({ viommu_id, dev_id, virt_id });
  const facts = { device_object: dev_id, virtual_id: virt_id };
  const { bytes } = await call(file, "vdevice_alloc", created, { facts });
  return uapi.IOMMU_VDEVICE_ALLOC.read(bytes).out_vdevice_id;
}

/** @param depth  events that the kernel keeps while nobody reads, 1 to 2^19 */
export async function veventqAlloc(file: KernelFile, viommu: number, depth: number): Promise<QueueObject> {
  const type = uapi.VEVENTQ_TYPE.ARM_SMMUV3;
  const created = uapi.IOMMU_VEVENTQ_ALLOC.create({ viommu_id: viommu, type, veventq_depth: depth });
  const { bytes } = await call(file, "veventq_alloc", created, { facts: { depth } });
  const { out_veventq_id: id, out_veventq_fd: fd } = uapi.IOMMU_VEVENTQ_ALLOC.read(bytes);
  return { id, fd };
}
