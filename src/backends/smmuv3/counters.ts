// Plain numbers the model adds to; readers sample them, nobody is told.
// Names follow the architecture's performance events where there is one.
// Source: IHI 0070G.b §10.3 (PMCG event numbers 1 to 7).

import type { EventName } from "../../spec/events.ts";

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
  /** Records that were merged with the one before them; not among the recorded. */
  eventsMerged: number;
  commands: number;
}

/** Counted only for streams that someone asked to track. */
export interface StreamCounters {
  translationsOk: number;
  translationsFaulted: number;
  /** Terminated without a fault: STE.Config=0b0xx, or GBPA.ABORT. */
  translationsAborted: number;
  tlbHit: number;
  tlbMiss: number;
  readonly faults: Record<EventName, number>;
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
    eventsMerged: 0,
    commands: 0,
  };
}

export function newStreamCounters(): StreamCounters {
  return {
    translationsOk: 0,
    translationsFaulted: 0,
    translationsAborted: 0,
    tlbHit: 0,
    tlbMiss: 0,
    faults: { ...NO_FAULTS },
  };
}

const NO_FAULTS: Readonly<Record<EventName, number>> = {
  F_UUT: 0,
  C_BAD_STREAMID: 0,
  F_STE_FETCH: 0,
  C_BAD_STE: 0,
  F_BAD_ATS_TREQ: 0,
  F_STREAM_DISABLED: 0,
  F_TRANSL_FORBIDDEN: 0,
  C_BAD_SUBSTREAMID: 0,
  F_CD_FETCH: 0,
  C_BAD_CD: 0,
  F_WALK_EABT: 0,
  F_TRANSLATION: 0,
  F_ADDR_SIZE: 0,
  F_ACCESS: 0,
  F_PERMISSION: 0,
  F_TLB_CONFLICT: 0,
  F_CFG_CONFLICT: 0,
  E_PAGE_REQUEST: 0,
  F_VMS_FETCH: 0,
};
