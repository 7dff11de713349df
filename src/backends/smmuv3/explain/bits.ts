// Bits of bigints, as the manual writes them: value[msb:lsb].

/** value[msb:lsb] */
export function bits(value: bigint, msb: number, lsb: number): bigint {
  return (value >> BigInt(lsb)) & ((1n << BigInt(msb - lsb + 1)) - 1n);
}

export function bit(value: bigint, at: number): boolean {
  return bits(value, at, at) === 1n;
}

export function pow2(exponent: number): bigint {
  return 1n << BigInt(exponent);
}

/** The value with its low bits cleared. */
export function aligned(value: bigint, lowBits: number): bigint {
  return (value >> BigInt(lowBits)) << BigInt(lowBits);
}

/** The same eight bytes, read the other way round. */
export function swapBytes(value: bigint): bigint {
  let swapped = 0n;
  for (let byte = 0; byte < 8; byte++) swapped = (swapped << 8n) | bits(value, 8 * byte + 7, 8 * byte);
  return swapped;
}

export function setBit(value: bigint, at: number): bigint {
  return value | (1n << BigInt(at));
}

export function clearBit(value: bigint, at: number): bigint {
  return value & ~(1n << BigInt(at));
}
