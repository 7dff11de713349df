// The extended capabilities of a PCI function that matter to its IOMMU, from the bytes of its config space.
// A process without CAP_SYS_ADMIN reads 64 bytes of it, and an old function has 256: then none are seen.
// Source: linux/pci_regs.h (PCI_EXT_CAP_ID_*, PCI_PASID_CAP_WIDTH); PCI Express Base Specification, extended capabilities.

/** The whole of it. */
export const CONFIG_BYTES = 4096;

export interface PciCapabilities {
  /** Width of the PASIDs that it can send, 0…20. */
  readonly pasidBits: number;
  readonly ats: boolean;
  readonly pri: boolean;
}

const FIRST_EXTENDED = 0x100;
const ATS = 0x0f;
const PRI = 0x13;
const PASID = 0x1b;
const PASID_BITS_MAX = 20;

/** @param config  undefined: it could not be read, or the device is none of PCI */
export function pciCapabilities(config: Uint8Array | undefined): PciCapabilities {
  const found = config === undefined ? new Map<number, number>() : extendedCapabilities(config);
  const pasid = found.get(PASID);
  // The capability register, 16 bits at +4: Max PASID Width is bits 12:8.
  const pasidBits = pasid === undefined ? 0 : Math.min((config?.[pasid + 5] ?? 0) % 32, PASID_BITS_MAX);
  return { pasidBits, ats: found.has(ATS), pri: found.has(PRI) };
}

/** Where each begins. A list that leads back into itself ends there. */
function extendedCapabilities(config: Uint8Array): ReadonlyMap<number, number> {
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  const found = new Map<number, number>();
  const seen = new Set<number>();
  let at = FIRST_EXTENDED;
  while (at >= FIRST_EXTENDED && at % 4 === 0 && at + 8 <= config.length && !seen.has(at)) {
    seen.add(at);
    const id = view.getUint16(at, true);
    if (id === 0 || id === 0xffff) break; // the end of an empty list; a function that does not answer
    if (!found.has(id)) found.set(id, at);
    at = Math.floor(view.getUint16(at + 2, true) / 16); // bits 31:20; below them the capability's version
  }
  return found;
}
