// Where the daemon keeps what shall outlive it: a journal in the state directory, or in memory where there is none.

import { takeStateDirectory } from "../../os/state-directory.ts";
import type { Config } from "../config.ts";
import type { DurableImage, DurableRecord } from "../core/durable.ts";
import type { Journal } from "../core/ports.ts";
import { openFileJournal } from "../store/file-journal.ts";
import type { JournalCounters } from "../store/journal-writer.ts";
import { createMemoryJournal } from "../store/memory-journal.ts";

export interface State {
  readonly journal: Journal;
  /** Of before the restart. */
  readonly records: readonly DurableRecord[];
  /** Undefined: nothing is written. */
  readonly counters: JournalCounters | undefined;
  readonly tornBytes: number;
  close(): Promise<void>;
}

export async function openState(
  { limits, stateDirectory }: Config,
  image: () => DurableImage,
  onFailure: (error: unknown) => void,
): Promise<State> {
  if (stateDirectory === undefined) {
    return { journal: createMemoryJournal(), records: [], counters: undefined, tornBytes: 0, close: async () => {} };
  }
  const directory = takeStateDirectory(stateDirectory);
  try {
    const { journalBytesMax } = limits;
    const journal = await openFileJournal({ directory: directory.path, journalBytesMax, image, onFailure });
    const close = async (): Promise<void> => {
      await journal.close();
      directory.release();
    };
    const { counters, records, tornBytes } = journal;
    return { journal, records, counters, tornBytes, close };
  } catch (error) {
    directory.release();
    throw error;
  }
}
