// A golden case as a running guest would have it: its RAM in a file, laid out as a layout says, and its DMA rows with
// what a nested translation must make of them, computed here from the case and the layout alone.

import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { GoldenCase, GoldenTranslation } from "../../test/golden/case.ts";
import type { GuestLayout } from "./guest-layout.ts";

const PAGE_BYTES = 4096;
/** The MSI window of the host, which every VMM's stage 2 has beside the guest's memory; replay() asks whether it is so. */
export const HOST_MSI_WINDOW = { ipa: 0x0800_0000, bytes: 0x10_0000 } as const;

/** What must come of a row when stage 1 is the case's and stage 2 the layout. */
export type Expected =
  | { readonly kind: "ok"; readonly ipa: number; readonly fileOffset: number; readonly pageBytes: number }
  | { readonly kind: "msi"; readonly ipa: number; readonly windowOffset: number; readonly pageBytes: number }
  | { readonly kind: "abort" }
  | {
      readonly kind: "fault";
      readonly type: string;
      readonly stage: number;
      readonly class: string;
      /** Page of the IPA, for a stage 2 fault. */
      readonly ipa: number | undefined;
    };

/** Every guest physical address that the case's tables and DMA touch. */
export function usedAddresses(golden: GoldenCase): number[] {
  const targets = golden.translations.flatMap(({ result }) => (result.pa === undefined ? [] : [result.pa]));
  return [...golden.pages.map((page) => page.address), ...targets];
}

/** Writes the guest's RAM into a sparse file at the permuted places. */
export function writeGuestRam(path: string, golden: GoldenCase, layout: GuestLayout): void {
  const file = openSync(path, "wx", 0o600);
  try {
    ftruncateSync(file, layout.fileBytes);
    for (const { address, offset } of golden.pages) {
      const place = layout.find(address);
      if (!place) throw new Error(`page 0x${address.toString(16)} of ${golden.name} is outside the layout`);
      writeSync(file, golden.pageBytes, offset, PAGE_BYTES, place.offset);
    }
  } finally {
    closeSync(file);
  }
}

/** Stage 1 as the case has it, stage 2 as the layout has it. */
export function expectedNested(row: GoldenTranslation, layout: GuestLayout): Expected {
  const { result } = row;
  if (result.fault === "ABORT") return { kind: "abort" };
  if (result.fault !== undefined) {
    return { kind: "fault", type: result.fault, stage: result.stage ?? 0, class: result.class ?? "", ipa: undefined };
  }
  const ipa = result.pa!;
  const stage1Bytes = result.page_size ?? Number.POSITIVE_INFINITY;
  const windowOffset = ipa - HOST_MSI_WINDOW.ipa;
  if (windowOffset >= 0 && windowOffset < HOST_MSI_WINDOW.bytes) {
    // The recorded guest's doorbell stands where the host's window is, which is too small for a 2 MiB block.
    return { kind: "msi", ipa, windowOffset, pageBytes: Math.min(stage1Bytes, PAGE_BYTES) };
  }
  const place = layout.find(ipa);
  if (!place) {
    // The guest's tables lead to an IPA that the VMM did not map: stage 2 faults on the input address's IPA.
    const page = Math.floor(ipa / PAGE_BYTES) * PAGE_BYTES;
    return { kind: "fault", type: "F_TRANSLATION", stage: 2, class: "IN", ipa: page };
  }
  return { kind: "ok", ipa, fileOffset: place.offset, pageBytes: Math.min(stage1Bytes, place.pieceBytes) };
}
