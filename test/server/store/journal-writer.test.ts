import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readState, removeCovered, writeSnapshot } from "../../../src/server/store/journal-files.ts";
import { JournalWriter } from "../../../src/server/store/journal-writer.ts";
import { repairState } from "../../../src/server/store/repair.ts";
import { refusal } from "../../support/host.ts";

const NEVER = Number.MAX_SAFE_INTEGER;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "iommu-broker-journal-"));
  const made = directory;
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
});

async function writer(options: { journalBytesMax?: number; image?: () => unknown } = {}): Promise<JournalWriter> {
  const { journalBytesMax = NEVER, image = () => ({}) } = options;
  return await JournalWriter.open({ directory, journalBytesMax, image }, await readState(directory));
}

/** Everything that is durable, record by record; a snapshot's image stands for what came before it. */
async function durable(): Promise<readonly unknown[]> {
  const { image, payloads } = await readState(directory);
  return [...(image === undefined ? [] : [image]), ...payloads.flatMap((batch) => batch as unknown[])];
}

async function written(records: readonly number[]): Promise<void> {
  const journal = await writer();
  for (const record of records) await journal.append(record);
  await journal.close();
}

const only = (kind: string): string[] => readdirSync(directory).filter((name) => name.startsWith(kind));

test("an empty directory has nothing, and what is appended is there afterwards in order", async () => {
  expect(await durable()).toEqual([]);
  await written([1, 2, 3]);
  expect(await durable()).toEqual([1, 2, 3]);
  await written([4]);
  expect(await durable()).toEqual([1, 2, 3, 4]);
});

test("records of one moment share a write", async () => {
  const journal = await writer();
  await Promise.all([1, 2, 3, 4].map((record) => journal.append(record)));
  expect(journal.counters).toMatchObject({ records: 4, frames: 1 });
  await journal.close();
  expect(await durable()).toEqual([1, 2, 3, 4]);
});

test("what the disk has is counted: bytes, the length of the journal, and the time that it took", async () => {
  const journal = await writer();
  expect(journal.counters).toMatchObject({ bytes: 0, length: 0, writeSeconds: 0, failures: 0 });
  await journal.append("a");
  const { bytes, length, writeSeconds } = journal.counters;
  expect(bytes).toBeGreaterThan(0);
  expect([length, writeSeconds > 0]).toEqual([bytes, true]);
  await journal.close();
  const again = await writer();
  expect(again.counters).toMatchObject({ bytes: 0, length });
  await again.close();
  await expect(again.append("b")).rejects.toThrow();
  expect(again.counters.failures).toBe(1);
});

test("what a turn notes, and the promises that go on from there, shares a write, asked for in the middle or not", async () => {
  const journal = await writer();
  void journal.append(1);
  const flushed = journal.flush();
  for (let steps = 0; steps < 100; steps += 1) await Promise.resolve();
  void journal.append(2);
  await flushed;
  expect(journal.counters).toMatchObject({ records: 2, frames: 1 });
  await journal.close();
});

test("a snapshot is taken between turns too", async () => {
  const state: number[] = [];
  const images: number[][] = [];
  const image = () => {
    images.push([...state]);
    return images.at(-1);
  };
  const journal = await writer({ journalBytesMax: 0, image });
  state.push(1);
  void journal.append(1);
  const flushed = journal.flush();
  for (let steps = 0; steps < 100; steps += 1) await Promise.resolve();
  state.push(2);
  void journal.append(2);
  await flushed;
  await journal.close();
  expect(images).toEqual([[1, 2]]);
  expect(await durable()).toEqual(images);
});

test("flush waits for what was appended before it", async () => {
  const journal = await writer();
  void journal.append(1);
  await journal.flush();
  expect(await durable()).toEqual([1]);
  await journal.close();
});

describe("after a crash", () => {
  test("at any byte of the journal, what was acknowledged before that byte is there, and writing goes on", async () => {
    await written([1, 2, 3]);
    const [name] = only("journal");
    const whole = readFileSync(join(directory, name!));
    let last = -1;
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(join(directory, name!), whole.subarray(0, cut));
      const found = await durable();
      expect(found, `cut at ${cut}`).toEqual([1, 2, 3].slice(0, found.length));
      expect(found.length, `cut at ${cut}`).toBeGreaterThanOrEqual(last);
      last = found.length;
      await written([99]);
      expect(await durable(), `cut at ${cut}, then written`).toEqual([...found, 99]);
    }
    expect(last).toBe(3);
  });

  test("says how many bytes of the last write are cut off", async () => {
    await written([1]);
    const [name] = only("journal");
    writeFileSync(join(directory, name!), Buffer.alloc(11, 0x49), { flag: "a" });
    expect((await readState(directory)).tornBytes).toBe(11);
  });
});

