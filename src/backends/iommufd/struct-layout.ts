// The one mechanism for structures of the kernel's uAPI: a table of fields by byte offset and size, as the C compiler lays
// them out. Little-endian, which is what Linux on arm64 and x86-64 is.
// Numbers of up to 32 bits are numbers, of 64 bits bigints; an array is its bytes. What is not given is zero, as the kernel
// demands of reserved fields. The tables themselves are in structs.ts.

import { AssertionFailure, assert } from "../../spec/assert.ts";

type Kind = "number" | "bigint" | "bytes";

const U64_MAX = 2n ** 64n - 1n;

/** One field: where it begins and how long it is, in bytes. */
export interface StructField<K extends Kind = Kind> {
  readonly kind: K;
  readonly at: number;
  readonly bytes: number;
}

export type FieldTable = Readonly<Record<string, StructField>>;
type ValueOf<F> =
  F extends StructField<"number">
    ? number
    : F extends StructField<"bigint">
      ? bigint
      : F extends StructField<"bytes">
        ? Uint8Array
        : never;
export type StructValues<T extends FieldTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

export interface Struct<T extends FieldTable = FieldTable> {
  readonly bytes: number;
  readonly fields: T;
  /** A structure with these values, its own length where it has a field for that, and zeros elsewhere. */
  create(values: Partial<StructValues<T>>): Uint8Array;
  /** The structure that begins at byte `at`; bytes of an array are a copy. */
  read(from: Uint8Array, at?: number): StructValues<T>;
}

export const u8 = (at: number): StructField<"number"> => ({ kind: "number", at, bytes: 1 });
export const u16 = (at: number): StructField<"number"> => ({ kind: "number", at, bytes: 2 });
export const u32 = (at: number): StructField<"number"> => ({ kind: "number", at, bytes: 4 });
export const u64 = (at: number): StructField<"bigint"> => ({ kind: "bigint", at, bytes: 8 });
export const byteRange = (at: number, bytes: number): StructField<"bytes"> => ({ kind: "bytes", at, bytes });

/** A structure without a length of its own: what another one points to, or what a queue holds. */
export function struct<const T extends FieldTable>(bytes: number, fields: T): Struct<T> {
  check(bytes, fields);
  return make(bytes, fields, 0);
}

/** The structure of an ioctl: its first four bytes say how long it is. */
export function sizedStruct<const T extends FieldTable>(bytes: number, fields: T): Struct<T> {
  check(bytes, fields);
  for (const [name, { at }] of Object.entries(fields)) assert(at >= 4, `field ${name} covers the length`);
  return make(bytes, fields, bytes);
}

function check(bytes: number, fields: FieldTable): void {
  for (const [name, field] of Object.entries(fields)) {
    assert(field.at >= 0 && field.at + field.bytes <= bytes, `field ${name} leaves a structure of ${bytes} bytes`);
    assert(field.kind === "bytes" || field.at % field.bytes === 0, `field ${name} is not aligned`);
  }
}

/** Longer than any structure of the uAPI. */
const SCRATCH_BYTES = 4096;
/**
 * Structures are put together and looked at here, and copied: a buffer and a view for each cost more than a short ioctl,
 * for V8 has bytes without a buffer, up to 64 of them, in its own heap.
 */
const SCRATCH = new Uint8Array(SCRATCH_BYTES);
const VIEW = new DataView(SCRATCH.buffer);

function make<T extends FieldTable>(bytes: number, fields: T, ownLength: number): Struct<T> {
  assert(bytes <= SCRATCH_BYTES, `a structure of ${bytes} bytes is too long`);
  const names = Object.keys(fields);
  return {
    bytes,
    fields,
    create: (values) => {
      SCRATCH.fill(0, 0, bytes);
      if (ownLength > 0) VIEW.setUint32(0, ownLength, true);
      for (const name of Object.keys(values)) {
        const field = fields[name];
        if (field === undefined) refuse(`no field ${name}`);
        write(field, name, values[name]);
      }
      return SCRATCH.slice(0, bytes);
    },
    read: (from, at = 0) => {
      const left = from.byteLength - at;
      if (left < bytes) refuse(`${left} bytes are too few for a structure of ${bytes}`);
      for (let index = 0; index < bytes; index++) SCRATCH[index] = from[at + index]!;
      const values: Record<string, unknown> = {};
      for (const name of names) values[name] = readField(fields[name]!);
      return values as StructValues<T>; // the loop above gave exactly one value of its kind for each key of T
    },
  };
}

/** Messages are made where one is needed: those of every field would cost more than the ioctls. */
function write(field: StructField, name: string, value: unknown): void {
  const { kind, at, bytes } = field;
  if (kind === "bytes") {
    if (!(value instanceof Uint8Array && value.byteLength === bytes)) refuse(`${name} takes ${bytes} bytes`);
    SCRATCH.set(value, at);
  } else if (kind === "bigint") {
    if (typeof value !== "bigint" || value < 0n || value > U64_MAX) refuse(`${name} is no 64-bit value: ${value}`);
    VIEW.setBigUint64(at, value, true);
  } else {
    if (typeof value !== "number" || !Number.isInteger(value)) refuse(`${name} is no whole number: ${value}`);
    // Descriptors are signed and -1 stands for none.
    if (value < -(2 ** (8 * bytes - 1)) || value >= 2 ** (8 * bytes)) refuse(`${name} does not fit: ${value}`);
    if (bytes === 4) VIEW.setUint32(at, value, true);
    else if (bytes === 2) VIEW.setUint16(at, value, true);
    else VIEW.setUint8(at, value);
  }
}

function refuse(message: string): never {
  throw new AssertionFailure(message);
}

function readField({ kind, at, bytes }: StructField): number | bigint | Uint8Array {
  if (kind === "bytes") return SCRATCH.slice(at, at + bytes);
  if (kind === "bigint") return VIEW.getBigUint64(at, true);
  if (bytes === 4) return VIEW.getUint32(at, true);
  return bytes === 2 ? VIEW.getUint16(at, true) : VIEW.getUint8(at);
}
