// Plain numbers the model adds to; readers sample them, nobody is told.
// Names follow the architecture's performance events where there is one.
// Source: IHI 0070G.b §10.3 (PMCG event numbers 1 to 7).

import { EVENT_NUMBER } from "../../spec/events.ts";
import type { Fault } from "./fault.ts";

export interface SmmuCounters {
  /** PMCG event 1. */
  transaction: number;
  /** PMCG event 2. */
  tlbMiss: number;
  /** PMCG event 3. */
  configCacheMiss: number;
  /** PMCG event 4: descriptors read or updated. */
  transTableWalkAccess: number;
  /** PMCG event 5: doublewords of STEs, CDs and their level 1 tables fetched, one a structure. */
  configStructAccess: number;
  /** PMCG event 6: ATS translation requests received. */
  pcieAtsTransRq: number;
  /** PMCG event 7: translated transactions that passed. */
  pcieAtsTransPassed: number;
  tlbHit: number;
  eventsRecorded: number;
  eventsDropped: number;
  /** Times the Event queue's overflow flag changed, OVFLG of §7.4: the first record lost until software has seen it. */
  eventQueueOverflows: number;
  /** Records that were merged with the one before them; not among the recorded. */
  eventsMerged: number;
  commands: number;
  /** The same, by opcode. */
  readonly commandsByOpcode: Float64Array;
}

/** Faults that have type, stage and class in common. */
export interface FaultCount {
  readonly type: Fault["type"];
  readonly stage: Fault["stage"] | undefined;
  readonly class: Fault["class"] | undefined;
  count: number;
}

/** Opcodes are 8 bits (§4.1.1). */
const OPCODES = 256;
/** None, 1, 2. */
const STAGES = 3;
const CLASSES = 4;
/** EVENT.CLASS (§7.3.13) leaves 3 free. */
const CLASS_NUMBER = { CD: 0, TTD: 1, IN: 2, none: 3 } as const;

/** Counted only for streams that someone asked to track. */
export interface StreamCounters {
  translationsOk: number;
  translationsFaulted: number;
  /** Terminated without a fault: STE.Config=0b0xx, or GBPA.ABORT. */
  translationsAborted: number;
  tlbHit: number;
  tlbMiss: number;
  /** At most the types by stages by classes that there are. */
  readonly faults: Map<number, FaultCount>;
}

export function newSmmuCounters(): SmmuCounters {
  return {
    transaction: 0,
    tlbMiss: 0,
    configCacheMiss: 0,
    transTableWalkAccess: 0,
    configStructAccess: 0,
    pcieAtsTransRq: 0,
    pcieAtsTransPassed: 0,
    tlbHit: 0,
    eventsRecorded: 0,
    eventsDropped: 0,
    eventQueueOverflows: 0,
    eventsMerged: 0,
    commands: 0,
    commandsByOpcode: new Float64Array(OPCODES),
  };
}

export function newStreamCounters(): StreamCounters {
  return {
    translationsOk: 0,
    translationsFaulted: 0,
    translationsAborted: 0,
    tlbHit: 0,
    tlbMiss: 0,
    faults: new Map(),
  };
}

/** One more fault of a stream. */
export function countFault({ faults }: StreamCounters, fault: Fault): void {
  const key = (EVENT_NUMBER[fault.type] * STAGES + (fault.stage ?? 0)) * CLASSES + CLASS_NUMBER[fault.class ?? "none"];
  const known = faults.get(key);
  if (known === undefined) faults.set(key, { type: fault.type, stage: fault.stage, class: fault.class, count: 1 });
  else known.count += 1;
}
