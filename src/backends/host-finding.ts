// What an examination of the host found: can a device be given to a guest here, and what stands in the way.

/** Names of checks do not change: programs branch on them. */
export type HostCheck =
  | "kernel_version"
  | "iommu_present"
  | "iommufd_node"
  | "vfio_devices"
  | "vfio_cdev"
  | "cdev_access"
  | "memlock"
  | "group_viable"
  | "group_singleton"
  | "identity_mapping"
  | "unsafe_interrupts"
  | "hardware"
  | "nesting"
  | "names";

export interface HostFinding {
  readonly check: HostCheck;
  /** What it is about, "0000:01:00.0" or "group 7"; empty: the host. */
  readonly subject: string;
  /** A warning leaves something out, a problem leaves nothing to work with. */
  readonly verdict: "ok" | "warning" | "problem";
  readonly what: string;
  /** Why it matters; empty when ok. */
  readonly why: string;
  /** What to do; empty when ok. */
  readonly remedy: string;
}
