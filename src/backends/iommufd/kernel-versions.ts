// What each kernel brought that this backend uses. By version alone, so a distribution's kernel may have more than is said;
// what counts is what the calls answer.
// Source: include/uapi/linux/iommufd.h, vfio.h through their history.

export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

interface Step extends KernelVersion {
  readonly brings: string;
  readonly isNeeded: boolean;
}

const STEPS: readonly Step[] = [
  { major: 6, minor: 6, brings: "VFIO device nodes and page tables of iommufd", isNeeded: true },
  { major: 6, minor: 7, brings: "nesting parents (guest tables below the host's stage 2)", isNeeded: false },
  { major: 6, minor: 8, brings: "invalidation for guests", isNeeded: false },
  { major: 6, minor: 11, brings: "fault queues (stalls and page requests)", isNeeded: false },
  { major: 6, minor: 13, brings: "mapping of files, virtual IOMMUs and nesting on SMMUv3", isNeeded: false },
  { major: 6, minor: 15, brings: "event queues of virtual IOMMUs (guests' translation faults)", isNeeded: false },
];

/** "6.18.44-fc-v657" → 6.18 */
export function parseKernelVersion(release: string): KernelVersion | undefined {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})(?:\D|$)/.exec(release) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** What a kernel lacks by its version; `isUsable` without which nothing works. */
export function lacks(version: KernelVersion): { readonly isUsable: boolean; readonly missing: readonly string[] } {
  const later = STEPS.filter(
    ({ major, minor }) => major > version.major || (major === version.major && minor > version.minor),
  );
  return {
    isUsable: later.every(({ isNeeded }) => !isNeeded),
    missing: later.map(({ major, minor, brings }) => `${brings}: Linux ${major}.${minor}`),
  };
}
