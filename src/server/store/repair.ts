// Cuts a damaged journal off where the damage begins, at an operator's wish. What was there stays beside it.

import { copyFile, open, rename } from "node:fs/promises";
import { type Damage, inspectState, syncDirectory } from "./journal-files.ts";

const KEPT = ".damaged";

/**
 * @param dryRun  only tell
 * @returns what was given up; undefined: the state is whole
 * @throws BrokerError backend_failed for what cutting does not mend: a damaged snapshot, another version
 */
export async function repairState(directory: string, dryRun: boolean): Promise<Damage | undefined> {
  const { damage } = await inspectState(directory);
  if (damage === undefined || dryRun) return damage;
  await copyFile(damage.file, `${damage.file}${KEPT}`);
  for (const path of damage.later) await rename(path, `${path}${KEPT}`);
  if (damage.offset === 0) await rename(damage.file, `${damage.file}${KEPT}`);
  else {
    const file = await open(damage.file, "r+");
    try {
      await file.truncate(damage.offset);
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncDirectory(directory);
  return damage;
}
