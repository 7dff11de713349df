// A journal's disk that can lose power at any byte: what was promised stays, of what comes after it any prefix may.
// Frames, checksums and the schema are the store's own; only the file is a buffer.

import { BrokerError } from "../../src/backends/errors.ts";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import { recordsOf } from "../../src/server/store/codec.ts";
import { encodeFrame, scanFrames } from "../../src/server/store/frame.ts";

/** What a disk may hold behind the last byte that was written: nothing, zeroes, or what was there before. */
export type Tail = "nothing" | "zeroes" | "rubbish";
const TAIL_BYTES = 64;

export class CrashDisk {
  #bytes: Buffer;
  #number: number;
  #noted: DurableRecord[] = [];
  #flushing: Promise<void> | undefined;
  #isDead = false;

  constructor(bytes = Buffer.alloc(0), number = 0) {
    this.#bytes = bytes;
    this.#number = number;
  }

  note(record: DurableRecord): void {
    this.#noted.push(record);
  }

  /** Group commit: all that was noted before the write begins is in it. */
  async durable(): Promise<void> {
    while (this.#noted.length > 0) {
      this.#flushing ??= this.#flush();
      await this.#flushing;
    }
    await this.#flushing;
    this.#requireAlive();
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** All that was noted is on it. */
  get isSettled(): boolean {
    return this.#noted.length === 0;
  }

  /**
   * Power goes.
   * @param part  how much of what was noted and not yet promised is on the disk, 0 to 1, to the byte
   */
  cut(part: number, tail: Tail): void {
    if (this.#isDead) return;
    this.#isDead = true;
    const frame = this.#noted.length === 0 ? Buffer.alloc(0) : encodeFrame(this.#number + 1, this.#noted);
    const written = frame.subarray(0, Math.round(frame.length * part));
    const behind = Buffer.alloc(tail === "nothing" || written.length === frame.length ? 0 : TAIL_BYTES);
    if (tail === "rubbish") behind.fill("IOJF[{");
    this.#bytes = Buffer.concat([this.#bytes, written, behind]);
  }

  /** What a daemon that starts now reads. */
  records(): readonly DurableRecord[] {
    return this.#scan().frames.flatMap(({ payload }) => recordsOf(payload, "the disk"));
  }

  /** The same disk for the next daemon: a torn tail is cut off. */
  successor(): CrashDisk {
    const { frames, end } = this.#scan();
    const whole = end.kind === "torn" ? this.#bytes.subarray(0, end.offset) : this.#bytes;
    return new CrashDisk(Buffer.from(whole), frames.length);
  }

  #scan(): ReturnType<typeof scanFrames> {
    const scan = scanFrames(this.#bytes, 1);
    if (scan.end.kind !== "clean" && scan.end.kind !== "torn") throw new Error(`a crash made it ${scan.end.kind}`);
    return scan;
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // the time that fdatasync takes
    this.#flushing = undefined;
    this.#requireAlive();
    this.#number += 1;
    this.#bytes = Buffer.concat([this.#bytes, encodeFrame(this.#number, this.#noted)]);
    this.#noted = [];
  }

  #requireAlive(): void {
    if (this.#isDead) throw new BrokerError("call_over", "the broker died before it answered");
  }
}
