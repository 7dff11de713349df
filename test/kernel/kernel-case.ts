// A case that runs on a real kernel: a sentence and a function, no test framework, which would be too slow in the guest.

/** A PCI device "edu" that is bound to vfio-pci. */
export interface GuestDevice {
  /** dddd:bb:dd.f */
  readonly address: string;
  /** /dev/vfio/devices/vfioN */
  readonly cdev: string;
}

/** What a case finds in the guest. Each opens its own descriptors and closes them, so none sees another's leavings. */
export interface GuestMachine {
  /** Two, each alone in its IOMMU group, both behind one SMMU. */
  readonly devices: readonly GuestDevice[];
  /** IDR0 to IDR5, as the kernel shows them. */
  readonly idr: readonly number[];
  /** Of the random configurations: which, and how many. */
  readonly trials: { readonly seed: bigint; readonly count: number };
  /** Why it has no QEMU of its own, where it has none. */
  readonly noQemu?: string | undefined;
}

export interface KernelCase {
  /** A sentence about behaviour. */
  readonly name: string;
  /** Of the guest's time, where the usual is not enough. */
  readonly limitMs?: number;
  /** What it cannot run without and was not to be had here: it is left out, and says so. */
  readonly lacks?: (machine: GuestMachine) => string | undefined;
  /** Throws when it is not so. @param tell  a line that is printed below the case's name when it has passed */
  readonly run: (machine: GuestMachine, tell: (line: string) => void) => void | Promise<void>;
}

/** What cannot be shown on an SMMU without a capability. Where the capability is there, a case is due: that fails. */
export interface UnreachableCase {
  readonly name: string;
  readonly capability: string;
  readonly isThere: (machine: GuestMachine) => boolean | Promise<boolean>;
}
