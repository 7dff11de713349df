// What an examination of the host found: can a device be given to a guest here, and what stands in the way.

/** In the order in which they are told. Names do not change: programs branch on them. */
export const HOST_CHECKS = [
  "kernel_version",
  "iommu_present",
  "iommufd_node",
  "memlock",
  "unsafe_interrupts",
  "vfio_devices",
  "vfio_cdev",
  "cdev_access",
  "group_viable",
  "group_singleton",
  "identity_mapping",
  "names",
  "hardware",
  "nesting",
  "translation_counters",
] as const;
export type HostCheck = (typeof HOST_CHECKS)[number];

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
