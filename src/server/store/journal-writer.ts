// Appends to the journal. Records wait until somebody asks that they be durable, or for a moment, and go out together with
// all that came while the write before was under way: one synchronous write serves them all (group commit). A write begins
// between two turns of the event loop: what one turn noted, and the promises that go on from there, is in one frame or in none.
// When the journal has grown past its bound the image of everything replaces it.
// A write that fails ends the writer: what is on the disk is not known any more, and only recovery can tell.

import { constants, write } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { BrokerError } from "../../backends/errors.ts";
import { encodeFrame } from "./frame.ts";
import { journalPath, type Recovered, removeCovered, syncDirectory, writeSnapshot } from "./journal-files.ts";

export interface JournalWriterOptions {
  readonly directory: string;
  /** Length after which a snapshot takes the journal's place. */
  readonly journalBytesMax: number;
  /** Everything that is, all appended records included: taken in the turn in which the snapshot begins. */
  image(): unknown;
}

interface Waiting {
  readonly record: unknown;
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: BrokerError): void;
}

/** Counted for metrics: plain numbers. */
export interface JournalCounters {
  records: number;
  /** Each is one write that ends when the disk has it. */
  frames: number;
  bytes: number;
  snapshots: number;
  /** 1 once a write has failed: the writer has ended. */
  failures: number;
  /** Seconds that the writes took, and the snapshots. */
  writeSeconds: number;
  /** Length of the journal now; a snapshot begins a new one. */
  length: number;
}

/** Records that may wait; more than the calls that may be under way can make. */
const WAITING_MAX = 2 ** 20;
/**
 * A write returns once its data, and what is needed to find it, is on the disk: open(2), O_DSYNC. An fdatasync behind each
 * write promises the same and is one more task for another thread, which costs the daemon a third more CPU.
 */
const SYNCHRONOUS = constants.O_WRONLY | constants.O_APPEND | constants.O_DSYNC;
/** How long a record waits that nobody asks about. */
const LINGER_MS = 5;

export class JournalWriter {
  readonly counters: JournalCounters = {
    records: 0,
    frames: 0,
    bytes: 0,
    snapshots: 0,
    failures: 0,
    writeSeconds: 0,
    length: 0,
  };
  readonly #options: JournalWriterOptions;
  #file: FileHandle;
  #number: number;
  #bytes: number;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #failure: BrokerError | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: JournalWriterOptions, file: FileHandle, recovered: Recovered) {
    this.#options = options;
    this.#file = file;
    this.#number = recovered.number;
    this.#bytes = recovered.journal.bytes;
    this.counters.length = this.#bytes;
  }

  /** Goes on behind what was recovered; a torn tail is cut off first. */
  static async open(options: JournalWriterOptions, recovered: Recovered): Promise<JournalWriter> {
    const { path, bytes } = recovered.journal;
    await removeCovered(options.directory);
    const file = await open(path, SYNCHRONOUS | constants.O_CREAT, 0o600);
    await file.truncate(bytes);
    await file.datasync();
    await syncDirectory(options.directory);
    return new JournalWriter(options, file, recovered);
  }

  /**
   * Resolves once the record is durable.
   * @throws BrokerError backend_failed when it cannot be written: disk full, or an earlier write failed
   */
  append(record: unknown): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting.length >= WAITING_MAX) return Promise.reject(failed(new Error("too many records wait")));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ record, promise, resolve, reject });
    this.#timer ??= setTimeout(() => this.#start(), LINGER_MS).unref();
    return promise;
  }

  /** Everything appended so far is: flush() would not wait. */
  get isDurable(): boolean {
    return this.#waiting.length === 0 && this.#running === undefined && this.#failure === undefined;
  }

  /** Resolves once everything appended so far is durable; at once when nothing waits. */
  async flush(): Promise<void> {
    const last = this.#waiting.at(-1);
    if (last !== undefined) this.#start();
    if (last !== undefined || this.#running !== undefined) await this.#settled(last);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async close(): Promise<void> {
    this.#start();
    while (this.#running !== undefined) await this.#running;
    await this.#file.close();
  }

  /** Waits for one record, or else for the write under way. */
  async #settled(record: Waiting | undefined): Promise<void> {
    if (record === undefined) await this.#running;
    else await record.promise.catch(() => {});
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length > 0) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      await nextTurn();
      const batch = this.#waiting;
      this.#waiting = [];
      const begun = performance.now();
      try {
        await (this.#bytes >= this.#options.journalBytesMax ? this.#snapshot() : this.#write(batch));
        this.counters.records += batch.length;
        this.counters.writeSeconds += (performance.now() - begun) / 1000;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#failure = failed(error);
        this.counters.failures += 1;
        for (const { reject } of [...batch, ...this.#waiting]) reject(this.#failure);
        this.#waiting = [];
      }
    }
    this.#running = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const frame = encodeFrame(
      this.#number + 1,
      batch.map(({ record }) => record),
    );
    await writeThrough(this.#file.fd, frame);
    this.#number += 1;
    this.#bytes += frame.length;
    this.counters.length = this.#bytes;
    this.counters.frames += 1;
    this.counters.bytes += frame.length;
  }

  /** The image holds what waits too, so the batch is durable with it and needs no frame. */
  async #snapshot(): Promise<void> {
    const { directory } = this.#options;
    const image = this.#options.image();
    const next = this.#number + 1;
    await writeSnapshot(directory, next, image);
    const file = await open(
      journalPath(directory, next + 1),
      SYNCHRONOUS | constants.O_CREAT | constants.O_EXCL,
      0o600,
    );
    await syncDirectory(directory);
    await this.#file.close();
    this.#file = file;
    this.#number = next;
    this.#bytes = 0;
    this.counters.length = 0;
    this.counters.snapshots += 1;
    await removeCovered(directory);
  }
}

/**
 * Resolves when no promise is left that could run: a verb's records and the answer to it, which is noted some promises
 * later, must not be torn apart by a crash. The image of a snapshot is taken at such a moment too.
 */
async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** By callbacks: promises of file handles cost several times as much, and this is once for each answer. */
async function writeThrough(fd: number, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = (error: Error | null): void => (error === null ? resolve() : reject(error));
    const from = (offset: number): void => {
      write(fd, bytes, offset, (error, written) => {
        if (error !== null || offset + written === bytes.length) settle(error);
        else from(offset + written);
      });
    };
    from(0);
  });
}

function failed(cause: unknown): BrokerError {
  return new BrokerError("backend_failed", "the journal could not be written: is the disk full?", {}, { cause });
}
