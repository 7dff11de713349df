// One write to the journal or the snapshot as bytes: a header of 32 bytes with checksums, then JSON.
// A frame is written only after the one before it is on the disk. So what does not check is either the last write, torn by
// a crash, or, when a later frame stands behind it, damage.
// The payload is JSON text, in which no zero byte can stand, and every header has some: a client's strings cannot pass
// for a frame.

import { crc32 } from "node:zlib";
import { assert } from "../../spec/assert.ts";

/** Header: magic [0, 4), version [4, 6), 0 [6, 8), number [8, 16), payload bytes [16, 20), its CRC-32 [20, 24), CRC-32 of [0, 24). */
const HEADER_BYTES = 32;
const CHECKED_BYTES = 24;
const MAGIC = Buffer.from("IOJF", "latin1");
export const FORMAT_VERSION = 1;
/** Larger than any image of a broker within its limits. */
const PAYLOAD_BYTES_MAX = 2 ** 30;

/** @param number  from 1, one more than the frame before, below 2^53 */
export function encodeFrame(number: number, payload: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(payload), "utf8");
  assert(text.length <= PAYLOAD_BYTES_MAX, `a journal frame of ${text.length} bytes is too long`);
  const frame = Buffer.alloc(HEADER_BYTES + text.length);
  MAGIC.copy(frame, 0);
  frame.writeUInt16LE(FORMAT_VERSION, 4);
  frame.writeBigUInt64LE(BigInt(number), 8);
  frame.writeUInt32LE(text.length, 16);
  frame.writeUInt32LE(crc32(text), 20);
  frame.writeUInt32LE(crc32(frame.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  text.copy(frame, HEADER_BYTES);
  return frame;
}

export interface Frame {
  readonly number: number;
  readonly payload: unknown;
  /** Where it begins. */
  readonly offset: number;
}

/** How a file ends. */
export type FileEnd =
  | { readonly kind: "clean" }
  /** What follows `offset` is the last write, which a crash cut short. */
  | { readonly kind: "torn"; readonly offset: number }
  /** The bytes at `offset` are not the frame that should be there, and whole frames follow. */
  | { readonly kind: "damaged"; readonly offset: number; readonly after: readonly Frame[] }
  | { readonly kind: "unsupported"; readonly offset: number; readonly version: number };

export interface Scan {
  readonly frames: readonly Frame[];
  readonly end: FileEnd;
}

/**
 * Reads frames from the start of a file.
 * @param first  number of the first frame; each one after it has the next number
 */
export function scanFrames(bytes: Buffer, first: number): Scan {
  const frames: Frame[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const found = frameAt(bytes, offset);
    if (found.kind === "unsupported") return { frames, end: { ...found, offset } };
    if (found.kind !== "frame" || found.number !== first + frames.length) {
      const after = framesFrom(bytes, offset, first + frames.length);
      return { frames, end: after.length === 0 ? { kind: "torn", offset } : { kind: "damaged", offset, after } };
    }
    frames.push({ number: found.number, payload: found.payload, offset });
    offset = found.next;
  }
  return { frames, end: { kind: "clean" } };
}

type Found =
  | { readonly kind: "frame"; readonly number: number; readonly payload: unknown; readonly next: number }
  | { readonly kind: "unsupported"; readonly version: number }
  | { readonly kind: "none" };

const NONE: Found = { kind: "none" };

function frameAt(bytes: Buffer, offset: number): Found {
  const payloadAt = offset + HEADER_BYTES;
  if (payloadAt > bytes.length || !bytes.subarray(offset, offset + MAGIC.length).equals(MAGIC)) return NONE;
  const header = bytes.subarray(offset, offset + CHECKED_BYTES);
  if (crc32(header) !== bytes.readUInt32LE(offset + CHECKED_BYTES)) return NONE;
  const version = header.readUInt16LE(4);
  if (version !== FORMAT_VERSION) return { kind: "unsupported", version };
  const next = payloadAt + header.readUInt32LE(16);
  if (next > bytes.length) return NONE;
  const text = bytes.subarray(payloadAt, next);
  if (crc32(text) !== header.readUInt32LE(20)) return NONE;
  return { kind: "frame", number: Number(header.readBigUInt64LE(8)), payload: JSON.parse(text.toString("utf8")), next };
}

/** Whole frames, `least` or later, that begin at `offset` or after it. */
function framesFrom(bytes: Buffer, offset: number, least: number): Frame[] {
  const frames: Frame[] = [];
  let at = bytes.indexOf(MAGIC, offset);
  while (at !== -1) {
    const found = frameAt(bytes, at);
    if (found.kind === "frame" && found.number >= least) {
      frames.push({ number: found.number, payload: found.payload, offset: at });
    }
    at = bytes.indexOf(MAGIC, found.kind === "frame" ? found.next : at + 1);
  }
  return frames;
}
