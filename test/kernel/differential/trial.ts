// One configuration of a guest's that model and kernel are both given, and the accesses that are made under it. Plain
// values, so that a trial can be printed whole and made again from its seed and number.

import { RAM } from "../guest/nested.ts";

export type AccessKind = "read" | "write";

export interface TrialAccess {
  /** Below 2^48, as far as TTB0 goes; the other half is switched off. Different in each access of a trial. */
  readonly iova: bigint;
  readonly kind: AccessKind;
  /** What is wrong with the tables on its way; for who reads a failure. */
  readonly way: string;
}

export interface Trial {
  readonly seed: bigint;
  readonly index: number;
  /** What is special about STE or CD; for who reads a failure. */
  readonly theme: string;
  /** The guest's STE, doublewords 0 and 1. */
  readonly vste: readonly [bigint, bigint];
  /** The CD and the tables: doublewords by offset in RAM. */
  readonly words: ReadonlyMap<number, bigint>;
  readonly accesses: readonly TrialAccess[];
}

/** Where everything is, as offsets in RAM. */
export const PLACE = {
  cd: 0x1_0000,
  /** Tables, as they are made. */
  tables: 0x20_0000,
  /** What leaves of the tables lead to, if nothing is wrong; each doubleword of it is another. */
  data: 0x80_0000,
  /** What the device's buffer is filled from, and what it is emptied into. */
  buffer: 0xc0_0000,
} as const;
/** A multiple of every granule. */
export const DATA_BYTES = 0x1_0000;
export const ACCESS_BYTES = 4;

export const isData = (offset: number): boolean => offset >= PLACE.data && offset < PLACE.data + DATA_BYTES;

/** What stands in the 4 bytes of the data at an offset in RAM, unless a device has written there. */
export function dataWord(offset: number): number {
  return 0xda00_0000 + (offset - PLACE.data);
}

/** Undefined: no word of the data. */
export function dataOffset(word: number): number | undefined {
  const offset = PLACE.data + word - 0xda00_0000;
  return isData(offset) ? offset : undefined;
}

export function dataImage(): Uint8Array {
  const words = Uint32Array.from({ length: DATA_BYTES / ACCESS_BYTES }, (_, index) =>
    dataWord(PLACE.data + ACCESS_BYTES * index),
  );
  return new Uint8Array(words.buffer);
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Everything that is needed to make it again elsewhere. */
export function printed({ accesses, index, seed, theme, vste, words }: Trial): string {
  const lines = [
    `seed ${seed}, set ${index}: ${theme}`,
    `vSTE ${vste.map(hex).join(" ")}`,
    ...accesses.map(({ iova, kind, way }) => `${kind} of ${hex(iova)} (${way})`),
    ...[...words].map(([offset, value]) => `IPA ${hex(RAM.ipa + offset)}: ${hex(value)}`),
  ];
  return lines.join("\n");
}
