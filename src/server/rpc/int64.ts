// 64-bit fields: the codec's Long on one side, bigint on the other, exact both ways.
// Nothing outside this folder and src/client/plain.ts sees a Long (HOUSE, 64-bit values).

import Long from "long";
import { assert } from "../../spec/assert.ts";
import { hi32, hiOf, joinBigint, lo32, loOf } from "../../spec/u64.ts";

const TWO_64 = 2n ** 64n;

/** An unsigned 64-bit field's value. The decoder gives the number 0 for a map entry without a value. */
export function bigintOf(value: Long | number): bigint {
  return typeof value === "number" ? BigInt(value) : joinBigint(value.high, value.low);
}

/** A value of 0 … 2^64 - 1 for an unsigned 64-bit field. */
export function longOf(value: bigint): Long {
  assert(value >= 0n && value < TWO_64, `${value} does not fit an unsigned 64-bit field`);
  return Long.fromBits(loOf(value), hiOf(value), true);
}

/** The same from an exact number: a count, an address, a sequence. */
export function longOfNumber(value: number): Long {
  assert(Number.isSafeInteger(value), `${value} is not an exact integer`);
  assert(value >= 0, `${value} does not fit an unsigned 64-bit field`);
  return Long.fromBits(lo32(value), hi32(value), true);
}

/** A present optional field as bigint, an absent one as undefined. */
export function optionalBigint(value: Long | null | undefined): bigint | undefined {
  return value === null || value === undefined ? undefined : bigintOf(value);
}
