// What the simulation knows of one client, in the terms of what it was answered.

import type { ProcessCaller } from "../../src/server/core/caller.ts";
import type { BufferFile } from "../support/memory-file.ts";

/** Who may use a session, as the last answer told. */
export interface Credential {
  readonly token: string;
  readonly caller: ProcessCaller;
}

/** One client, from OpenSession to its end. */
export interface Client {
  readonly slot: number;
  readonly session: string;
  /** The last is good; those before it until what replaced them is on the disk. */
  credentials: Credential[];
  /** Every process that it ever was. */
  readonly pids: number[];
  readonly addressSpace: string;
  readonly virtualIommu: string;
  readonly eager: boolean;
  readonly file: BufferFile;
  readonly mapped: Set<number>;
  /** Pages of calls that were not answered: mapped or not. */
  readonly inDoubt: Set<number>;
}
