// A journal that does not outlive the process: the last entries in a ring, for the log of a bug and for tests.
// In force with state_directory "off": a restart then begins without sessions.

import type { Journal, JournalEntry } from "../core/ports.ts";

const ENTRIES_MAX = 1024;

export interface MemoryJournal extends Journal {
  /** Oldest first, at most the last 1,024. */
  entries(): readonly JournalEntry[];
}

export function createMemoryJournal(): MemoryJournal {
  let kept: JournalEntry[] = [];
  return {
    note: () => {},
    durable: () => undefined,
    append: async (entry) => {
      kept.push(entry);
      if (kept.length >= 2 * ENTRIES_MAX) kept = kept.slice(-ENTRIES_MAX);
    },
    entries: () => kept.slice(-ENTRIES_MAX),
  };
}
