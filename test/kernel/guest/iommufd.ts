// The calls of iommufd and of the VFIO device node that the cases make themselves, with numbers and offsets of their own, so
// that a wrong one in the daemon is seen.
// Source: Linux 7.2, include/uapi/linux/iommufd.h, include/uapi/linux/vfio.h.

import { Block, ioctl } from "./native.ts";

const IOMMU_DESTROY = 0x3b80;
const IOMMU_IOAS_ALLOC = 0x3b81;
const IOMMU_HWPT_ALLOC = 0x3b89;
const IOMMU_GET_HW_INFO = 0x3b8a;
const IOMMU_IOAS_MAP_FILE = 0x3b8f;
const IOMMU_VIOMMU_ALLOC = 0x3b90;
const IOMMU_HWPT_INVALIDATE = 0x3b8d;
const IOMMU_VDEVICE_ALLOC = 0x3b91;
const IOMMU_VEVENTQ_ALLOC = 0x3b93;
const VFIO_DEVICE_BIND_IOMMUFD = 0x3b76;
const VFIO_DEVICE_ATTACH_IOMMUFD_PT = 0x3b77;
const VFIO_DEVICE_SET_IRQS = 0x3b6e;

const HWPT_NEST_PARENT = 1;
const VIOMMU_ARM_SMMUV3 = 1;
const HWPT_DATA_ARM_SMMUV3 = 2;
const INVALIDATE_DATA_ARM_SMMUV3 = 1;
const VEVENTQ_ARM_SMMUV3 = 1;
/** VFIO_IRQ_SET_DATA_EVENTFD and VFIO_IRQ_SET_ACTION_TRIGGER. */
const IRQ_TRIGGERS_EVENTFD = 4 + 32;
const IRQ_INDEX_MSI = 1;
const COMMAND_BYTES = 16;
/** FIXED_IOVA, WRITEABLE and READABLE. */
const MAP_FIXED_READ_WRITE = 7;
/** struct iommu_hw_info_arm_smmuv3: flags, reserved, idr[6], iidr, aidr. */
const SMMU_INFO_BYTES = 40;

type Field = readonly [offset: number, value: number | bigint];

/** A struct whose first 32-bit word is its size; numbers are 32-bit fields, bigints 64-bit ones. */
function struct(bytes: number, fields: readonly Field[]): Block {
  const block = new Block(bytes);
  block.view.setUint32(0, bytes, true);
  for (const [offset, value] of fields) {
    if (typeof value === "bigint") block.view.setBigUint64(offset, value, true);
    else block.view.setUint32(offset, value, true);
  }
  return block;
}

/** @returns the device's ID in the iommufd */
export function bindDevice(device: number, iommufd: number): number {
  const argument = struct(24, [[8, iommufd]]);
  ioctl("VFIO_DEVICE_BIND_IOMMUFD", device, VFIO_DEVICE_BIND_IOMMUFD, argument);
  return argument.view.getUint32(12, true);
}

export function attachDevice(device: number, pageTable: number): void {
  ioctl("VFIO_DEVICE_ATTACH_IOMMUFD_PT", device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, struct(16, [[8, pageTable]]));
}

/** The device's first MSI is counted by the eventfd from now on. */
export function receiveMSI(device: number, eventfd: number): void {
  const argument = struct(24, [
    [4, IRQ_TRIGGERS_EVENTFD],
    [8, IRQ_INDEX_MSI],
    [12, 0],
    [16, 1],
    [20, eventfd],
  ]);
  ioctl("VFIO_DEVICE_SET_IRQS", device, VFIO_DEVICE_SET_IRQS, argument);
}

export interface SmmuInfo {
  readonly type: number;
  readonly idr: readonly number[];
}

export function hardwareInfo(iommufd: number, deviceID: number): SmmuInfo {
  const data = new Block(SMMU_INFO_BYTES);
  const argument = struct(40, [
    [8, deviceID],
    [12, SMMU_INFO_BYTES],
    [16, data.address],
  ]);
  ioctl("IOMMU_GET_HW_INFO", iommufd, IOMMU_GET_HW_INFO, argument);
  const idr = [0, 1, 2, 3, 4, 5].map((index) => data.view.getUint32(8 + 4 * index, true));
  return { type: argument.view.getUint32(24, true), idr };
}

