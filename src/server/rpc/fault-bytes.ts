// The messages of WatchFaults as bytes. A segment is encoded once, whoever reads it: protobuf messages one after the
// other are one message with the items of all, so any run of a segment's entries is a part of its bytes.
// Of what is sent to one reader alone only a diagnosis is made, and put into the event's bytes.

import type { FaultDiagnosis } from "../../backends/diagnosis.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { FaultBatch, FaultSegment, FaultSlice, SequencedFault } from "../core/fault-verbs.ts";
import { type Codec, codec, iommubroker } from "./codec.ts";
import { diagnosisMessage, type FaultView } from "./convert-fault.ts";
import { EVENTS_TAG, encodeEntries, type Run } from "./fault-writer.ts";
import { longOfNumber } from "./int64.ts";
import { deviceName } from "./names.ts";

const { FaultEvent, WatchFaultsResponse } = iommubroker.v1;

/** `ResInput` of WatchFaults: the message, encoded. */
export const FAULT_BYTES: Codec<iommubroker.v1.WatchFaultsResponse, Buffer> = {
  encode: (bytes) => bytes,
  decode: codec(WatchFaultsResponse).decode,
};

/** A heartbeat that tells no positions. */
export const EMPTY_BYTES = Buffer.alloc(0);

const POSITIONS = codec(WatchFaultsResponse);

/** A heartbeat: how far the stream has come. */
export function positionsBytes(positions: ReadonlyMap<DeviceID, number>): Buffer {
  const named = [...positions].map(([device, position]) => [deviceName(device), longOfNumber(position)]);
  return POSITIONS.encode({ positions: Object.fromEntries(named) });
}

export interface FaultReader {
  readonly view: FaultView;
  /** Undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
  /** Undefined: not asked for. */
  readonly diagnose: ((event: SequencedFault) => FaultDiagnosis | undefined) | undefined;
  /** Of one message; an entry that is longer goes alone. */
  readonly messageBytesMax: number;
}

/** Entries from…to−1 of a run. */
interface Part {
  readonly run: Run;
  readonly from: number;
  readonly to: number;
  /** Other readers get the same. */
  readonly isShared: boolean;
}

interface Piece extends Part {
  /** Diagnoses in it that took time. */
  readonly diagnosed: number;
}

/**
 * Walks take a tenth of a millisecond and more each, and other streams wait meanwhile: the next message is made on a later
 * turn. What was found for an earlier event of the page costs nothing.
 */
export const DIAGNOSES_PER_MESSAGE_MAX = 8;

/** The messages for one reader: none where its filter leaves nothing. A diagnosis is made when its message is asked for. */
export function* faultMessages(batch: FaultBatch, reader: FaultReader): Generator<Buffer, void, undefined> {
  let parts: Part[] = [];
  let bytes = 0;
  let diagnosed = 0;
  for (const piece of piecesOf(batch, reader)) {
    const { run, to } = piece;
    for (let from = piece.from; from < to; ) {
      const fitting = fits(run, from, to, reader.messageBytesMax - bytes);
      if (fitting > from || bytes === 0) {
        const end = Math.max(fitting, from + 1);
        parts.push({ run, from, to: end, isShared: piece.isShared });
        bytes += (run.offsets[end] ?? 0) - (run.offsets[from] ?? 0);
        from = end;
      }
      if (from < to) {
        yield joined(parts, bytes);
        parts = [];
        bytes = 0;
        diagnosed = 0;
      }
    }
    diagnosed += piece.diagnosed;
    if (diagnosed >= DIAGNOSES_PER_MESSAGE_MAX) {
      yield joined(parts, bytes);
      parts = [];
      bytes = 0;
      diagnosed = 0;
    }
  }
  if (bytes > 0) yield joined(parts, bytes);
}

/** The end of the entries from `from` on that have `room`. */
function fits({ offsets }: Run, from: number, to: number, room: number): number {
  const limit = (offsets[from] ?? 0) + room;
  if ((offsets[to] ?? 0) <= limit) return to;
  let end = from;
  while ((offsets[end + 1] ?? Number.POSITIVE_INFINITY) <= limit) end += 1;
  return end;
}

/** Messages of several segments that were made last: readers that keep step with each other want the same ones. */
const recent: { readonly parts: readonly Part[]; readonly message: Buffer }[] = [];
const RECENT_MAX = 16;
/** A message that is longer is made anew. */
const RECENT_BYTES_MAX = 65_536;

function joined(parts: readonly Part[], bytes: number): Buffer {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return bytesOf(first);
  const known = recent.find((each) => areSame(each.parts, parts));
  if (known !== undefined) return known.message;
  const message = Buffer.concat(parts.map(bytesOf), bytes);
  if (bytes > RECENT_BYTES_MAX || !parts.every(({ isShared }) => isShared)) return message;
  recent.push({ parts, message });
  if (recent.length > RECENT_MAX) recent.shift();
  return message;
}

function bytesOf({ from, run, to }: Part): Buffer {
  return run.bytes.subarray(run.offsets[from], run.offsets[to]);
}

function areSame(some: readonly Part[], others: readonly Part[]): boolean {
  if (some.length !== others.length) return false;
  return some.every(({ from, run, to }, index) => {
    const other = others[index];
    return run === other?.run && from === other.from && to === other.to;
  });
}

