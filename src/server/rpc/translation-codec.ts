// The answer of Simulator.Translate from outcomes to bytes, without a message object between: thousands a call, and the
// generated encoder costs many times what a translation does. Decoding is the generated code's.
// Fields with their default are left out, as proto3 has it; an ipa of 0 is present. Field numbers: simulator.proto.

import type { TranslationOutcome } from "../../backends/simulator-control.ts";
import { assert } from "../../spec/assert.ts";
import { hi32, lo32 } from "../../spec/u64.ts";
import { type Codec, codec, iommubroker } from "./codec.ts";
import { OUTCOMES } from "./convert-simulator.ts";

/** Tags: field number × 8, plus 2 where a length follows. */
const TRANSLATIONS_TAG = 1 * 8 + 2;
const TAG = {
  outcome: 1 * 8,
  pa: 2 * 8,
  pageBytes: 3 * 8,
  ipa: 4 * 8,
  bypass: 5 * 8,
  faultType: 6 * 8 + 2,
  faultStage: 7 * 8,
  faultClass: 8 * 8 + 2,
  faultIpa: 9 * 8,
  faultFetchAddress: 10 * 8,
  recorded: 11 * 8,
  memoryType: 12 * 8 + 2,
  shareability: 13 * 8 + 2,
} as const;

/** Tag, length, four flags and small numbers, three numbers of up to 53 bits. */
const WITHOUT_FAULT_BYTES_MAX = 2 + 4 * 2 + 3 * 9;
/** Two more numbers, the stage, and two texts beside their characters. */
const FAULT_BYTES_MAX = 2 * 9 + 2 + 2 * 2;
/** Two texts beside their characters. */
const ATTRIBUTES_BYTES_MAX = 2 * 2;
/** A length below this is one byte. */
const LENGTH_END = 128;

/** `ResInput` of Translate: what core answers, as it is. */
export const TRANSLATIONS: Codec<iommubroker.v1.TranslateResponse, readonly TranslationOutcome[]> = {
  encode(outcomes) {
    const writer = new TranslationWriter(Buffer.allocUnsafe(outcomes.reduce((sum, one) => sum + bytesMax(one), 0)));
    for (const outcome of outcomes) writer.translation(outcome);
    return writer.written();
  },
  decode: codec(iommubroker.v1.TranslateResponse).decode,
};

function bytesMax({ attributes, fault }: TranslationOutcome): number {
  let bytes = WITHOUT_FAULT_BYTES_MAX;
  if (attributes !== undefined) {
    bytes += ATTRIBUTES_BYTES_MAX + attributes.memoryType.length + attributes.shareability.length;
  }
  if (fault !== undefined) bytes += FAULT_BYTES_MAX + fault.type.length + (fault.class?.length ?? 0);
  return bytes;
}

class TranslationWriter {
  readonly #bytes: Buffer;
  #at = 0;
  /** The attributes written last, and where they stand: those of the next are mostly the same. */
  #attributes: TranslationOutcome["attributes"];
  #attributesStart = 0;
  #attributesEnd = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  translation(one: TranslationOutcome): void {
    const start = this.#at;
    this.#at += 2;
    this.#number(TAG.outcome, OUTCOMES[one.end]);
    if (one.pa !== 0) this.#number(TAG.pa, one.pa);
    if (one.pageBytes !== 0) this.#number(TAG.pageBytes, one.pageBytes);
    if (one.ipa !== undefined) this.#number(TAG.ipa, one.ipa);
    if (one.bypass) this.#number(TAG.bypass, 1);
    if (one.fault !== undefined) this.#fault(one.fault);
    if (one.recorded) this.#number(TAG.recorded, 1);
    if (one.attributes !== undefined) this.#writeAttributes(one.attributes);
    const length = this.#at - start - 2;
    assert(length < LENGTH_END, `a translation of ${length} bytes`);
    this.#bytes[start] = TRANSLATIONS_TAG;
    this.#bytes[start + 1] = length;
  }

  written(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #fault(fault: NonNullable<TranslationOutcome["fault"]>): void {
    this.#text(TAG.faultType, fault.type);
    if (fault.stage !== undefined) this.#number(TAG.faultStage, fault.stage);
    if (fault.class !== undefined) this.#text(TAG.faultClass, fault.class);
    if (fault.ipa !== undefined) this.#number(TAG.faultIpa, fault.ipa);
    if (fault.fetchAddress !== undefined) this.#number(TAG.faultFetchAddress, fault.fetchAddress);
  }

  #writeAttributes(attributes: NonNullable<TranslationOutcome["attributes"]>): void {
    const start = this.#at;
    if (attributes === this.#attributes) {
      for (let from = this.#attributesStart; from < this.#attributesEnd; from++) {
        this.#bytes[this.#at++] = this.#bytes[from]!;
      }
    } else {
      this.#text(TAG.memoryType, attributes.memoryType);
      this.#text(TAG.shareability, attributes.shareability);
    }
    this.#attributes = attributes;
    this.#attributesStart = start;
    this.#attributesEnd = this.#at;
  }

  /** A tag and a varint: 7 bits a byte, lowest first, bit 7 set where more follow. */
  #number(tag: number, value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let [hi, lo] = [hi32(value), lo32(value)];
    bytes[at++] = tag;
    for (; hi > 0; hi >>>= 7) {
      bytes[at++] = lo | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    }
    for (; lo > 0x7f; lo >>>= 7) bytes[at++] = lo | 0x80;
    bytes[at++] = lo;
    this.#at = at;
  }

  /** Names the architecture gives: ASCII. */
  #text(tag: number, text: string): void {
    this.#bytes[this.#at] = tag;
    this.#bytes[this.#at + 1] = text.length;
    this.#at += 2 + this.#bytes.write(text, this.#at + 2, "latin1");
  }
}
