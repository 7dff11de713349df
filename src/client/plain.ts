// Messages as users of the client see them: plain objects, bigint for 64-bit fields, absent for what is not set.
// The generated codec has Long objects and null instead; nothing of it leaves this folder.

import type Long from "long";
import { bigintOf, longOf } from "../server/rpc/int64.ts";

/** A decoded message: every field there, except messages and optional fields that are not set. */
export type Plain<T> = T extends Long
  ? bigint
  : T extends Uint8Array
    ? Uint8Array
    : T extends readonly (infer E)[]
      ? readonly Plain<E>[]
      : T extends object
        ? { readonly [K in keyof T]: Plain<Exclude<T[K], null>> }
        : T;

/** A message to send: fields may be left out. */
export type Sendable<T> = T extends Long
  ? bigint
  : T extends Uint8Array
    ? Uint8Array
    : T extends readonly (infer E)[]
      ? readonly Sendable<E>[]
      : T extends object
        ? { readonly [K in keyof T]?: Sendable<Exclude<T[K], null>> | undefined }
        : T;

/** A decoded message as plain object. */
export function plain<T>(message: T): Plain<T> {
  return plainValue(message) as Plain<T>; // Plain<T> states what plainValue does, case by case
}

/** A plain object as what the codec encodes. */
export function wire<T>(message: Sendable<T>): T {
  return wireValue(message) as T; // Sendable<T> is the inverse of what wireValue does
}

function plainValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value ?? undefined;
  if (isLong(value)) return bigintOf(value);
  if (Array.isArray(value)) return value.map(plainValue);
  const result: Record<string, unknown> = {};
  for (const key in value) {
    // for…in on purpose: fields that were not on the wire have their defaults on the prototype
    const field: unknown = Reflect.get(value, key);
    if (field !== null && typeof field !== "function") result[key] = plainValue(field);
  }
  return result;
}

function wireValue(value: unknown): unknown {
  if (typeof value === "bigint") return longOf(value);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(wireValue);
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, wireValue(field)]));
}

function isLong(value: object): value is Long {
  return "low" in value && "high" in value && "unsigned" in value;
}
