// Decoded STEs and CDs, as hardware caches them: what is here is used until a CMD_CFGI_* removes it.
// Only legal structures are kept. Both levels are bounded; the oldest goes first.
// Source: IHI 0070G.b §3.21 (caching of structures), §4.3 (invalidation).

import type { StreamWorld } from "./cd.ts";
import type { ContextConfig } from "./context.ts";
import type { InputOverride } from "./memory-type.ts";
import type { Stage2Config } from "./stage2.ts";
import type { DecodedSTE } from "./ste.ts";

/** A legal STE, boiled down to what a transaction needs, with the CDs that were reached through it. */
export interface StreamConfig {
  readonly ste: DecodedSTE;
  /** Config[2]: false terminates silently. */
  readonly passes: boolean;
  readonly hasStage1: boolean;
  readonly stage2: Stage2Config | undefined;
  readonly world: StreamWorld;
  readonly vmid: number;
  /** log2 of the number of CDs; 0: substreams are off. */
  readonly cdBits: number;
  /** What an access needs, by accessIndex(): one PERMISSION bit each, after PRIVCFG and INSTCFG. */
  readonly needs: readonly number[];
  /** What the STE makes of the attributes that come with a transaction; undefined: nothing. */
  readonly override: InputOverride | undefined;
  readonly contexts: Map<number, ContextConfig>;
}

export const CACHED_STREAMS_MAX = 4096;
export const CACHED_CONTEXTS_MAX = 1024; // of one stream

export class ConfigCache {
  readonly #streams = new Map<number, StreamConfig>();
  /** Changes whenever something is added or dropped. */
  version = 0;
  #lastID = -1;
  #last: StreamConfig | undefined;

  stream(streamID: number): StreamConfig | undefined {
    if (streamID === this.#lastID) return this.#last;
    const found = this.#streams.get(streamID);
    this.#lastID = streamID;
    this.#last = found;
    return found;
  }

  addStream(streamID: number, config: StreamConfig): void {
    makeRoom(this.#streams, CACHED_STREAMS_MAX);
    this.#streams.set(streamID, config);
    this.#forgetLast();
  }

  addContext(stream: StreamConfig, substreamID: number, context: ContextConfig): void {
    this.version += 1;
    makeRoom(stream.contexts, CACHED_CONTEXTS_MAX);
    stream.contexts.set(substreamID, context);
  }

  /** CMD_CFGI_STE: the STE and every CD reached through it. */
  dropStream(streamID: number): void {
    this.#streams.delete(streamID);
    this.#forgetLast();
  }

  /** CMD_CFGI_STE_RANGE: StreamIDs first to first + count - 1. */
  dropRange(first: number, count: number): void {
    for (const streamID of this.#streams.keys()) {
      if (streamID >= first && streamID < first + count) this.#streams.delete(streamID);
    }
    this.#forgetLast();
  }

  /** CMD_CFGI_CD. */
  dropContext(streamID: number, substreamID: number): void {
    this.version += 1;
    this.#streams.get(streamID)?.contexts.delete(substreamID);
  }

  /** CMD_CFGI_CD_ALL. */
  dropContexts(streamID: number): void {
    this.version += 1;
    this.#streams.get(streamID)?.contexts.clear();
  }

  /** Something that a way through the cache depends on has changed: whoever remembers one looks again. */
  renew(): void {
    this.version += 1;
  }

  /** CMD_CFGI_ALL. */
  clear(): void {
    this.#streams.clear();
    this.#forgetLast();
  }

  #forgetLast(): void {
    this.version += 1;
    this.#lastID = -1;
    this.#last = undefined;
  }
}

/**
 * The oldest goes, though streams that take turns and are one too many then never hit: to keep those used last would cost
 * every hit and do no better in turns, and 4096 is beyond what one host has.
 */
function makeRoom(map: Map<number, unknown>, max: number): void {
  if (map.size < max) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
