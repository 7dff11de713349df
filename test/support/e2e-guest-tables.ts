// A guest's stage 1 in its RAM file: one CD, a four-level 4 KiB table, and pages behind it. Each structure has a page of
// its own at a known place, so that a test can take away exactly one of them.

import { closeSync, openSync, writeSync } from "node:fs";
import { at, contextDescriptor, OPEN } from "./smmuv3-tables.ts";

export const PAGE = 4096;
/** Where the file begins in the guest. */
export const GUEST_RAM = 0x4000_0000;
/** Offsets in the file, in the order in which truncating takes them away: data first. */
export const LAYOUT = { cd: 0, level0: PAGE, level1: 2 * PAGE, level2: 3 * PAGE, level3: 4 * PAGE, data: 5 * PAGE };
export const GUEST_FILE_BYTES = 8 * PAGE;
/** Translated to the page at LAYOUT.data; its neighbour at IOVA + PAGE to the page behind it. */
export const IOVA = 0x1000n;

const TABLE = 3n;
/** R=0: aborts are silent only where a test asks for it. */
const DATA_PAGES = 3;

/** Writes CD and tables; the file must be there and long enough. */
export function writeGuestTables(path: string): void {
  const file = openSync(path, "r+");
  try {
    const put = (offset: number, value: bigint): void => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value);
      writeSync(file, bytes, 0, 8, offset);
    };
    const ipa = (offset: number): bigint => BigInt(GUEST_RAM + offset);
    // T0SZ 16: 48 bits of input, so the walk begins at level 0.
    contextDescriptor(GUEST_RAM + LAYOUT.level0, { t0sz: 16 }).forEach((value, index) => {
      put(LAYOUT.cd + 8 * index, value);
    });
    put(LAYOUT.level0, ipa(LAYOUT.level1) | TABLE);
    put(LAYOUT.level1, ipa(LAYOUT.level2) | TABLE);
    put(LAYOUT.level2, ipa(LAYOUT.level3) | TABLE);
    for (let page = 0; page < DATA_PAGES; page += 1) {
      put(LAYOUT.level3 + 8 * (1 + page), ipa(LAYOUT.data + page * PAGE) | OPEN | at(3, 0));
    }
  } finally {
    closeSync(file);
  }
}
