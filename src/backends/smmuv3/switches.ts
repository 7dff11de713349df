// What registers decide about translations, decoded when they are written.
// Source: IHI 0070G.b §6.3.9 (CR0), §6.3.12 (CR2), §6.3.14 (GBPA), §6.3.24 (STRTAB_BASE).

import type { InputOverride } from "./memory-type.ts";
import type { StreamTable } from "./stream-table.ts";

/** The registers a translation looks at, decoded when they are written. */
export interface Switches {
  smmuEnabled: boolean;
  bypassAborts: boolean;
  /** What GBPA makes of the attributes of a transaction; undefined: nothing. */
  bypassOverride: InputOverride | undefined;
  recordsBadStreamID: boolean;
  e2h: boolean;
  streamTable: StreamTable;
}
