// The table behind errno.ts: each call, the Linux that brought it, and what its errnos mean to who runs the host.
// A nested HWPT_ALLOC and the opening of the two device nodes have rows of their own.
// Source: as errno.ts; versions by the merge of each ioctl.

import type { BrokerErrorCode } from "../errors.ts";

export interface Meaning {
  readonly code: BrokerErrorCode;
  /** What it means and what to do. */
  readonly text: string;
  /** With limit_reached: which one. */
  readonly limit?: string;
}

export interface CallMeanings {
  /** As the kernel names it. */
  readonly ioctl: string;
  /** The Linux that first has it. */
  readonly since: string;
  readonly rows: Readonly<Record<string, Meaning>>;
}

const unsupported = (text: string): Meaning => ({ code: "backend_unsupported", text });
const failed = (text: string): Meaning => ({ code: "backend_failed", text });
const unavailable = (text: string): Meaning => ({ code: "backend_unavailable", text });
const inUse = (text: string): Meaning => ({ code: "in_use", text });
const invalid = (text: string): Meaning => ({ code: "argument_invalid", text });

const PINNED: Meaning = {
  code: "limit_reached",
  limit: "locked_memory",
  text: "guest memory cannot be pinned: raise LimitMEMLOCK of the daemon, or free memory or huge pages",
};

const MAP_ROWS: Readonly<Record<string, Meaning>> = {
  ENOMEM: PINNED,
  EEXIST: { code: "already_exists", text: "the range overlaps one that is mapped: unmap that first" },
  EINVAL: invalid(
    "the range is empty, not aligned to the IOMMU's page, or touches a reserved range: see the IOVA ranges",
  ),
  EOVERFLOW: invalid("the range goes past the end of the address space: take a lower IPA"),
  ENOSPC: failed("there is no room, though the address was given"),
  EFAULT: invalid("the file has no such pages, or they are not memory: map a memfd that is as long as the range"),
  EPERM: invalid("the pages are read-only and the mapping is not: map them read-only"),
};

