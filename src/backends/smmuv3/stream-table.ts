// From StreamID to a legal Stream Table Entry, or the configuration fault on the way.
// Both table shapes; the level 1 descriptor is read afresh each time, only STEs are cached (config-cache.ts).
// ste.ts decodes and judges the entry itself.
// Source: IHI 0070G.b §3.3.2, §5.1, §7.3.3 to §7.3.5.

import { STRTAB_FMT } from "../../spec/encodings.ts";
import { L1STD, L1STD_BYTES, L1STD_SPAN_MAX } from "../../spec/l1std.ts";
import { get, getAddress } from "../../spec/layout.ts";
import { STRTAB_BASE, STRTAB_BASE_CFG } from "../../spec/registers.ts";
import { STE_BYTES, STE_WORDS } from "../../spec/ste.ts";
import { alignDown, pow2 } from "../../spec/u64.ts";
import type { SmmuCounters } from "./counters.ts";
import type { StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { checkDecodedSTE, type DecodedSTE, decodeSTE } from "./ste.ts";

/** Where the Stream table is, taken from STRTAB_BASE and STRTAB_BASE_CFG. */
export interface StreamTable {
  readonly base: number;
  /** StreamIDs below 2^sidBits are in the table. */
  readonly sidBits: number;
  /** log2 of the STEs below one level 1 descriptor; undefined: linear. */
  readonly split: number | undefined;
}

export type SteLookup =
  | { readonly kind: "ste"; readonly ste: DecodedSTE }
  | { readonly kind: "fault"; readonly fault: StageFault };

/** Decodes the two registers. Reserved formats are linear, reserved splits are 6. Source: §6.3.24, §6.3.25. */
export function decodeStreamTable(base: Uint32Array, config: number, features: Features): StreamTable {
  const words = Uint32Array.of(config);
  const log2Size = get(words, 0, STRTAB_BASE_CFG.LOG2SIZE);
  const address = getAddress(base, 0, STRTAB_BASE.ADDR, 6);
  const twoLevel = features.twoLevelStreamTable && get(words, 0, STRTAB_BASE_CFG.FMT) === STRTAB_FMT.TWO_LEVEL;
  const sidBits = Math.min(log2Size, features.sidBits);
  // the alignment follows the programmed LOG2SIZE, not what SIDSIZE leaves of it (§6.3.24)
  if (!twoLevel) return { base: alignDown(address, log2Size + 6), sidBits, split: undefined };
  const programmed = get(words, 0, STRTAB_BASE_CFG.SPLIT);
  const split = programmed === 8 || programmed === 10 ? programmed : 6;
  return { base: alignDown(address, Math.max(6, log2Size - split + 3)), sidBits, split };
}

/** Fetches, decodes and checks the STE of `streamID`. */
export class StreamTableReader {
  readonly #memory: PhysicalMemory;
  readonly #features: Features;
  readonly #counters: SmmuCounters;
  readonly #words = new Uint32Array(STE_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #l1std = new Uint32Array(2);

  constructor(memory: PhysicalMemory, features: Features, counters: SmmuCounters) {
    this.#memory = memory;
    this.#features = features;
    this.#counters = counters;
  }

  lookup(table: StreamTable, streamID: number): SteLookup {
    if (streamID >= pow2(table.sidBits)) return BAD_STREAMID;
    if (table.split === undefined) return this.#fetch(table.base + streamID * STE_BYTES);
    const l1Address = table.base + Math.floor(streamID / pow2(table.split)) * L1STD_BYTES;
    this.#counters.configStructAccess += 1;
    if (!this.#reachable(l1Address) || !this.#memory.read64(l1Address)) return fetchFault(l1Address);
    this.#l1std[0] = this.#memory.lo;
    this.#l1std[1] = this.#memory.hi;
    const span = get(this.#l1std, 0, L1STD.Span);
    if (span === 0 || span > L1STD_SPAN_MAX || span > table.split + 1) return BAD_STREAMID;
    const index = streamID % pow2(table.split);
    if (index >= pow2(span - 1)) return BAD_STREAMID;
    const l2 = alignDown(getAddress(this.#l1std, 0, L1STD.L2Ptr, 6), span - 1 + 6);
    return this.#fetch(l2 + index * STE_BYTES);
  }

  #fetch(address: number): SteLookup {
    this.#counters.configStructAccess += 1;
    if (!this.#reachable(address) || !this.#memory.readBytes(address, this.#bytes)) return fetchFault(address);
    const ste = decodeSTE(this.#words);
    if (checkDecodedSTE(ste, this.#features) !== undefined) return BAD_STE;
    return { kind: "ste", ste };
  }

  /** Beyond the OAS the architecture lets an STE fetch truncate or fail; this model fails it (§3.4.3). */
  #reachable(address: number): boolean {
    return address < pow2(this.#features.oasBits);
  }
}

const BAD_STREAMID: SteLookup = Object.freeze({ kind: "fault", fault: Object.freeze({ type: "C_BAD_STREAMID" }) });
const BAD_STE: SteLookup = Object.freeze({ kind: "fault", fault: Object.freeze({ type: "C_BAD_STE" }) });

function fetchFault(fetchAddress: number): SteLookup {
  return { kind: "fault", fault: { type: "F_STE_FETCH", fetchAddress } };
}
