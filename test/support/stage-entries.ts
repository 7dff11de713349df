// The STEs that a host can have for each stage state, made by make-ste.ts, and every pair that the transition table connects.
// A guest's STE varies in all that a guest may choose; stage 2 in what a host may choose once for all its streams.
// Source: IHI 0070G.b §5.2.

import { abortSTE, defaultDomainSTE, nestedSTE, stage2STE } from "../../src/backends/sim/make-ste.ts";
import type { EntryWords } from "../../src/backends/sim/used-bits.ts";
import { featuresOf, type IdRegisters } from "../../src/backends/smmuv3/id-registers.ts";
import { checkVSTE } from "../../src/backends/vste.ts";
import { STAGE_STATES, type StageState, TRANSITIONS } from "../../src/server/core/stage-state.ts";
import type { EntryWorld } from "./entry-world.ts";
import { IDS } from "./smmuv3-machine.ts";
import { at } from "./smmuv3-tables.ts";

export interface Entry {
  readonly name: string;
  readonly words: EntryWords;
}

export interface Host {
  readonly name: string;
  readonly ids: IdRegisters;
  readonly hasATS: boolean;
  /** What this host's stage 2 has besides make-ste's: bits XORed into doublewords 1 and 2. */
  readonly stage2: readonly { readonly name: string; readonly dword1: bigint; readonly dword2: bigint }[];
}

const PLAIN = { name: "stage 2 as made", dword1: 0n, dword2: 0n };
/** S2R is bit 186, S2S 185: doubleword 2; S2FWB is bit 89: doubleword 1. */
const SILENT = { name: "S2R=0", dword1: 0n, dword2: at(1, 58) };

export const HOSTS: readonly Host[] = [
  {
    name: "an SMMU that stalls, with ATS and S2FWB",
    ids: { ...IDS, idr0: IDS.idr0 | (1 << 10), idr3: IDS.idr3 | (1 << 8) },
    hasATS: true,
    stage2: [
      PLAIN,
      SILENT,
      { name: "S2S=1", dword1: 0n, dword2: at(1, 57) },
      { name: "S2FWB=1", dword1: at(1, 25), dword2: 0n },
    ],
  },
  {
    name: "an SMMU that only terminates, without ATS",
    ids: { ...IDS, idr0: IDS.idr0 | (1 << 24) },
    hasATS: false,
    stage2: [PLAIN, SILENT],
  },
];

export type StageEntries = Readonly<Record<StageState, readonly Entry[]>>;

/** @param every  all choices of a guest, or a handful that has each value of each field */
export function entriesOf(host: Host, world: EntryWorld, stage2: Host["stage2"][number], every: boolean): StageEntries {
  const features = featuresOf(host.ids);
  const setting = { vmid: 5, root: world.stage2Root, ipaBits: 39, s2sl0: 1 };
  const vary = (ste: EntryWords): EntryWords => [
    ste[0]!,
    ste[1]! ^ stage2.dword1,
    ste[2]! ^ stage2.dword2,
    ...ste.slice(3),
  ];
  const guests = every ? everyGuest(host) : someGuests(host);
  return {
    "default-domain": [{ name: "default domain", words: defaultDomainSTE(world.hostContext, features) }],
    "nest-parent": [{ name: "stage 2", words: vary(stage2STE(setting, features)) }],
    "guest-abort": [{ name: "abort", words: abortSTE() }],
    quarantined: [{ name: "quarantined", words: abortSTE() }],
    vended: [{ name: "vended", words: abortSTE() }],
    releasing: [{ name: "releasing", words: abortSTE() }],
    "guest-nested": guests.map((guest) => {
      const name = `nested ${Object.values(guest).join(" ")}`;
      const dword0 = 0xbn | BigInt(world[guest.table]) | at(guest.fmt, 4) | at(guest.cdMax, 59);
      const dword1 = BigInt(guest.dss) | at(guest.stalld, 27) | at(guest.eats, 28) | 0xd4n; // S1CIR, S1COR, S1CSH
      return { name, words: vary(nestedSTE(checkVSTE(dword0, dword1), setting, features, { ats: host.hasATS })) };
    }),
  };
}

/** What a guest chooses: S1ContextPtr, S1Fmt, S1CDMax, S1DSS, EATS, S1STALLD. */
interface Guest {
  readonly table: "linear" | "otherLinear" | "twoLevel";
  readonly fmt: number;
  readonly cdMax: number;
  readonly dss: number;
  readonly eats: number;
  readonly stalld: number;
}

/** EATS counts only where there is ATS, S1STALLD only where the host does not set it itself. */
function everyGuest({ hasATS }: Host): Guest[] {
  const guests: Guest[] = [];
  for (const table of ["linear", "otherLinear", "twoLevel"] as const) {
    for (const fmt of [0, 1, 2]) {
      for (const cdMax of [0, 2]) {
        for (const dss of [0, 1, 2]) {
          for (const choice of [0, 1]) {
            guests.push({ table, fmt, cdMax, dss, eats: hasATS ? choice : 0, stalld: hasATS ? 0 : choice });
          }
        }
      }
    }
  }
  return guests;
}

function someGuests({ hasATS }: Host): Guest[] {
  const [eats, stalld] = hasATS ? [1, 0] : [0, 1];
  const base: Guest = { table: "linear", fmt: 0, cdMax: 2, dss: 2, eats: 0, stalld: 0 };
  return [
    base,
    { ...base, dss: 1 },
    { ...base, dss: 0, eats, stalld },
    { ...base, cdMax: 0 },
    { ...base, table: "otherLinear", eats, stalld },
    { ...base, table: "otherLinear", cdMax: 0, dss: 1 },
    { ...base, table: "twoLevel", fmt: 1 },
    { ...base, table: "twoLevel", fmt: 2, dss: 1 },
  ];
}

export interface Pair {
  readonly from: Entry;
  readonly to: Entry;
}

/** Every pair of entries whose states the table of transitions connects, whatever the trigger. */
export function pairsOf(entries: StageEntries): Pair[] {
  return STAGE_STATES.flatMap((state) => {
    const reached = new Set<StageState>(Object.values(TRANSITIONS[state]));
    return [...reached].flatMap((next) => entries[state].flatMap((from) => entries[next].map((to) => ({ from, to }))));
  });
}
