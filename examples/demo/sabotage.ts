// Two lies for --sabotage, each of which must be caught in exactly one row: a bit flipped in one of the guest's page
// table entries, and one 4 KiB stage-2 mapping that leads to the neighbouring page of the file.

import { readSync, writeSync } from "node:fs";
import type { GoldenCase, GoldenTranslation } from "../../test/golden/case.ts";
import type { GuestLayout, Piece } from "../support/guest-layout.ts";

const PAGE_BYTES = 4096;
const ENTRIES_PER_TABLE = 512n;
/** Output address of a 4 KiB granule descriptor: bits [47:12] (Arm ARM DDI 0487 D8.3). */
const ADDRESS_MASK = 0x0000_ffff_ffff_f000n;
const LEVEL_SHIFTS = [39n, 30n, 21n, 12n];

export interface Sabotage {
  /** Row whose guest page table entry is flipped. */
  readonly guestRow: number;
  /** Row whose IPA's stage-2 mapping is moved. */
  readonly stage2Row: number;
  readonly alter: (piece: Piece) => Piece;
  /** Flips the entry in the guest's RAM file, open for reading and writing. */
  readonly flip: (file: number) => { readonly address: number; readonly before: bigint; readonly after: bigint };
}

/** Picks the rows: each the only one on its IOVA page and on its IPA page, neither page holding a table. */
export function planSabotage(golden: GoldenCase, layout: GuestLayout): Sabotage {
  const candidates = lonelyRows(golden);
  const guestRow = candidates.find((index) => golden.translations[index]!.result.page_size === PAGE_BYTES);
  const stage2Row = candidates.find(
    (index) => index !== guestRow && layout.find(golden.translations[index]!.result.pa!)?.pieceBytes === PAGE_BYTES,
  );
  if (guestRow === undefined || stage2Row === undefined) throw new Error("the case has no row to sabotage");
  const target = pageOf(golden.translations[stage2Row]!.result.pa!);
  return {
    guestRow,
    stage2Row,
    alter: (piece) =>
      piece.ipa === target && piece.bytes === PAGE_BYTES ? { ...piece, offset: neighbour(piece.offset) } : piece,
    flip: (file) => flipLeaf(file, golden, layout, BigInt(golden.translations[guestRow]!.iova)),
  };
}

function lonelyRows(golden: GoldenCase): number[] {
  const tables = new Set(golden.pages.map((page) => page.address));
  const usersOfIova = count(golden.translations.map((row) => BigInt(row.iova) >> 12n));
  const usersOfIpa = count(golden.translations.map(({ result }) => (result.pa === undefined ? -1 : pageOf(result.pa))));
  return golden.translations.flatMap((row: GoldenTranslation, index) => {
    const { pa } = row.result;
    if (pa === undefined || tables.has(pageOf(pa))) return [];
    const isAlone = usersOfIova.get(BigInt(row.iova) >> 12n) === 1 && usersOfIpa.get(pageOf(pa)) === 1;
    return isAlone ? [index] : [];
  });
}

/** Walks the guest's 4 KiB tables as a guest kernel would, in the file, and flips bit 12 of the leaf's output address. */
function flipLeaf(file: number, golden: GoldenCase, layout: GuestLayout, iova: bigint) {
  const context = readU64(file, layout, Number(golden.cd_address ?? 0) + 8);
  let table = Number(context & ADDRESS_MASK);
  for (const [level, shift] of LEVEL_SHIFTS.entries()) {
    const address = table + Number((iova >> shift) % ENTRIES_PER_TABLE) * 8;
    const entry = readU64(file, layout, address);
    const isLeaf = level === 3 || (entry & 0b10n) === 0n;
    if ((entry & 1n) === 0n) throw new Error(`no guest mapping for IOVA 0x${iova.toString(16)}`);
    if (!isLeaf) {
      table = Number(entry & ADDRESS_MASK);
      continue;
    }
    const after = entry ^ BigInt(PAGE_BYTES);
    writeU64(file, layout, address, after);
    return { address, before: entry, after };
  }
  throw new Error("unreachable: level 3 is a leaf");
}

function readU64(file: number, layout: GuestLayout, ipa: number): bigint {
  const bytes = Buffer.alloc(8);
  readSync(file, bytes, 0, 8, layout.find(ipa)!.offset);
  return bytes.readBigUInt64LE();
}

function writeU64(file: number, layout: GuestLayout, ipa: number, value: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  writeSync(file, bytes, 0, 8, layout.find(ipa)!.offset);
}

function neighbour(offset: number): number {
  return Math.floor(offset / PAGE_BYTES) % 2 === 0 ? offset + PAGE_BYTES : offset - PAGE_BYTES;
}

function pageOf(address: number): number {
  return address - (address % PAGE_BYTES);
}

function count<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
