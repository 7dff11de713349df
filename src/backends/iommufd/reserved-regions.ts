// The reserved regions of an IOMMU group, as sysfs prints them: "0x… 0x… type" a line, the end included.
// Source: Linux Documentation/ABI/testing/sysfs-kernel-iommu_groups; drivers/iommu/iommu.c (iommu_group_resv_type_string).

import type { ReservedRegion } from "../inventory.ts";

const REGIONS_MAX = 128;
/** No guest memory lies above. */
const ADDRESSES = 2n ** 52n;
const LINE = /^(0x[\da-f]{1,16}) (0x[\da-f]{1,16}) ([a-z-]{1,32})$/;

/** Lines that are none are passed over, as those of a later kernel might be. */
export function parseReservedRegions(text: string): {
  readonly reservedRegions: readonly ReservedRegion[];
  readonly needsIdentity: boolean;
} {
  const reservedRegions: ReservedRegion[] = [];
  let needsIdentity = false;
  for (const line of text.split("\n").slice(0, REGIONS_MAX)) {
    const [, start, end, type] = LINE.exec(line.trim()) ?? [];
    if (start === undefined || end === undefined) continue;
    if (type === "direct-relaxable") continue; // iommufd passes over it
    if (type === "direct") needsIdentity = true;
    const [first, last] = [BigInt(start), BigInt(end)];
    if (first > last || first >= ADDRESSES) continue;
    const bytes = Number((last < ADDRESSES ? last + 1n : ADDRESSES) - first);
    reservedRegions.push({ ipa: Number(first), bytes, kind: type === "msi" ? "msi" : "reserved" });
  }
  return { reservedRegions, needsIdentity };
}
