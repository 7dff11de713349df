// The one mechanism for bit-fields: a table of [msb, lsb] over the whole structure, as the manuals print it.
// Words are little-endian 32-bit values in a Uint32Array; bit n of the structure is bit n % 32 of word n / 32.
// layout() checks the table once (range, overlap); get/set then use precomputed word and shift.
// The tables themselves live beside this file, one per structure, each citing its section.

import { assert } from "./assert.ts";
import { hiOf, joinBigint, loOf, slice } from "./u64.ts";

/** One field of a structure: its bits over the whole structure, most and least significant, inclusive. */
export interface Field {
  readonly name: string;
  readonly msb: number;
  readonly lsb: number;
  readonly width: number;
}

export type LayoutTable = Readonly<Record<string, number | readonly [number, number]>>;
export type Layout<T extends LayoutTable> = { readonly [K in keyof T]: Field };

/**
 * Checks a table of fields and gives their resolved form.
 *
 * @param bits   size of the structure in bits, a multiple of 32
 * @param table  field name (verbatim from the manual) to a bit or to [msb, lsb]
 * @throws AssertionFailure when a field leaves the structure, is wider than 64 bits or shares a bit with another
 */
export function layout<const T extends LayoutTable>(bits: number, table: T): Layout<T> {
  assert(bits % 32 === 0, `structure size ${bits} is not a multiple of 32 bits`);
  const owner: (string | undefined)[] = new Array(bits);
  const fields: Record<string, Field> = {};
  for (const [name, range] of Object.entries(table)) {
    const [msb, lsb] = typeof range === "number" ? [range, range] : range;
    assert(lsb >= 0 && msb >= lsb && msb < bits, `field ${name} [${msb}:${lsb}] is outside a ${bits}-bit structure`);
    const width = msb - lsb + 1;
    assert(width <= 64 && Math.floor(msb / 64) === Math.floor(lsb / 64), `field ${name} crosses a doubleword`);
    for (let bit = lsb; bit <= msb; bit++) {
      assert(owner[bit] === undefined, `fields ${owner[bit]} and ${name} share bit ${bit}`);
      owner[bit] = name;
    }
    fields[name] = Object.freeze({ name, msb, lsb, width });
  }
  return Object.freeze(fields) as Layout<T>; // the loop above made exactly one Field per key of T
}

/** Reads a field of at most 53 bits from the structure that starts at word `base`. */
export function get(words: Uint32Array, base: number, field: Field): number {
  const word = base + 2 * Math.floor(field.lsb / 64);
  return slice(words[word + 1] ?? 0, words[word]!, field.msb % 64, field.lsb % 64);
}

/** Reads a field of any width up to 64 bits as a bigint. */
export function getU64(words: Uint32Array, base: number, field: Field): bigint {
  const word = base + 2 * Math.floor(field.lsb / 64);
  const whole = joinBigint(words[word + 1] ?? 0, words[word]!);
  return (whole >> BigInt(field.lsb % 64)) & ((1n << BigInt(field.width)) - 1n);
}

/**
 * Reads an address field: the bits stay where they are in the address, which starts at bit `lowBit`.
 * Example: S1ContextPtr is address[55:6] at bits [55:6], so lowBit is 6.
 */
export function getAddress(words: Uint32Array, base: number, field: Field, lowBit: number): number {
  return get(words, base, field) * 2 ** lowBit;
}

/** Writes a field of at most 53 bits; the value must fit. */
export function set(words: Uint32Array, base: number, field: Field, value: number): void {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** field.width, `${field.name} cannot hold ${value}`);
  const word = base + 2 * Math.floor(field.lsb / 64);
  const lsb = field.lsb % 64;
  if (lsb >= 32) {
    words[word + 1] = insert(words[word + 1]!, lsb - 32, field.width, value);
    return;
  }
  const lowBits = Math.min(field.width, 32 - lsb);
  words[word] = insert(words[word]!, lsb, lowBits, value % 2 ** lowBits);
  if (field.width > lowBits) {
    words[word + 1] = insert(words[word + 1]!, 0, field.width - lowBits, Math.floor(value / 2 ** lowBits));
  }
}

/** Writes a field of any width up to 64 bits from a bigint; the value must fit. */
export function setU64(words: Uint32Array, base: number, field: Field, value: bigint): void {
  assert(value >= 0n && value >> BigInt(field.width) === 0n, `${field.name} cannot hold ${value}`);
  const word = base + 2 * Math.floor(field.lsb / 64);
  const shift = BigInt(field.lsb % 64);
  const mask = ((1n << BigInt(field.width)) - 1n) << shift;
  const whole = (joinBigint(words[word + 1] ?? 0, words[word]!) & ~mask) | (value << shift);
  words[word] = Number(whole & 0xffff_ffffn);
  if (word + 1 < words.length) words[word + 1] = Number(whole >> 32n);
}

/** Writes an address into a field that keeps its bits in place; bits below `lowBit` must be zero. */
export function setAddress(words: Uint32Array, base: number, field: Field, lowBit: number, address: number): void {
  assert(address % 2 ** lowBit === 0, `${field.name}: address 0x${address.toString(16)} is not aligned`);
  set(words, base, field, address / 2 ** lowBit);
}

/** Doublewords (bigint) to words. */
export function wordsOf(doublewords: readonly bigint[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(doublewords.length * 2);
  for (let index = 0; index < doublewords.length; index++) {
    words[2 * index] = loOf(doublewords[index]!);
    words[2 * index + 1] = hiOf(doublewords[index]!);
  }
  return words;
}

/** Words to doublewords (bigint). */
export function doublewordsOf(words: Uint32Array): bigint[] {
  const out: bigint[] = [];
  for (let index = 0; index + 1 < words.length; index += 2) out.push(joinBigint(words[index + 1]!, words[index]!));
  return out;
}

function insert(word: number, shift: number, width: number, value: number): number {
  if (width === 32) return value >>> 0;
  const mask = ((2 ** width - 1) << shift) >>> 0;
  return ((word & ~mask) | ((value << shift) & mask)) >>> 0;
}
