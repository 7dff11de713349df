// The notes of driver-binding.ts: a small file for each device beneath the state directory.
// A note is written aside, brought to the disk and renamed, so that a crash leaves it whole or not there.

import { constants } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BrokerError } from "../backends/errors.ts";
import { deviceID } from "../backends/ids.ts";
import type { DriverNote, DriverNotes } from "../backends/iommufd/driver-binding.ts";
import { errnoOf } from "./errno.ts";

const NOTES_MAX = 4096;
const NOTE_BYTES_MAX = 1024;
const SUFFIX = ".driver";

/** @param directory  within the state directory; made when there is a first note */
export function driverNotes(directory: string): DriverNotes {
  const pathOf = (device: string): string => join(directory, device + SUFFIX);
  return {
    read: async () => {
      const names = await readdir(directory).catch((error: unknown) => {
        if (errnoOf(error) === "ENOENT") return [];
        throw unusable(directory, error);
      });
      const notes = names.filter((name) => name.endsWith(SUFFIX)).sort();
      return await Promise.all(notes.slice(0, NOTES_MAX).map((name) => readNote(join(directory, name), name)));
    },
    write: async (note) => {
      const path = pathOf(note.device);
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await writeThrough(`${path}.new`, `${note.driver ?? ""}\n${note.override ?? ""}\n`);
        await rename(`${path}.new`, path);
        await syncDirectory(directory);
      } catch (error) {
        throw unusable(path, error);
      }
    },
    remove: async (device) => {
      try {
        await rm(pathOf(device), { force: true });
      } catch (error) {
        throw unusable(pathOf(device), error);
      }
    },
  };
}

/** Two lines: the driver and the override, each empty for none. */
async function readNote(path: string, name: string): Promise<DriverNote> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw unusable(path, error);
  });
  const [driver, override, end, ...more] = text.slice(0, NOTE_BYTES_MAX).split("\n");
  if (driver === undefined || override === undefined || end !== "" || more.length > 0) {
    const message = `${path} is no note of a driver: bind the device to its driver yourself and remove the file`;
    throw new BrokerError("backend_failed", message, { path });
  }
  return {
    device: deviceID(name.slice(0, -SUFFIX.length)),
    driver: driver === "" ? undefined : driver,
    override: override === "" ? undefined : override,
  };
}

async function writeThrough(path: string, text: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function unusable(path: string, error: unknown): BrokerError {
  const message = `${path} cannot be used (${errnoOf(error)}): check the state directory and its permissions`;
  return new BrokerError("backend_failed", message, { path }, { cause: error });
}
