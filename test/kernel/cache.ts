// The folder of what is slow to get: IOMMU_E2E_CACHE, else XDG_CACHE_HOME/iommu-broker. Everything in it can be deleted.
// An entry is made under another name and renamed, so what has its name is whole, also after a run that was killed.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";

const UNFINISHED = ".new-";
const ABANDONED_MS = 24 * 3_600_000;

export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.IOMMU_E2E_CACHE) return env.IOMMU_E2E_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "iommu-broker");
}

/**
 * The path of an entry, which is made when it is not there.
 *
 * @param name  with everything in it that makes the content what it is: nothing else tells a stale entry from a good one
 * @param make  writes the file or the folder at the path that it is given, in an empty folder that it may use besides
 */
export async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(cacheFolder(), name);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  sweep(dirname(path));
  const work = mkdtempSync(path + UNFINISHED);
  try {
    const made = join(work, basename(path));
    await make(made);
    publish(made, path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}

/** Who comes second has made the same: the first one's stays, which may be in use. */
function publish(made: string, path: string): void {
  try {
    if (!existsSync(path)) renameSync(made, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

/** Of runs that were killed. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder).filter((each) => each.includes(UNFINISHED))) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
}
