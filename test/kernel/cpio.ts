// A cpio archive as the kernel unpacks it for its first file system: "newc", 13 hexadecimal fields, padded to four bytes.
// Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.

import { constants } from "node:fs";

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const BLOCK_BYTES = 512;
const PERMISSIONS = 0o7777;

export type CpioEntry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly data: Uint8Array; readonly permissions?: number }
  | { readonly kind: "device"; readonly path: string; readonly major: number; readonly minor: number };

interface Header {
  readonly inode: number;
  readonly mode: number;
  readonly bytes: number;
  readonly major: number;
  readonly minor: number;
}

/** Entries in the order given: a folder before what is in it. Paths have no slash in front. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => {
    const data = entry.kind === "file" ? entry.data : new Uint8Array();
    const [major, minor] = entry.kind === "device" ? [entry.major, entry.minor] : [0, 0];
    const head = headOf(entry.path, { inode: index + 1, mode: modeOf(entry), bytes: data.byteLength, major, minor });
    return [head, data, paddingTo(4, data.byteLength)];
  });
  parts.push(headOf(TRAILER, { inode: 0, mode: 0, bytes: 0, major: 0, minor: 0 }));
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  return Buffer.concat([...parts, paddingTo(BLOCK_BYTES, bytes)]);
}

/** The folders above each path, each once, for entries that name only files. */
export function foldersAbove(paths: readonly string[]): CpioEntry[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/").slice(0, -1);
    parts.forEach((_, index) => {
      folders.add(parts.slice(0, index + 1).join("/"));
    });
  }
  return [...folders].map((path) => ({ kind: "folder", path }));
}

function modeOf(entry: CpioEntry): number {
  if (entry.kind === "folder") return constants.S_IFDIR + 0o755;
  if (entry.kind === "device") return constants.S_IFCHR + 0o600;
  return constants.S_IFREG + ((entry.permissions ?? 0o644) & PERMISSIONS);
}

function headOf(path: string, { inode, mode, bytes, major, minor }: Header): Buffer {
  const name = Buffer.from(`${path}\0`);
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, bytes, 0, 0, major, minor, name.byteLength, 0];
  const head = Buffer.from(MAGIC + fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join(""));
  return Buffer.concat([head, name, paddingTo(4, head.byteLength + name.byteLength)]);
}

function paddingTo(multiple: number, bytes: number): Uint8Array {
  return new Uint8Array((multiple - (bytes % multiple)) % multiple);
}
