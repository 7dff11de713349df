// Values as people write them on a command line: addresses, sizes, durations, numbers within bounds, names of devices.
// Each is checked before anything is connected, and a wrong one is told with how to write it.

import { InvalidArgumentError } from "commander";

const CHARACTERS_MAX = 64;

/** 0x… or decimal, with _ between digits, at most 64 bits. */
export function parseAddress(text: string): bigint {
  if (!/^(?:0[xX][\da-fA-F]+(?:_[\da-fA-F]+)*|\d+(?:_\d+)*)$/.test(text) || text.length > CHARACTERS_MAX) {
    throw new InvalidArgumentError("Write it as 0x7fff_dead_b000 or as decimal.");
  }
  const value = BigInt(text.replaceAll("_", ""));
  if (value >= 2n ** 64n) throw new InvalidArgumentError("It must fit 64 bits.");
  return value;
}

const UNITS: Readonly<Record<string, bigint>> = { "": 1n, K: 2n ** 10n, M: 2n ** 20n, G: 2n ** 30n, T: 2n ** 40n };

/** Bytes: an address's form, or decimal with K, M, G or T (of 1,024), as 2M or 2MiB. */
export function parseSize(text: string): bigint {
  const [, count, unit] = /^(\d{1,20})([KMGT])(?:iB)?$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) {
    try {
      return parseAddress(text);
    } catch {
      throw new InvalidArgumentError("Write it as 2M or 1GiB, in capitals, 0x20_0000 or as decimal.");
    }
  }
  const bytes = BigInt(count) * (UNITS[unit] ?? 1n);
  if (bytes >= 2n ** 64n) throw new InvalidArgumentError("It must fit 64 bits.");
  return bytes;
}

const DURATIONS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** What a timer of Node can wait, and a lease have: 2^31 - 1 ms. */
const DURATION_MAX_MS = 2 ** 31 - 1;

/** Milliseconds: 500ms, 30s, 10m, 2h, 1d. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,10}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(count) * (DURATIONS_MS[unit ?? ""] ?? Number.NaN));
  if (!(ms >= 1)) throw new InvalidArgumentError("Write it as 500ms, 30s, 10m, 2h or 1d.");
  if (ms > DURATION_MAX_MS) throw new InvalidArgumentError("It must be at most 24d.");
  return ms;
}

/** A whole number, 0x… or decimal, from `min` to `max`. */
export function boundedBy(max: number, min = 0): (text: string) => number {
  return (text) => {
    const isNumber = /^(?:0[xX][\da-fA-F]{1,8}|\d{1,10})$/.test(text);
    if (!isNumber || Number(text) > max || Number(text) < min) {
      throw new InvalidArgumentError(`It must be ${min} to ${max}.`);
    }
    return Number(text);
  };
}

/** "devices/{id}" of what was written with or without "devices/". */
export function deviceName(text: string): string {
  return text.startsWith("devices/") ? text : `devices/${text}`;
}

/** The id alone, as tables show it. */
export function idOf(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
