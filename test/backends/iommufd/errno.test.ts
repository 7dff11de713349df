// What each errno of each call means, by the reference's §3 to §5, and that the message says what to do.

import { constants } from "node:os";
import { expect, test } from "vitest";
import { limitOf } from "../../../src/backends/errors.ts";
import { callError, ERRNO } from "../../../src/backends/iommufd/errno.ts";
import { CALLS } from "../../../src/backends/iommufd/errno-table.ts";

type Call = keyof typeof CALLS;
type Row = readonly [call: Call, errno: keyof typeof ERRNO, code: string, says: RegExp];

const ROWS: readonly Row[] = [
  ["open_iommu", "ENOENT", "backend_unavailable", /CONFIG_IOMMUFD/],
  ["open_iommu", "EACCES", "backend_unavailable", /read and write access/],
  ["open_iommu", "EPERM", "backend_unavailable", /DeviceAllow/],
  ["open_iommu", "ENODEV", "backend_unavailable", /module iommufd/],
  ["open_iommu", "ENXIO", "backend_unavailable", /module iommufd/],
  ["open_iommu", "EMFILE", "backend_unavailable", /LimitNOFILE/],
  ["open_iommu", "ENFILE", "backend_unavailable", /fs\.file-max/],
  ["open_cdev", "ENOENT", "backend_unavailable", /bind the device to vfio-pci.*CONFIG_VFIO_DEVICE_CDEV/],
  ["open_cdev", "EACCES", "backend_unavailable", /\/dev\/vfio\/devices/],
  ["open_cdev", "EPERM", "backend_unavailable", /allow char-vfio-dev there \(DeviceAllow\)/],
  ["open_cdev", "ENODEV", "backend_unavailable", /removed or unbound/],
  ["open_cdev", "ENXIO", "backend_unavailable", /removed or unbound/],
  ["open_cdev", "EBUSY", "device_owned", /end what uses it/],
  ["open_cdev", "EMFILE", "backend_unavailable", /LimitNOFILE/],
  ["open_cdev", "ENFILE", "backend_unavailable", /fs\.file-max/],
  ["destroy", "EBUSY", "in_use", /destroy that first/],
  ["destroy", "ENOENT", "backend_failed", /not there/],
  ["ioas_alloc", "ENOMEM", "backend_unavailable", /free some/],
  ["ioas_map", "ENOMEM", "limit_reached", /LimitMEMLOCK/],
  ["ioas_map", "EEXIST", "already_exists", /unmap that first/],
  ["ioas_map", "EINVAL", "argument_invalid", /IOVA ranges/],
  ["ioas_map", "EOVERFLOW", "argument_invalid", /lower IPA/],
  ["ioas_map", "ENOSPC", "backend_failed", /no room/],
  ["ioas_map", "EFAULT", "argument_invalid", /as long as the range/],
  ["ioas_map", "EPERM", "argument_invalid", /map them read-only/],
  ["ioas_map_file", "ENOTTY", "backend_unsupported", /Linux 6\.13/],
  ["ioas_map_file", "ENOMEM", "limit_reached", /LimitMEMLOCK/],
  ["ioas_map_file", "EEXIST", "already_exists", /unmap that first/],
  ["ioas_map_file", "EINVAL", "argument_invalid", /no memfd.*IOVA ranges/],
  ["ioas_map_file", "EBADF", "argument_invalid", /pass a memfd/],
  ["ioas_map_file", "EOVERFLOW", "argument_invalid", /lower IPA/],
  ["ioas_map_file", "ENOSPC", "backend_failed", /no room/],
  ["ioas_map_file", "EFAULT", "argument_invalid", /as long as the range/],
  ["ioas_map_file", "EPERM", "argument_invalid", /map them read-only/],
  ["ioas_unmap", "ENOENT", "mapping_unknown", /unmap it whole/],
  ["ioas_unmap", "EBUSY", "in_use", /try again/],
  ["ioas_unmap", "EDEADLK", "backend_failed", /kernel log/],
  ["ioas_unmap", "EINVAL", "argument_invalid", /empty/],
  ["ioas_unmap", "EOVERFLOW", "argument_invalid", /lower IPA/],
  ["ioas_iova_ranges", "ENOENT", "backend_failed", /not there/],
  ["option", "EPERM", "backend_unsupported", /CAP_SYS_RESOURCE/],
  ["option", "EBUSY", "backend_failed", /before the first/],
  ["hwpt_alloc", "EOPNOTSUPP", "backend_unsupported", /both stages.*6\.7/],
  ["hwpt_alloc", "ENOMEM", "limit_reached", /huge pages/],
  ["hwpt_alloc", "EADDRINUSE", "argument_invalid", /reserved range/],
  ["hwpt_alloc", "EINVAL", "backend_failed", /do not fit/],
  ["hwpt_alloc", "ENOTTY", "backend_unsupported", /Linux 6\.6/],
  ["hwpt_alloc_nested", "EIO", "vste_invalid", /Config must be 0, 4 or 5/],
  ["hwpt_alloc_nested", "EOPNOTSUPP", "backend_unsupported", /through a vIOMMU/],
  ["hwpt_alloc_nested", "EINVAL", "backend_failed", /not the device's/],
  ["get_hw_info", "EOPNOTSUPP", "backend_unsupported", /ask for its own/],
  ["hwpt_invalidate", "EIO", "argument_invalid", /opcode.*reserved bit.*StreamID/],
  ["hwpt_invalidate", "EINVAL", "backend_failed", /empty or too long/],
  ["hwpt_invalidate", "EOPNOTSUPP", "backend_unsupported", /on the vIOMMU/],
  ["hwpt_invalidate", "ETIMEDOUT", "backend_failed", /reset it/],
  ["hwpt_invalidate", "ENOTTY", "backend_unsupported", /Linux 6\.8/],
  ["fault_queue_alloc", "ENOTTY", "backend_unsupported", /Linux 6\.11/],
  [
    "page_response",
    "EBADF",
    "backend_failed",
    /^write of iommu_hwpt_page_response fails \(EBADF\): the fault queue is closed/,
  ],
  ["page_response", "ESPIPE", "backend_failed", /another size/],
  ["viommu_alloc", "EOPNOTSUPP", "backend_unsupported", /CONFIG_ARM_SMMU_V3_IOMMUFD.*S2FWB.*CANWBS/],
  ["viommu_alloc", "ENOTTY", "backend_unsupported", /Linux 6\.13/],
  ["viommu_alloc", "ENOENT", "backend_failed", /not there/],
  ["viommu_alloc", "EINVAL", "backend_failed", /no nesting parent/],
  ["vdevice_alloc", "EEXIST", "already_exists", /virtual StreamID is taken/],
  ["vdevice_alloc", "EOPNOTSUPP", "backend_unsupported", /exactly one StreamID/],
  ["vdevice_alloc", "EINVAL", "argument_invalid", /another IOMMU/],
  ["vdevice_alloc", "ENOENT", "backend_failed", /being unbound/],
  ["veventq_alloc", "ENOTTY", "backend_unsupported", /Linux 6\.15/],
  ["veventq_alloc", "EEXIST", "already_exists", /of this kind/],
  ["veventq_alloc", "EINVAL", "argument_invalid", /1 and 524288/],
  ["bind_iommufd", "EPERM", "backend_unsupported", /interrupt remapping.*allow_unsafe_interrupts=1/],
  ["bind_iommufd", "EBUSY", "device_owned", /all of the group to vfio-pci/],
  ["bind_iommufd", "EINVAL", "backend_unsupported", /cache-coherent.*reserved_regions/],
  ["bind_iommufd", "ENODEV", "backend_unavailable", /enable the IOMMU/],
  ["bind_iommufd", "EBADFD", "backend_failed", /no iommufd/],
  ["bind_iommufd", "EACCES", "backend_unsupported", /token/],
  ["attach_pt", "EADDRINUSE", "argument_invalid", /reserves.*IOVA ranges/],
  ["attach_pt", "EBUSY", "in_use", /PASID/],
  ["attach_pt", "EINVAL", "backend_failed", /another IOMMU/],
  ["attach_pt", "ENOENT", "backend_failed", /vDEVICE/],
  ["attach_pt", "ENOMEM", "limit_reached", /LimitMEMLOCK/],
  ["detach_pt", "ENODEV", "backend_failed", /gone/],
  ["vfio_reset", "ENOTTY", "backend_unsupported", /no reset/],
  ["vfio_reset", "EINVAL", "backend_unsupported", /no reset/],
  ["vfio_reset", "EAGAIN", "backend_unavailable", /try again/],
  ["vfio_device_info", "ENODEV", "backend_failed", /gone/],
];

test.each(ROWS)("%s with %s is %s", (call, errno, code, says) => {
  const error = callError(call, ERRNO[errno], { device: "0000:00:02.0" });
  expect(error).toMatchObject({ code, facts: { errno, ioctl: CALLS[call].ioctl, device: "0000:00:02.0" } });
  expect(error.message).toMatch(says);
  expect(error.message.startsWith(`${CALLS[call].ioctl} fails (${errno}): `)).toBe(true);
});

test("every row of the table is tried above", () => {
  const tried = new Set(ROWS.map(([call, errno]) => `${call} ${errno}`));
  const rows = Object.entries(CALLS).flatMap(([call, { rows }]) =>
    Object.keys(rows).map((errno) => `${call} ${errno}`),
  );
  expect(rows.filter((row) => !tried.has(row))).toEqual([]);
  expect(Object.keys(CALLS).filter((call) => !ROWS.some(([tried]) => tried === call))).toEqual([]);
});

test("the numbers are this machine's, and every name in the table has one", () => {
  const known: Readonly<Record<string, number>> = constants.errno;
  for (const [name, number] of Object.entries(ERRNO)) expect([name, known[name] ?? number]).toEqual([name, number]);
  const named = Object.values(CALLS).flatMap(({ rows }) => Object.keys(rows));
  expect(named.filter((name) => !(name in ERRNO))).toEqual([]);
});

test("pinned memory that is too much names its limit, and may be tried again", () => {
  const error = callError("ioas_map", ERRNO.ENOMEM);
  expect([limitOf(error), error.retryAfterMs]).toEqual(["locked_memory", 1000]);
  expect(callError("destroy", ERRNO.EBUSY).retryAfterMs).toBeUndefined();
});

test("an errno that nobody expects is told as it is", () => {
  expect(callError("ioas_alloc", 131)).toMatchObject({ code: "backend_failed", facts: { errno: "errno 131" } });
});
