// Core's Journal on a state directory: what core notes goes to the journal's files, what they hold comes back as records.

import type { DurableImage, DurableRecord } from "../core/durable.ts";
import type { Journal } from "../core/ports.ts";
import { recordsOf } from "./codec.ts";
import { readState } from "./journal-files.ts";
import { type JournalCounters, JournalWriter } from "./journal-writer.ts";

export interface FileJournal extends Journal {
  readonly counters: JournalCounters;
  /** Of before the restart, oldest first. */
  readonly records: readonly DurableRecord[];
  /** Bytes that a crash left of a write that was never finished. */
  readonly tornBytes: number;
  close(): Promise<void>;
}

export interface FileJournalOptions {
  /** Locked and private: os/state-directory.ts. */
  readonly directory: string;
  readonly journalBytesMax: number;
  /** All records at this moment, for a snapshot. */
  image(): DurableImage;
  /** A write failed: what was answered is safe, what is in memory is ahead of the disk. Called once. */
  onFailure(error: unknown): void;
}

/** @throws BrokerError backend_failed when what is there cannot be used, with the remedy */
export async function openFileJournal(options: FileJournalOptions): Promise<FileJournal> {
  const { directory, image, journalBytesMax, onFailure } = options;
  const recovered = await readState(directory);
  const records = [
    ...(recovered.image === undefined ? [] : recordsOf(recovered.image, directory)),
    ...recovered.payloads.flatMap((payload) => recordsOf(payload, directory)),
  ];
  const writer = await JournalWriter.open({ directory, journalBytesMax, image }, recovered);
  let hasFailed = false;
  const note = (record: unknown): void => {
    writer.append(record).catch((error: unknown) => {
      if (!hasFailed) onFailure(error);
      hasFailed = true;
    });
  };
  return {
    counters: writer.counters,
    records,
    tornBytes: recovered.tornBytes,
    append: async (entry) => note(entry),
    note,
    durable: () => (writer.isDurable ? undefined : writer.flush()),
    close: () => writer.close(),
  };
}
