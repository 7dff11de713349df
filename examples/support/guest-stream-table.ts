// The guest's own stream table, read as a VMM reads it when the guest sends CMD_CFGI_STE: the hardware never walks it.
// Source: IHI 0070G.b §3.3.1 (formats), §5.1 (L1STD), §6.3.24 and §6.3.25 (registers).

import type { GoldenCase } from "../../test/golden/case.ts";

const STE_BYTES = 64;
const ADDRESS_MASK = 0x000f_ffff_ffff_ffc0n;

/** The 8 doublewords of the STE, or undefined where the table has none (C_BAD_STREAMID is the VMM's to raise). */
export function guestSTE(golden: GoldenCase, streamID: number): readonly bigint[] | undefined {
  const base = BigInt(golden.registers.strtab_base ?? "0x0") & ADDRESS_MASK;
  const config = Number(golden.registers.strtab_base_cfg ?? "0x0");
  const log2Size = config & 0x3f;
  const split = (config >> 6) & 0x1f;
  const isTwoLevel = ((config >> 16) & 0x3) === 1;
  if (streamID >= 2 ** log2Size) return undefined;
  if (!isTwoLevel) return steAt(golden, Number(base) + streamID * STE_BYTES);
  const descriptor = doubleword(golden, Number(base) + Math.floor(streamID / 2 ** split) * 8);
  const span = Number(descriptor & 0x1fn);
  const index = streamID % 2 ** split;
  if (span === 0 || span > 11 || index >= 2 ** (span - 1)) return undefined;
  return steAt(golden, Number(descriptor & ADDRESS_MASK) + index * STE_BYTES);
}

function steAt(golden: GoldenCase, address: number): readonly bigint[] {
  return Array.from({ length: 8 }, (_, index) => doubleword(golden, address + 8 * index));
}

/** A doubleword of guest RAM; a page that the case does not list is zero. */
function doubleword(golden: GoldenCase, address: number): bigint {
  const page = golden.pages.find((one) => address >= one.address && address < one.address + 4096);
  if (!page) return 0n;
  const view = new DataView(golden.pageBytes.buffer, golden.pageBytes.byteOffset, golden.pageBytes.byteLength);
  return view.getBigUint64(page.offset + address - page.address, true);
}