export function allocateAddressSpace(iommufd: number): number {
  const argument = struct(12, []);
  ioctl("IOMMU_IOAS_ALLOC", iommufd, IOMMU_IOAS_ALLOC, argument);
  return argument.view.getUint32(8, true);
}

export interface FileMapping {
  readonly ioas: number;
  readonly file: number;
  readonly start: number;
  readonly bytes: number;
  readonly ipa: number;
}

export function mapFile(iommufd: number, { ioas, file, start, bytes, ipa }: FileMapping): void {
  const argument = struct(40, [
    [4, MAP_FIXED_READ_WRITE],
    [8, ioas],
    [12, file],
    [16, BigInt(start)],
    [24, BigInt(bytes)],
    [32, BigInt(ipa)],
  ]);
  ioctl("IOMMU_IOAS_MAP_FILE", iommufd, IOMMU_IOAS_MAP_FILE, argument);
}

export function allocateNestParent(iommufd: number, deviceID: number, ioas: number): number {
  const argument = struct(48, [
    [4, HWPT_NEST_PARENT],
    [8, deviceID],
    [12, ioas],
  ]);
  ioctl("IOMMU_HWPT_ALLOC", iommufd, IOMMU_HWPT_ALLOC, argument);
  return argument.view.getUint32(16, true);
}

export function allocateVirtualIommu(iommufd: number, deviceID: number, nestParent: number): number {
  const argument = struct(40, [
    [8, VIOMMU_ARM_SMMUV3],
    [12, deviceID],
    [16, nestParent],
  ]);
  ioctl("IOMMU_VIOMMU_ALLOC", iommufd, IOMMU_VIOMMU_ALLOC, argument);
  return argument.view.getUint32(20, true);
}

export interface VirtualDevice {
  readonly virtualIommu: number;
  readonly deviceID: number;
  readonly virtualStreamID: number;
}

export function allocateVirtualDevice(
  iommufd: number,
  { virtualIommu, deviceID, virtualStreamID }: VirtualDevice,
): number {
  const argument = struct(24, [
    [4, virtualIommu],
    [8, deviceID],
    [16, BigInt(virtualStreamID)],
  ]);
  ioctl("IOMMU_VDEVICE_ALLOC", iommufd, IOMMU_VDEVICE_ALLOC, argument);
  return argument.view.getUint32(12, true);
}

/** @returns a descriptor to read records from */
export function allocateEventQueue(iommufd: number, virtualIommu: number, depth: number): number {
  const argument = struct(32, [
    [8, virtualIommu],
    [12, VEVENTQ_ARM_SMMUV3],
    [16, depth],
  ]);
  ioctl("IOMMU_VEVENTQ_ALLOC", iommufd, IOMMU_VEVENTQ_ALLOC, argument);
  return argument.view.getUint32(24, true);
}

/** @param ste  the first two doublewords of the guest's STE */
export function allocateNested(
  iommufd: number,
  deviceID: number,
  virtualIommu: number,
  ste: readonly [bigint, bigint],
): number {
  const data = doublewords(ste);
  const argument = struct(48, [
    [8, deviceID],
    [12, virtualIommu],
    [24, HWPT_DATA_ARM_SMMUV3],
    [28, data.bytes.byteLength],
    [32, data.address],
  ]);
  ioctl("IOMMU_HWPT_ALLOC", iommufd, IOMMU_HWPT_ALLOC, argument);
  return argument.view.getUint32(16, true);
}

/** Gives the commands to the virtual SMMU's command queue, as it were. */
export function invalidate(
  iommufd: number,
  virtualIommu: number,
  commands: readonly (readonly [bigint, bigint])[],
): void {
  const data = doublewords(commands.flat());
  const argument = struct(32, [
    [4, virtualIommu],
    [8, data.address],
    [16, INVALIDATE_DATA_ARM_SMMUV3],
    [20, COMMAND_BYTES],
    [24, commands.length],
  ]);
  ioctl("IOMMU_HWPT_INVALIDATE", iommufd, IOMMU_HWPT_INVALIDATE, argument);
}

function doublewords(values: readonly bigint[]): Block {
  const block = new Block(8 * values.length);
  values.forEach((value, index) => {
    block.view.setBigUint64(8 * index, value, true);
  });
  return block;
}

export function destroyObject(iommufd: number, object: number): void {
  ioctl("IOMMU_DESTROY", iommufd, IOMMU_DESTROY, struct(8, [[4, object]]));
}
