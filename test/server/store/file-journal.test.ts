// Core on a journal in files: what an answer promised is there after a crash, wherever the crash comes.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { type FileJournal, openFileJournal } from "../../../src/server/store/file-journal.ts";
import { repairLines } from "../../../src/server/store/repair-lines.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "iommu-broker-journal-"));
  const made = directory;
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
});

const gone = (id: string): DurableRecord => ({ type: "sessionGone", id });

async function opened(at = directory, onFailure: (error: unknown) => void = () => {}): Promise<FileJournal> {
  return await openFileJournal({ directory: at, journalBytesMax: 2 ** 20, image: () => [], onFailure });
}

test("what was durable when durable() resolved is there after a crash at any later byte", async () => {
  const journal = await opened();
  const promised: { readonly bytes: number; readonly records: number }[] = [];
  const path = join(directory, readdirSync(directory)[0]!);
  for (let count = 1; count <= 5; count++) {
    journal.note(gone(`session ${count}`));
    await journal.append({
      kind: "intent",
      verb: "attach",
      session: "s",
      subject: "group/1",
      generation: count,
      result: "pending",
    });
    await journal.durable();
    promised.push({ bytes: readFileSync(path).length, records: count });
  }
  await journal.close();
  const copy = mkdtempSync(join(tmpdir(), "iommu-broker-journal-"));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  for (let cut = readFileSync(path).length; cut >= 0; cut--) {
    cpSync(path, join(copy, "journal-0000000000000001"));
    truncateSync(join(copy, "journal-0000000000000001"), cut);
    const least = promised.findLast(({ bytes }) => bytes <= cut)?.records ?? 0;
    const again = await opened(copy);
    expect(again.records, `cut at ${cut}`).toEqual(promised.slice(0, least).map((_, at) => gone(`session ${at + 1}`)));
    await again.close();
  }
});

test("a disk that fails is told once, and no later answer is promised", async () => {
  const failures: unknown[] = [];
  const journal = await opened(directory, (error) => failures.push(error));
  await journal.close();
  journal.note(gone("a"));
  await expect(journal.durable()).rejects.toMatchObject({ code: "backend_failed" });
  journal.note(gone("b"));
  await expect(journal.durable()).rejects.toMatchObject({ code: "backend_failed" });
  expect(failures).toHaveLength(1);
});

test("repair says in words what is lost", async () => {
  const answer = { session: "two", requestID: "bind", digest: "d", answer: null };
  for (const records of [
    [gone("one")],
    [{ type: "answer", value: answer } as const, { type: "groupGone", id: 3, generation: 9 } as const],
    [gone("three")],
  ]) {
    const journal = await opened();
    for (const record of records) journal.note(record);
    await journal.close();
  }
  const path = join(directory, readdirSync(directory)[0]!);
  expect(await repairLines(directory, true)).toEqual([`${directory}: no damage`]);
  const bytes = readFileSync(path);
  bytes[4] = 0xff;
  writeFileSync(path, bytes);
  const lines = await repairLines(directory, true);
  expect(lines[0]).toContain(`${path}: damaged at byte 0`);
  expect(lines).toContain("lost besides the damaged bytes: 3 records");
  expect(lines).toContain('  answer to request_id "bind" of session two');
  expect(lines).toContain("  IOMMU group 3 removed at generation 9");
  expect(lines).toContain("  sessionGone three");
  expect(lines.at(-1)).toContain("nothing was changed");
  await repairLines(directory, false);
  expect(await repairLines(directory, true)).toEqual([`${directory}: no damage`]);
});
