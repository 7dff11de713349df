// sysfs, procfs and devfs as the native backend's discovery reads them.
// By promises, on libuv's threads: a read can wake a sleeping device, and a write can wait for a driver to let go of one.
// Both are rare (start, stop, hotplug) and one at a time, so the journal is left the other threads.

import { constants } from "node:fs";
import { access, open, opendir, readlink } from "node:fs/promises";
import { basename } from "node:path";
import type { HostFiles } from "../backends/iommufd/host-files.ts";
import { errnoOf } from "./errno.ts";

export const hostFiles: HostFiles = {
  read: async (path, bytesMax) => {
    try {
      const file = await open(path, "r");
      try {
        return await readBeginning(file, bytesMax);
      } finally {
        await file.close();
      }
    } catch {
      return undefined; // gone, or not for us: there is nothing to read
    }
  },
  list: async (path, entriesMax) => {
    const names: string[] = [];
    try {
      for await (const entry of await opendir(path)) {
        if (names.length >= entriesMax) break;
        names.push(entry.name);
      }
    } catch {
      return names.sort(); // it went away under the look: what was seen is what there was
    }
    return names.sort();
  },
  linkName: async (path) => {
    try {
      return basename(await readlink(path));
    } catch {
      return undefined;
    }
  },
  access: async (path) => {
    try {
      await access(path, constants.R_OK + constants.W_OK);
      return undefined;
    } catch (error) {
      return errnoOf(error);
    }
  },
  write: async (path, text) => {
    try {
      const file = await open(path, constants.O_WRONLY);
      try {
        await file.write(text);
        return undefined;
      } finally {
        await file.close();
      }
    } catch (error) {
      return errnoOf(error);
    }
  },
};

async function readBeginning(
  file: { read(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }> },
  bytesMax: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(bytesMax);
  let done = 0;
  while (done < bytesMax) {
    const { bytesRead } = await file.read(bytes, done, bytesMax - done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
