// Entries of a segment to bytes. A plain event, of which there may be tens of thousands a second, is written field by
// field: the generated encoder wants a message with Longs first, and costs ten times as much. The rest is left to it.
// Fields with their default are left out, as proto3 has it. Field numbers: fault.proto; test/server/rpc/fault-writer.test.ts
// holds the two encoders against each other.

import type { FaultRecord } from "../../backends/faults.ts";
import { hi32, hiOf, lo32, loOf } from "../../spec/u64.ts";
import type { FaultEntry, SequencedFault } from "../core/fault-verbs.ts";
import { codec, iommubroker } from "./codec.ts";
import { CLASSES, entryMessage, type FaultView, STAGES } from "./convert-fault.ts";
import { deviceName } from "./names.ts";

/** Tag of WatchFaultsResponse.events: field 1, a length follows. */
export const EVENTS_TAG = 1 * 8 + 2;
/** Tags: field number × 8, plus 2 where a length follows. */
const TAG = {
  sequence: 1 * 8,
  device: 2 * 8 + 2,
  virtualStreamID: 3 * 8,
  substreamID: 4 * 8,
  type: 5 * 8 + 2,
  typeNumber: 6 * 8,
  stage: 7 * 8,
  class: 8 * 8,
  inputAddress: 9 * 8,
  ipa: 10 * 8,
  fetchAddress: 11 * 8,
  read: 12 * 8,
  instruction: 13 * 8,
  privileged: 14 * 8,
  transition: 15 * 8,
  record: 16 * 8 + 2,
  time: 17 * 8 + 2,
  hostOnly: 18 * 8,
} as const;
const TIME_TAG = { seconds: 1 * 8, nanos: 2 * 8 } as const;

/** Tags of two bytes, and numbers of at most ten: twenty fields and the lengths. The texts and the record come to it. */
const NUMBERS_BYTES_MAX = 20 * 12;
/** Of an event's length. */
const LENGTH_BYTES_MAX = 3;
const FIRST_BYTES = 4096;
const RESPONSE = codec(iommubroker.v1.WatchFaultsResponse);

/** Entries one after the other, and where each begins; the last offset is the end. */
export interface Run {
  readonly bytes: Buffer;
  readonly offsets: readonly number[];
}

export function encodeEntries(entries: readonly FaultEntry[], view: FaultView): Run {
  const writer = new FaultWriter(view);
  for (const entry of entries) writer.entry(entry);
  return writer.written();
}

class FaultWriter {
  readonly #view: FaultView;
  readonly #offsets = [0];
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  constructor(view: FaultView) {
    this.#view = view;
  }

  entry(entry: FaultEntry): void {
    const isPlain = entry.kind === "event" && entry.response === undefined && entry.fault.pageRequest === undefined;
    if (isPlain) this.#plain(entry);
    else this.#copy(RESPONSE.encode(entryMessage(entry, this.#view)));
    this.#offsets.push(this.#at);
  }

  /** A copy of the right length: what was left of the buffer would be kept as long as the bytes are. */
  written(): Run {
    return { bytes: Buffer.from(this.#bytes.subarray(0, this.#at)), offsets: this.#offsets };
  }

  #copy(bytes: Buffer): void {
    this.#makeRoom(bytes.length);
    this.#at += bytes.copy(this.#bytes, this.#at);
  }

  #plain({ fault, sequence, wallMs }: SequencedFault): void {
    const device = deviceName(fault.device);
    this.#makeRoom(NUMBERS_BYTES_MAX + device.length + fault.type.length + fault.record.length);
    const start = this.#at;
    this.#at += 1 + LENGTH_BYTES_MAX;
    this.#number(TAG.sequence, sequence);
    this.#text(TAG.device, device);
    this.#text(TAG.type, fault.type);
    this.#numbers(fault);
    this.#tag(TAG.record);
    this.#varint(fault.record.length);
    this.#bytes.set(fault.record, this.#at);
    this.#at += fault.record.length;
    this.#time(wallMs);
    if (fault.hostOnly) this.#number(TAG.hostOnly, 1);
    this.#closeEvent(start);
  }

  #numbers(fault: FaultRecord): void {
    if (fault.virtualStreamID !== undefined) this.#number(TAG.virtualStreamID, fault.virtualStreamID);
    if (fault.substreamID !== undefined) this.#number(TAG.substreamID, fault.substreamID);
    if (fault.typeNumber !== 0) this.#number(TAG.typeNumber, fault.typeNumber);
    if (fault.stage !== undefined) this.#number(TAG.stage, STAGES[fault.stage]);
    if (fault.class !== undefined) this.#number(TAG.class, CLASSES[fault.class]);
    if (fault.inputAddress !== undefined) {
      this.#tag(TAG.inputAddress);
      this.#varint64(hiOf(fault.inputAddress), loOf(fault.inputAddress));
    }
    if (fault.ipa !== undefined) this.#number(TAG.ipa, fault.ipa);
    if (fault.fetchAddress !== undefined) this.#number(TAG.fetchAddress, fault.fetchAddress);
    if (fault.read !== undefined) this.#number(TAG.read, fault.read ? 1 : 0);
    if (fault.instruction !== undefined) this.#number(TAG.instruction, fault.instruction ? 1 : 0);
    if (fault.privileged !== undefined) this.#number(TAG.privileged, fault.privileged ? 1 : 0);
    if (fault.transition) this.#number(TAG.transition, 1);
  }

  /** google.protobuf.Timestamp. Its length is below 128. */
  #time(wallMs: number): void {
    this.#tag(TAG.time);
    const lengthAt = this.#at;
    this.#at += 1;
    const seconds = Math.floor(wallMs / 1000);
    const nanos = Math.floor((wallMs % 1000) * 1_000_000);
    if (seconds !== 0) this.#number(TIME_TAG.seconds, seconds);
    if (nanos !== 0) this.#number(TIME_TAG.nanos, nanos);
    this.#bytes[lengthAt] = this.#at - lengthAt - 1;
  }

  /** Puts tag and length before an event that was written behind the room for them. */
  #closeEvent(start: number): void {
    const body = start + 1 + LENGTH_BYTES_MAX;
    const length = this.#at - body;
    this.#at = start;
    this.#tag(EVENTS_TAG);
    this.#varint(length);
    this.#bytes.copyWithin(this.#at, body, body + length);
    this.#at += length;
  }

  #number(tag: number, value: number): void {
    this.#tag(tag);
    this.#varint(value);
  }

  /** Names of ASCII. */
  #text(tag: number, text: string): void {
    this.#tag(tag);
    this.#varint(text.length);
    this.#at += this.#bytes.write(text, this.#at, "latin1");
  }

  #tag(tag: number): void {
    if (tag >= 0x80) this.#varint(tag);
    else this.#bytes[this.#at++] = tag;
  }

  #varint(value: number): void {
    if (value < 0x80) this.#bytes[this.#at++] = value;
    else this.#varint64(hi32(value), lo32(value));
  }

  /** 7 bits a byte, lowest first, bit 7 set where more follow. */
  #varint64(high: number, low: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let [hi, lo] = [high, low];
    for (; hi > 0; hi >>>= 7) {
      bytes[at++] = lo | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    }
    for (; lo > 0x7f; lo >>>= 7) bytes[at++] = lo | 0x80;
    bytes[at++] = lo;
    this.#at = at;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