function* piecesOf(batch: FaultBatch, reader: FaultReader): Generator<Piece, void, undefined> {
  const { gaps } = batch;
  if (gaps.length > 0) {
    const run = encodeEntries(gaps, reader.view);
    yield { run, from: 0, to: gaps.length, isShared: false, diagnosed: 0 };
  }
  for (const slice of batch.slices) yield* piecesOfSlice(slice, reader);
}

function* piecesOfSlice({ from, segment, to }: FaultSlice, reader: FaultReader): Generator<Piece, void, undefined> {
  const encoded = encodedOf(segment);
  const run = reader.view === "observer" && encoded.hasTokens ? encoded.observed() : encoded.run;
  const { diagnose, types } = reader;
  if (diagnose === undefined && (types === undefined || encoded.types.every((type) => types.has(type)))) {
    yield { run, from, to, isShared: true, diagnosed: 0 };
    return;
  }
  let begun = from;
  for (let index = from; index < to; index += 1) {
    const entry = segment.entries[index];
    if (entry?.kind !== "event") continue;
    const isWanted = types === undefined || types.has(entry.fault.type);
    if (isWanted && diagnose === undefined) continue;
    if (begun < index) yield { run, from: begun, to: index, isShared: true, diagnosed: 0 };
    begun = index + 1;
    if (isWanted && diagnose !== undefined) {
      const event = run.bytes.subarray(run.offsets[index], run.offsets[index + 1]);
      const diagnosis = diagnose(entry);
      const isNew = diagnosis !== undefined && !diagnoses.has(diagnosis);
      const bytes = withDiagnosis(event, diagnosis);
      yield { run: { bytes, offsets: [0, bytes.length] }, from: 0, to: 1, isShared: false, diagnosed: isNew ? 1 : 0 };
    }
  }
  if (begun < to) yield { run, from: begun, to, isShared: true, diagnosed: 0 };
}

/** A message with one event, whose diagnosis is appended to the event. @param event  tag, length, event */
function withDiagnosis(event: Buffer, diagnosis: FaultDiagnosis | undefined): Buffer {
  let start = 1;
  while ((event[start] ?? 0) >= 0x80) start += 1;
  const body = event.subarray(start + 1);
  const appended = diagnosisBytes(diagnosis);
  const head = [EVENTS_TAG];
  let length = body.length + appended.length;
  for (; length >= 128; length = Math.floor(length / 128)) head.push(128 + (length % 128));
  head.push(length);
  return Buffer.concat([Uint8Array.from(head), body, appended]);
}

const EVENT = codec(FaultEvent);
/** As a message that has nothing else: appended to an event's bytes it is that event's. */
const OVER_BUDGET_BYTES = EVENT.encode({ diagnosis: diagnosisMessage(undefined) });
/** Core gives one object for all events of a page. */
const diagnoses = new WeakMap<FaultDiagnosis, Buffer>();

function diagnosisBytes(diagnosis: FaultDiagnosis | undefined): Buffer {
  if (diagnosis === undefined) return OVER_BUDGET_BYTES;
  const known = diagnoses.get(diagnosis);
  if (known !== undefined) return known;
  const bytes = EVENT.encode({ diagnosis: diagnosisMessage(diagnosis) });
  diagnoses.set(diagnosis, bytes);
  return bytes;
}

/** A segment's bytes. */
class EncodedSegment {
  readonly #segment: FaultSegment;
  readonly run: Run;
  /** Of its events. */
  readonly types: readonly string[];
  /** An observer gets other bytes. */
  readonly hasTokens: boolean;
  #observed: Run | undefined;

  constructor(segment: FaultSegment) {
    this.#segment = segment;
    this.run = encodeEntries(segment.entries, "owner");
    const events = segment.entries.filter((entry) => entry.kind === "event");
    this.types = [...new Set(events.map(({ fault }) => fault.type))];
    this.hasTokens = events.some(({ response }) => response !== undefined);
  }

  observed(): Run {
    this.#observed ??= encodeEntries(this.#segment.entries, "observer");
    return this.#observed;
  }
}

/** Kept while the segment is, up to ENCODED_BYTES_MAX of all: history that nobody reads any more need not be bytes too. */
const encodedSegments = new WeakMap<FaultSegment, EncodedSegment>();
const byAge = new Map<WeakRef<FaultSegment>, number>();
const ENCODED_BYTES_MAX = 32 * 2 ** 20;
let encodedBytes = 0;

function encodedOf(segment: FaultSegment): EncodedSegment {
  const known = encodedSegments.get(segment);
  if (known !== undefined) return known;
  const made = new EncodedSegment(segment);
  encodedSegments.set(segment, made);
  byAge.set(new WeakRef(segment), made.run.bytes.length);
  encodedBytes += made.run.bytes.length;
  for (const [oldest, bytes] of byAge) {
    if (encodedBytes <= ENCODED_BYTES_MAX) break;
    byAge.delete(oldest);
    encodedBytes -= bytes;
    const old = oldest.deref();
    if (old !== undefined) encodedSegments.delete(old);
  }
  return made;
}
