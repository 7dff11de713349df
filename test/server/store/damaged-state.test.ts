// A state directory with random damage: it is refused with a BrokerError, or what comes out is something that was once true.
// What was written is known frame by frame, so anything else that comes out is a wrong state.

import { copyFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { foldRecords } from "../../../src/server/core/durable-state.ts";
import { recordsOf } from "../../../src/server/store/codec.ts";
import { openFileJournal } from "../../../src/server/store/file-journal.ts";
import { readState } from "../../../src/server/store/journal-files.ts";
import { Chance } from "../../support/fuzz-chance.ts";
import { addFile, attach, bind, guest, NIC, NVME, testHost } from "../../support/host.ts";

const SECONDS = Number(process.env.IOMMU_BROKER_FUZZ_SECONDS ?? 8);
const SEED = Number(process.env.IOMMU_BROKER_FUZZ_SEED ?? Date.now() % 2 ** 31);
/** Small, so that the directory has a snapshot and a journal behind it. */
const JOURNAL_BYTES = 4096;

let original: string;
let copy: string;
/** All that was ever true, as JSON. */
const once = new Set<string>();

function told(records: readonly DurableRecord[]): string {
  const state = foldRecords(records);
  const parts = [
    state.sessions,
    state.groups,
    state.devices,
    state.addressSpaces,
    state.virtualIommus,
    state.addedDevices,
  ];
  const tables = [...state.mappings].filter(([, table]) => table.size > 0).map(([id, table]) => [id, sorted(table)]);
  return JSON.stringify([...parts.map(sorted), tables.sort(), [...state.removedDevices].sort()], inOrder);
}

/** The same keys in the same order, whoever made the object. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Records of a snapshot leave out what is as it was found. */
function sorted(map: ReadonlyMap<string | number, unknown>): unknown {
  const noteworthy = [...map].filter(
    ([, value]) => !/"attached":false,"virtualStreamID":null/.test(JSON.stringify(value)),
  );
  return noteworthy.sort(([a], [b]) => String(a).localeCompare(String(b)));
}

beforeAll(async () => {
  original = mkdtempSync(join(tmpdir(), "iommu-broker-state-"));
  copy = mkdtempSync(join(tmpdir(), "iommu-broker-damaged-"));
  const host = testHost();
  await host.core.recover([]);
  const image = () => host.core.image();
  const onFailure = (error: unknown): void => expect(error).toBeUndefined();
  const journal = await openFileJournal({ directory: original, journalBytesMax: JOURNAL_BYTES, image, onFailure });
  const all: DurableRecord[] = [];
  const keep = async (): Promise<void> => {
    for (const record of host.durable.splice(0)) {
      journal.note(record);
      all.push(record);
    }
    await journal.durable();
    once.add(told(all));
  };
  once.add(told([]));
  for (const name of ["one", "two"]) {
    const own = await guest(host, { name });
    await keep();
    const device = name === "one" ? NVME : NIC;
    await attach(host, own, device, "bypass");
    await keep();
    for (let round = 0; round < 8; round += 1) {
      await bind(host, own, device, checkVSTE(0x4000_000bn, 0n), 7);
      await keep();
      await host.core.stages.unbind(own.session, { device, expectedGeneration: undefined });
      await keep();
    }
  }
  await journal.close();
});

afterAll(() => {
  for (const directory of [original, copy]) rmSync(directory, { recursive: true, force: true });
});

function damage(chance: Chance, path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length === 0 ? 0 : chance.below(bytes.length);
  const until = Math.min(bytes.length, at + 1 + chance.below(200));
  const rest = bytes.subarray(until);
  switch (chance.below(9)) {
    case 0:
    case 1:
      if (bytes.length > 0) bytes.writeUInt8(chance.below(256), at);
      writeFileSync(path, bytes);
      break;
    case 2:
      writeFileSync(path, bytes.subarray(0, at));
      break;
    case 3:
      writeFileSync(path, bytes.fill(0, at, until));
      break;
    case 4: // a piece is missing
      writeFileSync(path, Buffer.concat([bytes.subarray(0, at), rest]));
      break;
    case 5: // a piece is there twice
      writeFileSync(path, Buffer.concat([bytes.subarray(0, until), bytes.subarray(at)]));
      break;
    case 6:
      writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(chance.below(100), chance.below(256))]));
      break;
    case 7:
      rmSync(path);
      break;
    default: // under another number
      renameSync(path, path.replace(/\d$/, String(chance.below(10))));
  }
}

async function recordsIn(directory: string): Promise<readonly DurableRecord[] | undefined> {
  try {
    const { image, payloads } = await readState(directory);
    return [
      ...(image === undefined ? [] : recordsOf(image, "/state")),
      ...payloads.flatMap((payload) => recordsOf(payload, "/state")),
    ];
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

test(
  "whatever is damaged, it is refused, or what comes out was once true and can be restored",
  async () => {
    const names = readdirSync(original).filter((name) => /^(journal|snapshot)-/.test(name));
    expect(names.length).toBeGreaterThan(1); // a snapshot, and what came after it
    const figures = { rounds: 0, refused: 0 };
    const chance = new Chance(SEED);
    const deadline = performance.now() + SECONDS * 1000;
    while (performance.now() < deadline) {
      for (const name of readdirSync(copy)) rmSync(join(copy, name));
      for (const name of names) copyFileSync(join(original, name), join(copy, name));
      for (let count = 1 + chance.below(3); count > 0; count -= 1) {
        const left = readdirSync(copy);
        if (left.length > 0) damage(chance, join(copy, chance.of(left)));
      }
      figures.rounds += 1;
      const records = await recordsIn(copy);
      if (records === undefined) {
        figures.refused += 1;
        continue;
      }
      const where = `seed ${SEED}, round ${figures.rounds}`;
      expect([where, once.has(told(records))]).toEqual([where, true]);
      if (figures.rounds % 10 !== 0) continue;
      const host = testHost();
      for (const name of ["one", "two"]) addFile(host, `/memory/${name}`, 2 ** 21);
      await host.core.recover(records);
    }
    process.stdout.write(`damaged state: seed ${SEED}: ${figures.rounds} rounds, ${figures.refused} refused\n`);
  },
  SECONDS * 1000 + 30_000,
);
