// A walker against every store of every transition of the stage table, in the model: it finds the old entry or the new
// one, or C_BAD_STE where the plan passes through V=0, and never a third. What is interleaved:
// 1. Nothing cached: every subset of every step's stores is in memory when the entry is fetched. That is every prefix of
//    every order of the stores. It is also every torn fetch: hardware reads doublewords, in any order, at any time
//    between a step's start and its CMD_SYNC, so each of them is read as it was before or after the step's store to it.
//    No fetch meets two steps: CMD_CFGI_STE and CMD_SYNC complete it (IHI 0070 §4.7.3, §3.21.3).
// 2. A fetch torn for real, doubleword by doubleword in ascending order, the stores in ascending order between any two
//    reads: one run for each outcome that some interleaving has.
// 3. Configuration and TLB kept: every order of a step's stores; the entry is fetched before any of them and stays cached
//    up to the step's invalidation. The TLB keeps everything up to the end, where only the new entry is to be seen.
// 1 is for all that a guest can choose; 2 and 3 for a handful, and for all with IOMMU_BROKER_ENTRY_PAIRS=all.
// The same for the host's CD, which is C_BAD_CD in between.

import { describe, expect, test } from "vitest";
import type { EntryWords } from "../../../src/backends/sim/used-bits.ts";
import { EMPTY_ENTRY, planCdUpdate, planSteUpdate } from "../../../src/backends/sim/write-entry.ts";
import { type Subject, type Transition, Walker } from "../../support/entry-walker.ts";
import { EntryWorld, STE_ADDRESS } from "../../support/entry-world.ts";
import { at } from "../../support/smmuv3-tables.ts";
import { entriesOf, HOSTS, type Pair, pairsOf, type StageEntries } from "../../support/stage-entries.ts";

const EVERY = process.env.IOMMU_BROKER_ENTRY_PAIRS === "all";
const TIMEOUT_MS = EVERY ? 600_000 : 30_000;

/** Eight reads and a step's n stores, both in any order the plan allows: (8 + n)! / 8! of them for each step. */
function interleavings(transitions: readonly Transition[]): number {
  const steps = transitions.flatMap((transition) => transition.steps);
  return steps.reduce((sum, { stores }) => sum + stores.reduce((product, _, index) => product * (9 + index), 1), 0);
}

/** The table's transitions, and those of a stream that was never installed. */
function planned(entries: StageEntries): Transition[] {
  const empty = { name: "V=0", words: EMPTY_ENTRY };
  const first = [...entries["default-domain"], ...entries["guest-abort"]].map((to) => ({ from: empty, to }));
  return [...first, ...pairsOf(entries)].map((pair) => ({
    ...pair,
    steps: planSteUpdate(pair.from.words, pair.to.words),
  }));
}

const configOf = ({ words }: Pair["from"]): number => Number((words[0]! >> 1n) & 7n);

/** No order of single stores will do: another VMID with another Config, or two doublewords that both entries use. */
function mustBreak({ from, to }: Pair): boolean {
  const configs = [configOf(from), configOf(to)];
  if (configs.includes(0)) return false;
  if (configs.includes(5)) return configs[0] !== configs[1];
  // MEV (83) may always change by itself; EATS [93:92] may where neither stage 2 stalls (S2S, 185)
  const stalls = [from, to].some(({ words }) => ((words[2]! >> 57n) & 1n) === 1n);
  const bound = stalls ? at(3, 28) : 0n;
  const ofStage1 = 0xffn | at(1, 27); // S1DSS, S1CIR, S1COR, S1CSH, S1STALLD
  const mask = configs[0] === 7 && configs[1] === 7 ? bound | ofStage1 : bound;
  return from.words[0] !== to.words[0] && ((from.words[1]! ^ to.words[1]!) & mask) !== 0n;
}

describe.each(HOSTS)("$name", { timeout: TIMEOUT_MS }, (host) => {
  const world = new EntryWorld(host.ids);
  const subject: Subject = {
    address: STE_ADDRESS,
    bad: "C_BAD_STE",
    isValid: (words) => (words[0]! & 1n) === 1n,
    forget: () => world.forgetSTE(),
    settle: () => {}, // VMIDs and ASIDs tell the translations apart
  };
  const walker = new Walker(world, subject);

  describe.each(host.stage2)("$name", (stage2) => {
    const every = planned(entriesOf(host, world, stage2, true));
    const some = EVERY ? every : planned(entriesOf(host, world, stage2, false));

    test(`1. ${every.length} transitions, ${interleavings(every)} interleavings of stores with a fetch, nothing cached`, () => {
      for (const transition of every) walker.bySubsets(transition);
    });

    test(`2. ${some.length} transitions, the fetch torn for real`, () => {
      for (const transition of some) walker.byTornFetches(transition);
    });

    test(`3. ${some.length} transitions in every order of stores, with the configuration and the TLB kept`, () => {
      for (const transition of some) walker.byOrders(transition);
    });

    test("V=0 is seen only where no order of single stores would do", () => {
      for (const { from, steps, to } of every) {
        if (from.words === EMPTY_ENTRY) continue;
        const passesInvalid = steps.some(({ stores }) =>
          stores.some(({ index, value }) => index === 0 && value === 0n),
        );
        if (passesInvalid !== mustBreak({ from, to })) expect.fail(`${from.name} → ${to.name}: ${passesInvalid}`);
      }
    });
  });
});

describe("the host's own CD, behind an STE that leads to it", () => {
  const host = HOSTS[0]!;
  const world = new EntryWorld(host.ids);
  const [ste] = entriesOf(host, world, host.stage2[0]!, false)["default-domain"];
  world.install(ste!.words);
  const walker = new Walker(world, {
    address: world.hostContext,
    bad: "C_BAD_CD",
    isValid: (words) => ((words[0]! >> 31n) & 1n) === 1n,
    forget: () => world.forgetCD(),
    settle: () => world.forgetTranslations(), // another table under the same ASID
  });
  const HOST = world.read(world.hostContext);
  const change = (index: number, mask: bigint): EntryWords =>
    HOST.map((word, at) => (at === index ? word ^ mask : word));
  const released = change(0, at(1, 14)).map((word, index) => (index === 1 ? 0n : index === 0 ? word & ~0x3fffn : word));
  const contexts = {
    "V=0": EMPTY_ENTRY,
    "the host's": HOST,
    "another ASID": change(0, at(0x7f, 48)),
    "another table": change(1, at(0x1000, 0)),
    "another ASID and table": change(0, at(0x7f, 48)).map((word, index) => (index === 1 ? word ^ 0x1000n : word)),
    "other attributes": change(3, 0xffn),
    "EPD0, the rest of the half cleared": released.map((word, index) => (index === 0 ? word | at(1, 14) : word)),
  };
  const transitions = Object.entries(contexts).flatMap(([from, words]) =>
    Object.entries(contexts).map(([to, target]) => ({
      from: { name: from, words },
      to: { name: to, words: target },
      steps: planCdUpdate(words, target),
    })),
  );

  test(`${transitions.length} transitions, ${interleavings(transitions)} interleavings: the old CD, the new one or C_BAD_CD`, () => {
    for (const transition of transitions) {
      walker.bySubsets(transition);
      walker.byTornFetches(transition);
      walker.byOrders(transition);
    }
  });
});
