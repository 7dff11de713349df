// A guest's RAM full of garbage: bytes, loops, pointers to anywhere, and structures that are nearly right. Reproducible
// from a seed, so that a counter-example is a number.

import { at } from "./smmuv3-tables.ts";

const PAGE = 4096;
const ENTRIES = PAGE / 8;

/** xorshift32; Math.random has no seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** 0 … 2^32 - 1. */
  word(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state = (this.#state ^ (this.#state << 5)) >>> 0;
    return this.#state;
  }

  below(bound: number): number {
    return this.word() % bound;
  }

  doubleword(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }
}

export interface GarbageGuest {
  /** First IPA of the RAM. */
  readonly base: number;
  readonly bytes: number;
  /** Other addresses that its tables like to name, a page each. */
  readonly lures: readonly number[];
}

/** The whole RAM. Page 0 holds CDs, page 1 first-level CD tables; the rest is tables of every kind. */
export function garbage(dice: Dice, guest: GarbageGuest): Uint8Array {
  const words = new BigUint64Array(guest.bytes / 8);
  for (let page = 0; page * PAGE < guest.bytes; page += 1) {
    const fill = page === 0 ? contextDescriptors : page === 1 ? contextTable : FILLS[dice.below(FILLS.length)]!;
    fill(words.subarray(page * ENTRIES, (page + 1) * ENTRIES), dice, guest, page);
  }
  return new Uint8Array(words.buffer);
}

type Fill = (words: BigUint64Array, dice: Dice, guest: GarbageGuest, page: number) => void;

function anyPage(dice: Dice, { base, bytes }: GarbageGuest): bigint {
  return BigInt(base + dice.below(bytes / PAGE) * PAGE);
}

/** A descriptor's address: mostly guest RAM, else one of the lures, or anything. */
function anyAddress(dice: Dice, guest: GarbageGuest): bigint {
  const choice = dice.below(8);
  if (choice === 0) return dice.doubleword() & 0x000f_ffff_ffff_f000n;
  return choice <= 2 ? BigInt(guest.lures[dice.below(guest.lures.length)]!) : anyPage(dice, guest);
}

const randomBytes: Fill = (words, dice) => {
  for (let index = 0; index < ENTRIES; index += 1) words[index] = dice.doubleword();
};

const pointers: Fill = (words, dice, guest) => {
  for (let index = 0; index < ENTRIES; index += 1) {
    const attributes = at(dice.below(4096), 0) | (BigInt(dice.below(0x1000)) << 52n);
    words[index] = anyAddress(dice, guest) | attributes;
  }
};

/** Leaves and tables that a walker goes on with: AF set, valid type. */
const plausible: Fill = (words, dice, guest) => {
  for (let index = 0; index < ENTRIES; index += 1) {
    const type = dice.below(8) === 0 ? 1n : 3n;
    words[index] = anyAddress(dice, guest) | at(1, 10) | at(dice.below(4), 6) | at(dice.below(16), 2) | type;
  }
};

/** Every entry leads to this very page. */
const loop: Fill = (words, _dice, { base }, page) => {
  words.fill(BigInt(base + page * PAGE) | 3n | at(1, 10));
};

const FILLS: readonly Fill[] = [randomBytes, pointers, loop, ...Array.from({ length: 7 }, () => plausible)];

const contextDescriptors: Fill = (words, dice, guest) => {
  for (let cd = 0; cd < ENTRIES / 8; cd += 1) {
    const isWild = dice.below(3) === 0;
    const granules = isWild ? at(dice.below(4), 6) | at(dice.below(4), 22) : at(2, 22); // mostly 4 KiB
    const sizes = at(16 + dice.below(isWild ? 26 : 10), 0) | at(16 + dice.below(isWild ? 26 : 10), 16) | granules;
    const behaviour = at(dice.below(2), 45) | at(isWild ? dice.below(2) : 1, 46);
    const good = sizes | at(1, 31) | at(2 + dice.below(4), 32) | at(1, 41) | behaviour | at(dice.below(4), 48);
    words[8 * cd] = isWild ? good ^ (1n << BigInt(dice.below(64))) : good;
    words[8 * cd + 1] = anyAddress(dice, guest) | (isWild ? BigInt(dice.below(16)) : 0n);
    words[8 * cd + 2] = anyAddress(dice, guest);
    for (let word = 3; word < 8; word += 1) words[8 * cd + word] = isWild ? dice.doubleword() : 0n;
  }
};

const contextTable: Fill = (words, dice, guest) => {
  for (let index = 0; index < ENTRIES; index += 1) {
    const valid = dice.below(4) === 0 ? 0n : 1n;
    words[index] = (dice.below(2) === 0 ? BigInt(guest.base) : anyAddress(dice, guest)) | valid;
  }
};