const TABLE = {
  open_iommu: {
    ioctl: "open /dev/iommu",
    since: "6.2",
    rows: {
      ENOENT: unavailable("there is no such node: run a kernel with CONFIG_IOMMUFD, or load the module iommufd"),
      EACCES: unavailable("the daemon may not: give it read and write access to the node, mode 0660 by default"),
      EPERM: unavailable("the device cgroup or the sandbox forbids it: allow /dev/iommu there (DeviceAllow)"),
      ENODEV: unavailable("the node has no driver: load the module iommufd"),
      ENXIO: unavailable("the node has no driver: load the module iommufd"),
      EMFILE: unavailable("the daemon has too many files open: raise LimitNOFILE"),
      ENFILE: unavailable("the host has too many files open: raise fs.file-max"),
    },
  },
  open_cdev: {
    ioctl: "open /dev/vfio/devices",
    since: "6.6",
    rows: {
      ENOENT: unavailable(
        "there is no such node: bind the device to vfio-pci, on a kernel with CONFIG_VFIO_DEVICE_CDEV",
      ),
      EACCES: unavailable("the daemon may not: give it read and write access to the nodes below /dev/vfio/devices"),
      EPERM: unavailable("the device cgroup or the sandbox forbids it: allow char-vfio-dev there (DeviceAllow)"),
      ENODEV: unavailable("the device is gone: it was removed or unbound from vfio-pci"),
      ENXIO: unavailable("the device is gone: it was removed or unbound from vfio-pci"),
      EBUSY: { code: "device_owned", text: "its group is open through /dev/vfio: end what uses it there" },
      EMFILE: unavailable("the daemon has too many files open: raise LimitNOFILE"),
      ENFILE: unavailable("the host has too many files open: raise fs.file-max"),
    },
  },
  destroy: {
    ioctl: "IOMMU_DESTROY",
    since: "6.2",
    rows: { EBUSY: inUse("another object stands on it: destroy that first") },
  },
  ioas_alloc: { ioctl: "IOMMU_IOAS_ALLOC", since: "6.2", rows: {} },
  ioas_map: { ioctl: "IOMMU_IOAS_MAP", since: "6.2", rows: MAP_ROWS },
  ioas_map_file: {
    ioctl: "IOMMU_IOAS_MAP_FILE",
    since: "6.13",
    rows: {
      ...MAP_ROWS,
      EBADF: invalid("the descriptor is not open, or is no memfd: pass a memfd"),
      EINVAL: invalid(
        "the file is no memfd, or the range is not aligned to the IOMMU's page or touches a reserved range: see the IOVA ranges",
      ),
    },
  },
  ioas_unmap: {
    ioctl: "IOMMU_IOAS_UNMAP",
    since: "6.2",
    rows: {
      ENOENT: { code: "mapping_unknown", text: "nothing is mapped there, or the range cuts a mapping: unmap it whole" },
      EBUSY: inUse("the range is locked, or changes at this moment: try again"),
      EDEADLK: failed("something in the kernel does not let the range go: look into the kernel log"),
      EINVAL: invalid("the range is empty: give its length"),
      EOVERFLOW: invalid("the range goes past the end of the address space: take a lower IPA"),
    },
  },
  ioas_iova_ranges: { ioctl: "IOMMU_IOAS_IOVA_RANGES", since: "6.2", rows: {} },
  option: {
    ioctl: "IOMMU_OPTION",
    since: "6.2",
    rows: {
      EPERM: unsupported(
        "to count pinned memory for each process takes CAP_SYS_RESOURCE: give it to the daemon (the systemd unit: its drop-in vended.conf)",
      ),
      EBUSY: failed("the iommufd has objects already, and this comes before the first"),
    },
  },
  hwpt_alloc: {
    ioctl: "IOMMU_HWPT_ALLOC",
    since: "6.6",
    rows: {
      EOPNOTSUPP: unsupported(
        "this IOMMU cannot nest, or not with these options: it takes both stages, and a kernel of 6.7 or newer",
      ),
      ENOMEM: PINNED,
      EADDRINUSE: invalid(
        "what is mapped lies in a reserved range, or is not aligned to its page: see the IOVA ranges",
      ),
      EINVAL: failed("the IOAS or the device do not fit what is asked for"),
    },
  },
  hwpt_alloc_nested: {
    ioctl: "IOMMU_HWPT_ALLOC",
    since: "6.6",
    rows: {
      EIO: {
        code: "vste_invalid",
        text: "the kernel refuses the vSTE: Config must be 0, 4 or 5, EATS 0 or 1, and no host field may be set",
      },
      EOPNOTSUPP: unsupported(
        "the driver of this IOMMU nests in another way: Arm through a vIOMMU, VT-d on the nesting parent",
      ),
      EINVAL: failed("the vIOMMU is not the device's, or the data are of another kind"),
    },
  },
  get_hw_info: {
    ioctl: "IOMMU_GET_HW_INFO",
    since: "6.6",
    rows: { EOPNOTSUPP: unsupported("the IOMMU tells nothing of this kind: ask for its own") },
  },
  hwpt_invalidate: {
    ioctl: "IOMMU_HWPT_INVALIDATE",
    since: "6.8",
    rows: {
      EIO: invalid("the kernel refuses a command: an opcode it does not take, a reserved bit, or an unknown StreamID"),
      EINVAL: failed("the batch is empty or too long, or of another kind than the vIOMMU"),
      EOPNOTSUPP: unsupported(
        "this object takes no invalidations: Arm takes them on the vIOMMU, VT-d on the nested HWPT",
      ),
      ETIMEDOUT: failed("the device did not answer an ATC invalidation in time: reset it"),
    },
  },
  fault_queue_alloc: { ioctl: "IOMMU_FAULT_QUEUE_ALLOC", since: "6.11", rows: {} },
  page_response: {
    ioctl: "write of iommu_hwpt_page_response",
    since: "6.11",
    rows: {
      EBADF: failed("the fault queue is closed: what waited was ended by the kernel"),
      ESPIPE: failed("the kernel's answer has another size: run a broker that knows this kernel"),
    },
  },
  viommu_alloc: {
    ioctl: "IOMMU_VIOMMU_ALLOC",
    since: "6.13",
    rows: {
      EOPNOTSUPP: unsupported(
        "the kernel gives no vIOMMU here: it takes CONFIG_ARM_SMMU_V3_IOMMUFD, an SMMU with both stages, and S2FWB or firmware that states CANWBS for the root complex",
      ),
      ENOENT: failed("the nesting parent or the device is not there"),
      EINVAL: failed("the HWPT is no nesting parent, or of another SMMU than the device"),
    },
  },
  vdevice_alloc: {
    ioctl: "IOMMU_VDEVICE_ALLOC",
    since: "6.13",
    rows: {
      EEXIST: { code: "already_exists", text: "the virtual StreamID is taken, or the device has one already" },
      EOPNOTSUPP: unsupported("the device has not exactly one StreamID: nesting needs exactly one"),
      EINVAL: invalid("the device is behind another IOMMU than the vIOMMU, or the StreamID is too large"),
      ENOENT: failed("the vIOMMU is not there, or the device is being unbound"),
    },
  },
  veventq_alloc: {
    ioctl: "IOMMU_VEVENTQ_ALLOC",
    since: "6.15",
    rows: {
      EEXIST: { code: "already_exists", text: "the vIOMMU has an event queue of this kind" },
      EINVAL: invalid("the depth is not within 1 and 524288"),
    },
  },
  bind_iommufd: {
    ioctl: "VFIO_DEVICE_BIND_IOMMUFD",
    since: "6.6",
    rows: {
      EPERM: unsupported(
        "the host does not isolate MSIs: enable interrupt remapping, or accept the risk with iommufd.allow_unsafe_interrupts=1",
      ),
      EBUSY: {
        code: "device_owned",
        text: "its IOMMU group belongs to another iommufd or to a driver of the host: bind all of the group to vfio-pci and end what uses it",
      },
      EINVAL: unsupported(
        "the device's DMA is not cache-coherent, firmware demands direct ranges for it, or it is bound already, through a node that a process has open (ls -l /proc/*/fd | grep vfio): end that process, or see the group's reserved_regions",
      ),
      ENODEV: unavailable("the device has no IOMMU group, or is gone: enable the IOMMU in firmware and kernel"),
      EBADFD: failed("what was given is no iommufd"),
      EACCES: unsupported("the VF takes its PF's token: set one, or leave the PF to its own driver"),
    },
  },
  attach_pt: {
    ioctl: "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
    since: "6.6",
    rows: {
      EADDRINUSE: invalid("guest memory lies in a range that the device reserves, as for MSIs: see the IOVA ranges"),
      EBUSY: inUse("the device has PASID attachments, or its group is changing: detach those first"),
      EINVAL: failed("the HWPT is of another IOMMU, or the group is attached to another one"),
      ENOENT: failed("the HWPT is not there, or the device has no vDEVICE for stage 1"),
      ENOMEM: PINNED,
    },
  },
  detach_pt: { ioctl: "VFIO_DEVICE_DETACH_IOMMUFD_PT", since: "6.6", rows: {} },
  vfio_reset: {
    ioctl: "VFIO_DEVICE_RESET",
    since: "6.6",
    rows: {
      ENOTTY: unsupported("the device has no reset of its own: neither FLR nor another one"),
      EINVAL: unsupported("the device has no reset of its own: neither FLR nor another one"),
      EAGAIN: unavailable("the device is in use by another reset: try again"),
    },
  },
  vfio_device_info: { ioctl: "VFIO_DEVICE_GET_INFO", since: "6.6", rows: {} },
} as const satisfies Readonly<Record<string, CallMeanings>>;

export type KernelCall = keyof typeof TABLE;

export const CALLS: Readonly<Record<KernelCall, CallMeanings>> = TABLE;
