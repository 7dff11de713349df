// What the identification registers say, as an explanation asks for it: a field by its name, and the sizes that follow.
// Source: IHI 0070G.b §6.3.1 to §6.3.6, §3.4.

import { type Field, get } from "../../../spec/layout.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../../../spec/registers.ts";

export interface IdentificationRegisters {
  readonly idr0: number;
  readonly idr1: number;
  readonly idr3: number;
  readonly idr5: number;
}

export interface Implementation {
  idr0(name: keyof typeof IDR0): number;
  idr1(name: keyof typeof IDR1): number;
  idr3(name: keyof typeof IDR3): boolean;
  /** Output address bits; at most 52, since 128-bit descriptors are not covered. */
  readonly oas: number;
  /** Intermediate address bits. */
  readonly ias: number;
  readonly ds: boolean;
  readonly va52: boolean;
  hasGranule(pageBits: number): boolean;
}

export function implementationOf(id: IdentificationRegisters): Implementation {
  const read = (word: number, field: Field): number => get(Uint32Array.of(word), 0, field);
  const oas = Math.min(addressBits(read(id.idr5, IDR5.OAS)), 52);
  const ttf = read(id.idr0, IDR0.TTF);
  const granules = new Map([
    [12, IDR5.GRAN4K],
    [14, IDR5.GRAN16K],
    [16, IDR5.GRAN64K],
  ]);
  return {
    idr0: (name) => read(id.idr0, IDR0[name]),
    idr1: (name) => read(id.idr1, IDR1[name]),
    idr3: (name) => read(id.idr3, IDR3[name]) === 1,
    oas,
    ias: Math.max(ttf % 2 === 1 ? 40 : 0, ttf >= 2 ? oas : 0),
    ds: read(id.idr5, IDR5.DS) === 1,
    va52: read(id.idr5, IDR5.VAX) !== 0,
    hasGranule: (pageBits) => {
      const field = granules.get(pageBits);
      return field !== undefined && read(id.idr5, field) === 1;
    },
  };
}

/** IDR5.OAS, CD.IPS and STE.S2PS share their encoding. Source: §6.3.6. */
export function addressBits(encoded: number | bigint): number {
  return [32, 36, 40, 42, 44, 48, 52, 56][Number(encoded)] ?? 56;
}

/** May tables of this byte order be used? TTENDIAN 0 is both. Source: §6.3.1. */
export function isEndianSupported(implementation: Implementation, isBig: boolean): boolean {
  const ttendian = implementation.idr0("TTENDIAN");
  if (ttendian === 2) return !isBig;
  if (ttendian === 3) return isBig;
  return true;
}