describe("a journal that has grown past its bound", () => {
  test("is replaced by the image, which holds the records that waited for it", async () => {
    const state: number[] = [];
    const journal = await writer({ journalBytesMax: 100, image: () => [...state] });
    for (let record = 1; record <= 9; record++) {
      state.push(record);
      await journal.append(record);
    }
    expect(journal.counters.snapshots).toBeGreaterThan(0);
    await journal.close();
    const { image, payloads } = await readState(directory);
    expect([...(image as number[]), ...payloads.flat()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([only("snapshot").length, only("journal").length]).toEqual([1, 1]);
  });

  test("leaves a whole state wherever a crash comes between the snapshot's steps", async () => {
    await written([1, 2]);
    writeFileSync(join(directory, "snapshot-0000000000000003.new"), "half a snap");
    expect(await durable()).toEqual([1, 2]);
    await writeSnapshot(directory, 3, "image of 1 2 3"); // and no journal after it yet
    expect(await durable()).toEqual(["image of 1 2 3"]);
    await written([4]);
    expect(await durable()).toEqual(["image of 1 2 3", 4]);
    await removeCovered(directory);
    expect(await durable()).toEqual(["image of 1 2 3", 4]);
    expect(readdirSync(directory).sort()).toEqual(["journal-0000000000000004", "snapshot-0000000000000003"]);
  });
});

describe("damage", () => {
  async function damage(): Promise<string> {
    await written([1, 2, 3]);
    const path = join(directory, only("journal")[0]!);
    const bytes = readFileSync(path);
    bytes[Math.floor(bytes.length / 2)] = 0xff; // in the second of three frames of equal length
    writeFileSync(path, bytes);
    return path;
  }

  test("before the last write is refused with the file, the place and the remedy", async () => {
    const path = await damage();
    const error = await refusal(() => readState(directory));
    expect(error).toMatchObject({ code: "backend_failed", facts: { file: path, lost_frames: 1 } });
    expect(error.message).toMatch(/does not match its checksum.*--repair-state/);
  });

  test("is cut off by repair, which tells what is lost and keeps it", async () => {
    const path = await damage();
    expect(await repairState(directory, true)).toMatchObject({ lost: [{ number: 3, payload: [3] }] });
    expect((await refusal(() => readState(directory))).code).toBe("backend_failed");
    const original = readFileSync(path);
    expect(await repairState(directory, false)).toMatchObject({ file: path, lost: [{ payload: [3] }] });
    expect(await durable()).toEqual([1]);
    expect(readFileSync(`${path}.damaged`)).toEqual(original);
    expect(await repairState(directory, false)).toBeUndefined();
    await written([4]);
    expect(await durable()).toEqual([1, 4]);
  });

  test("of a whole journal that is missing is refused, and repaired by giving up the later ones", async () => {
    await written([1]);
    await writeSnapshot(directory, 1, "one");
    renameSync(join(directory, "journal-0000000000000001"), join(directory, "journal-0000000000000005"));
    expect((await refusal(() => readState(directory))).message).toContain("frames 2 to 4 are missing");
    await repairState(directory, false);
    expect(await durable()).toEqual(["one"]);
  });

  test("of a snapshot is refused", async () => {
    await writeSnapshot(directory, 5, { a: 1 });
    const path = join(directory, only("snapshot")[0]!);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = 0;
    writeFileSync(path, bytes);
    expect((await refusal(() => readState(directory))).message).toContain("does not match its checksum");
  });
});

test("a writer that failed once takes nothing more: only recovery knows what is on the disk", async () => {
  const journal = await writer();
  await journal.append(1);
  await journal.close(); // the descriptor is gone under it
  expect((await refusal(() => journal.append(2))).code).toBe("backend_failed");
  expect((await refusal(() => journal.append(3))).code).toBe("backend_failed");
  expect((await refusal(() => journal.flush())).code).toBe("backend_failed");
  expect(await durable()).toEqual([1]);
});
