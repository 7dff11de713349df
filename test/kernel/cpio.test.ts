// The archive that the kernel unpacks, byte by byte where its documentation says what stands there.

import { expect, test } from "vitest";
import { cpio, foldersAbove } from "./cpio.ts";

/** Magic, then ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check. */
function header(fields: readonly string[]): string {
  return `070701${fields.map((field) => field.padStart(8, "0")).join("")}`;
}

test("a file is a header of 110 bytes, its name with a zero, its bytes, each padded to four", () => {
  const archive = cpio([{ kind: "file", path: "init", data: Buffer.from("#!sh\n"), permissions: 0o755 }]).toString(
    "latin1",
  );
  // 0100755 is 81ED; 110 + 5 bytes of name are padded by 1, 5 bytes of data by 3.
  const file = `${header(["1", "81ED", "0", "0", "1", "0", "5", "0", "0", "0", "0", "5", "0"])}init\0\0#!sh\n\0\0\0`;
  const trailer = `${header(["0", "0", "0", "0", "1", "0", "0", "0", "0", "0", "0", "B", "0"])}TRAILER!!!\0`;
  expect(archive.slice(0, file.length)).toBe(file);
  expect(archive.slice(file.length).replace(/\0*$/, "\0")).toBe(trailer);
});

test("an archive is a multiple of 512 bytes, so that another may follow it", () => {
  for (const bytes of [0, 1, 255, 256, 257, 511, 512, 513]) {
    expect(cpio([{ kind: "file", path: "a", data: new Uint8Array(bytes) }]).byteLength % 512, `${bytes}`).toBe(0);
  }
});

test("a folder has mode 040755, a device node 020600 and its numbers in rdev", () => {
  const archive = cpio([
    { kind: "folder", path: "dev" },
    { kind: "device", path: "dev/console", major: 5, minor: 1 },
  ]).toString("latin1");
  expect(archive).toContain(`${header(["1", "41ED", "0", "0", "1", "0", "0", "0", "0", "0", "0", "4", "0"])}dev\0`);
  expect(archive).toContain(
    `${header(["2", "2180", "0", "0", "1", "0", "0", "0", "0", "5", "1", "C", "0"])}dev/console\0`,
  );
});

test("the folders above files come outermost first, each once", () => {
  expect(foldersAbove(["a/b/c", "a/d", "e"]).map(({ path }) => path)).toEqual(["a", "a/b"]);
});
