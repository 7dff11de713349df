// The guest's IORT with CANWBS set, without which Linux refuses IOMMU_VIOMMU_ALLOC on an SMMU that has no S2FWB (QEMU's):
// "coherent PCI memory attributes with write-back shareable", bit 2 of a root complex's memory access flags.
// The kernel takes a table out of an uncompressed archive in front of the initrd when its OEM revision is higher.
// Source: Arm DEN 0049 (IORT) §3.1.1; ACPI 6.5 §5.2.6; Linux, Documentation/admin-guide/acpi/initrd_table_override.rst.

import { type CpioEntry, cpio, foldersAbove } from "./cpio.ts";

const PATH = "kernel/firmware/acpi/iort.aml";
/** Of the header that every ACPI table has. */
const TABLE = { length: 4, checksum: 9, oemRevision: 24 } as const;
const NODES = { count: 36, offset: 40 } as const;
const NODE = { type: 0, length: 1 } as const;
const NODE_BYTES_MIN = 16;
const ROOT_COMPLEX = { type: 2, memoryFlags: 23 } as const;
const CANWBS = 4;

/** The same table with CANWBS for each root complex, the next OEM revision and a checksum that fits. */
export function withCanwbs(table: Uint8Array): Uint8Array {
  const patched = Uint8Array.from(table);
  const view = new DataView(patched.buffer);
  const signature = Buffer.from(patched.subarray(0, 4)).toString("latin1");
  if (signature !== "IORT" || view.getUint32(TABLE.length, true) !== patched.byteLength) {
    throw new Error(`${patched.byteLength} bytes that begin with ${JSON.stringify(signature)} are no whole IORT`);
  }
  const complexes = nodesOf(view).filter((node) => view.getUint8(node + NODE.type) === ROOT_COMPLEX.type);
  if (complexes.length === 0) throw new Error("the IORT has no root complex: no device is behind an SMMU");
  for (const node of complexes) {
    const at = node + ROOT_COMPLEX.memoryFlags;
    view.setUint8(at, view.getUint8(at) | CANWBS);
  }
  view.setUint32(TABLE.oemRevision, view.getUint32(TABLE.oemRevision, true) + 1, true);
  view.setUint8(TABLE.checksum, 0);
  const sum = patched.reduce((total, byte) => (total + byte) % 256, 0);
  view.setUint8(TABLE.checksum, (256 - sum) % 256);
  return patched;
}

/** The archive that stands in front of the initrd. Its length is a multiple of 512, so what follows begins aligned. */
export function tableOverride(table: Uint8Array): Buffer {
  const file: CpioEntry = { kind: "file", path: PATH, data: table };
  return cpio([...foldersAbove([PATH]), file]);
}

function nodesOf(view: DataView): number[] {
  const nodes: number[] = [];
  let at = view.getUint32(NODES.offset, true);
  for (let left = view.getUint32(NODES.count, true); left > 0; left--) {
    const bytes = at + NODE_BYTES_MIN > view.byteLength ? 0 : view.getUint16(at + NODE.length, true);
    if (bytes < NODE_BYTES_MIN || at + bytes > view.byteLength) throw new Error(`the IORT's node at ${at} is cut off`);
    nodes.push(at);
    at += bytes;
  }
  return nodes;
}
