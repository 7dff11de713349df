// The files of a state directory: at most one snapshot in force, and the journal of what came after it.
//   snapshot-N   one frame, number N: everything up to and including frame N
//   journal-N    frames from number N on; what a snapshot covers already is passed over
// A snapshot appears by rename, so it is there whole or not at all; files that a newer snapshot covers are removed
// after it is on the disk. Reading changes nothing.

import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BrokerError } from "../../backends/errors.ts";
import { encodeFrame, FORMAT_VERSION, type Frame, type Scan, scanFrames } from "./frame.ts";

export interface Recovered {
  /** The newest snapshot's image; undefined: there is none. */
  readonly image: unknown;
  /** Payloads of the frames after it, oldest first. */
  readonly payloads: readonly unknown[];
  /** Of the last frame; 0 in an empty directory. */
  readonly number: number;
  /** Bytes of a write that a crash cut short; nobody was ever told that it was done. */
  readonly tornBytes: number;
  /** The file to go on with, and how much of it counts. */
  readonly journal: { readonly path: string; readonly bytes: number };
}

/** A place from which on a state directory cannot be used. */
export interface Damage {
  readonly file: string;
  readonly offset: number;
  readonly why: string;
  /** Whole frames behind it. */
  readonly lost: readonly Frame[];
  /** Journals after the damaged one. */
  readonly later: readonly string[];
}

const NAME = /^(journal|snapshot)-(\d{16})$/;
/** A snapshot that a crash left half written; nothing refers to it. */
const UNFINISHED = /^snapshot-\d{16}\.new$/;

interface StateFile {
  readonly kind: "journal" | "snapshot";
  readonly number: number;
  readonly path: string;
}

/**
 * Reads what a state directory holds.
 * @throws BrokerError backend_failed: damaged before its end, or written by another version; with the remedy
 */
export async function readState(directory: string): Promise<Recovered> {
  const { damage, ...recovered } = await inspectState(directory);
  if (damage !== undefined) throw damaged(damage);
  return recovered;
}

/**
 * Reads as far as the state is whole.
 * @throws BrokerError backend_failed for a damaged snapshot, and for another version
 */
export async function inspectState(directory: string): Promise<Recovered & { readonly damage: Damage | undefined }> {
  const files = await stateFiles(directory);
  const snapshot = files.findLast((file) => file.kind === "snapshot");
  const image = snapshot && (await readSnapshot(snapshot));
  const from = snapshot?.number ?? 0;
  const journals = files.filter((file, index) => file.kind === "journal" && !isCovered(files, index, from));
  const payloads: unknown[] = [];
  let number = from;
  let journal = { path: journalPath(directory, from + 1), bytes: 0 };
  let tornBytes = 0;
  for (const [index, file] of journals.entries()) {
    const bytes = await readFile(file.path);
    const scan = scanFrames(bytes, file.number);
    const later = journals.slice(index + 1);
    const damage = await damageOf(file, scan, number, later);
    const frames = damage?.offset === 0 ? [] : scan.frames.filter((frame) => frame.number > number);
    payloads.push(...frames.map((frame) => frame.payload));
    number += frames.length;
    const end = damage?.offset ?? (scan.end.kind === "torn" ? scan.end.offset : bytes.length);
    if (file.number + scan.frames.length > from) {
      journal = { path: file.path, bytes: end };
      tornBytes = bytes.length - end;
    }
    if (damage !== undefined) return { image, payloads, number, tornBytes, journal, damage };
  }
  return { image, payloads, number, tornBytes, journal, damage: undefined };
}

/** Puts a snapshot in force. Whatever moment a crash comes at, it is there whole or not at all. */
export async function writeSnapshot(directory: string, number: number, image: unknown): Promise<void> {
  const path = join(directory, `snapshot-${padded(number)}`);
  const unfinished = `${path}.new`;
  const file = await open(unfinished, "w", 0o600);
  try {
    await file.writeFile(encodeFrame(number, image));
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  await syncDirectory(directory);
}

/** Removes what the snapshot in force covers, and what crashes left over. */
export async function removeCovered(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (UNFINISHED.test(name)) await rm(join(directory, name));
  const files = await stateFiles(directory);
  const snapshot = files.findLast((file) => file.kind === "snapshot");
  if (snapshot === undefined) return;
  for (const [index, file] of files.entries()) {
    const isOld = file.kind === "snapshot" ? file !== snapshot : isCovered(files, index, snapshot.number);
    if (isOld) await rm(file.path);
  }
}

export function journalPath(directory: string, number: number): string {
  return join(directory, `journal-${padded(number)}`);
}

/** Makes names that were created or renamed in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function damaged({ file, offset, why, lost }: Damage): BrokerError {
  return new BrokerError(
    "backend_failed",
    `state file ${file} is damaged at byte ${offset}: ${why}; put back a copy of the state directory, or give up what follows: iommu-brokerd --repair-state says what that is`,
    { file, offset, lost_frames: lost.length },
  );
}

/** A journal whose successor begins no later than what follows the snapshot has nothing of its own to say. */
function isCovered(files: readonly StateFile[], index: number, snapshot: number): boolean {
  const next = files.find((file, at) => at > index && file.kind === "journal");
  return next !== undefined && next.number <= snapshot + 1;
}

/** In order of number. */
async function stateFiles(directory: string): Promise<readonly StateFile[]> {
  const found: StateFile[] = [];
  for (const name of await readdir(directory)) {
    const match = NAME.exec(name);
    if (match === null) continue;
    const kind = match[1] === "journal" ? "journal" : "snapshot";
    found.push({ kind, number: Number(match[2]), path: join(directory, name) });
  }
  return found.sort((a, b) => a.number - b.number);
}

async function readSnapshot(file: StateFile): Promise<unknown> {
  const { end, frames } = scanFrames(await readFile(file.path), file.number);
  if (end.kind === "unsupported") throw otherVersion(file.path, end.version);
  const [frame] = frames;
  if (frame !== undefined && end.kind === "clean" && frames.length === 1) return frame.payload;
  throw new BrokerError(
    "backend_failed",
    `snapshot ${file.path} does not match its checksum: put back a copy of the state directory, or move it away to begin without sessions`,
    { file: file.path },
  );
}

async function damageOf(
  file: StateFile,
  { end, frames }: Scan,
  number: number,
  following: readonly StateFile[],
): Promise<Damage | undefined> {
  if (end.kind === "unsupported") throw otherVersion(file.path, end.version);
  const later = following.map(({ path }) => path);
  const behind: Frame[] = [];
  for (const each of following) behind.push(...scanFrames(await readFile(each.path), each.number).frames);
  if (file.number > number + 1) {
    const why = `frames ${number + 1} to ${file.number - 1} are missing before it`;
    return { file: file.path, offset: 0, why, lost: [...frames, ...behind], later };
  }
  if (end.kind === "clean" || (end.kind === "torn" && behind.length === 0)) return undefined;
  const why = `frame ${file.number + frames.length} does not match its checksum, and later ones are there`;
  const lost = [...(end.kind === "damaged" ? end.after : []), ...behind];
  return { file: file.path, offset: end.offset, why, lost, later };
}

function otherVersion(file: string, version: number): BrokerError {
  return new BrokerError(
    "backend_failed",
    `state file ${file} has format ${version}, this version reads ${FORMAT_VERSION}: start the version that wrote it`,
    { file, version, supported: FORMAT_VERSION },
  );
}

function padded(number: number): string {
  return String(number).padStart(16, "0");
}
