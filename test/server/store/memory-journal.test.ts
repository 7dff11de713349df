import { expect, test } from "vitest";
import type { JournalEntry } from "../../../src/server/core/ports.ts";
import { createMemoryJournal } from "../../../src/server/store/memory-journal.ts";

function entry(generation: number): JournalEntry {
  return { kind: "intent", verb: "bind", session: "s", subject: "group/1", generation, result: "pending" };
}

test("entries are kept in order", async () => {
  const journal = createMemoryJournal();
  await journal.append(entry(1));
  await journal.append(entry(2));
  expect(journal.entries().map((each) => each.generation)).toEqual([1, 2]);
});

test("only the last 1,024 are kept, however many come", async () => {
  const journal = createMemoryJournal();
  for (let count = 1; count <= 5000; count++) await journal.append(entry(count));
  expect(journal.entries()).toHaveLength(1024);
  expect(journal.entries()[0]?.generation).toBe(5000 - 1023);
  expect(journal.entries().at(-1)?.generation).toBe(5000);
});
