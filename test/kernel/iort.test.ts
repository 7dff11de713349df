// CANWBS in a table put together by hand from DEN 0049: header, an ITS group, an SMMUv3, a root complex.

import { expect, test } from "vitest";
import { tableOverride, withCanwbs } from "./iort.ts";

const HEADER_BYTES = 48;
const NODES: readonly (readonly [type: number, bytes: number])[] = [
  [0, 24],
  [4, 88],
  [2, 56],
];
const ROOT_COMPLEX = HEADER_BYTES + 24 + 88;

function iort(): Buffer {
  const table = Buffer.alloc(HEADER_BYTES + 24 + 88 + 56);
  table.write("IORT", 0, "latin1");
  table.writeUInt32LE(table.byteLength, 4);
  table.writeUInt32LE(9, 24); // OEM revision
  table.writeUInt32LE(NODES.length, 36);
  table.writeUInt32LE(HEADER_BYTES, 40);
  let at = HEADER_BYTES;
  for (const [type, bytes] of NODES) {
    table.writeUInt8(type, at);
    table.writeUInt16LE(bytes, at + 1);
    at += bytes;
  }
  table.writeUInt8(3, ROOT_COMPLEX + 23); // CPM and DACS
  const sum = table.reduce((total, byte) => total + byte, 0);
  table.writeUInt8((256 - (sum % 256)) % 256, 9);
  return table;
}

test("the root complex gets bit 2 of its memory access flags, the table the next revision, and the bytes add up to 0", () => {
  const before = iort();
  const after = Buffer.from(withCanwbs(before));
  expect(after.readUInt8(ROOT_COMPLEX + 23)).toBe(7);
  expect(after.readUInt32LE(24)).toBe(10);
  expect(after.reduce((total, byte) => total + byte, 0) % 256).toBe(0);
  const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
  expect(changed).toEqual([9, 24, ROOT_COMPLEX + 23]);
});

test("what is no IORT, or not all of one, is refused", () => {
  expect(() => withCanwbs(iort().subarray(0, 100))).toThrow("100 bytes");
  expect(() => withCanwbs(Buffer.from("APIC".padEnd(60)))).toThrow('"APIC"');
});

test("a table whose nodes leave it is refused, and one without a root complex", () => {
  const long = iort();
  long.writeUInt16LE(57, ROOT_COMPLEX + 1);
  expect(() => withCanwbs(long)).toThrow(`node at ${ROOT_COMPLEX} is cut off`);
  const endless = iort();
  endless.writeUInt16LE(0, HEADER_BYTES + 1);
  expect(() => withCanwbs(endless)).toThrow(`node at ${HEADER_BYTES} is cut off`);
  const without = iort();
  without.writeUInt8(1, ROOT_COMPLEX);
  expect(() => withCanwbs(without)).toThrow("no root complex");
});

test("the override is the table at the path where the kernel looks for it", () => {
  const table = withCanwbs(iort());
  const archive = tableOverride(table);
  const name = archive.indexOf("kernel/firmware/acpi/iort.aml\0");
  expect(name % 4).toBe(110 % 4);
  // 110 + 30 bytes are a multiple of four: the data follows at once.
  expect(archive.subarray(name + 30, name + 30 + table.byteLength).equals(table)).toBe(true);
});
