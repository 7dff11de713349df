// A walker that looks at an entry of an EntryWorld while a plan is carried out, in every way two can interleave; the three
// ways are those that entry-interleaving.test.ts tells. It fails at the first verdict that is neither the old entry's nor
// the new one's, unless V is 0 there and the verdict says so.

import { expect } from "vitest";
import type { EntryWords } from "../../src/backends/sim/used-bits.ts";
import type { EntryStep } from "../../src/backends/sim/write-entry.ts";
import { type EntryWorld, PROBES } from "./entry-world.ts";
import type { Pair } from "./stage-entries.ts";

type Store = EntryStep["stores"][number];
type Verdicts = readonly string[];

export interface Transition extends Pair {
  readonly steps: readonly EntryStep[];
}

/** One step of a transition, with the entry as it stands before it. */
interface Step extends Transition {
  readonly start: EntryWords;
  readonly stores: readonly Store[];
}

/** The entry that is written, and what it is called while V is 0. */
export interface Subject {
  readonly address: number;
  readonly bad: "C_BAD_STE" | "C_BAD_CD";
  readonly isValid: (words: EntryWords) => boolean;
  /** Its CMD_CFGI_*, and CMD_SYNC. */
  readonly forget: () => void;
  /** What software invalidates in the TLB when all is done. */
  readonly settle: () => void;
}

function subsets(stores: readonly Store[]): Store[][] {
  if (stores.length === 0) return [[]];
  const rest = subsets(stores.slice(1));
  return [...rest, ...rest.map((one) => [stores[0]!, ...one])];
}

function orders(stores: readonly Store[]): Store[][] {
  if (stores.length === 0) return [[]];
  return stores.flatMap((first) => orders(stores.filter((one) => one !== first)).map((rest) => [first, ...rest]));
}

/** For each store the read, 0 to 7, that it comes just before, or 8 for none; never decreasing. */
function schedules(count: number, from = 0): number[][] {
  if (count === 0) return [[]];
  const gaps = Array.from({ length: 9 - from }, (_, index) => from + index);
  return gaps.flatMap((gap) => schedules(count - 1, gap).map((rest) => [gap, ...rest]));
}

function after(words: EntryWords, stores: readonly Store[]): EntryWords {
  const changed = [...words];
  for (const { index, value } of stores) changed[index] = value;
  return changed;
}

function stepsOf(transition: Transition): Step[] {
  let start = transition.from.words;
  return transition.steps.map(({ stores }) => {
    const step = { ...transition, start, stores };
    start = after(start, stores);
    return step;
  });
}

export class Walker {
  readonly #known = new Map<string, Verdicts>();
  readonly #subject: Subject;
  readonly #world: EntryWorld;

  constructor(world: EntryWorld, subject: Subject) {
    this.#world = world;
    this.#subject = subject;
  }

  /** With nothing cached, for an entry as it stands. */
  cold(words: EntryWords): Verdicts {
    const key = words.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#install(words);
    this.#world.forgetTranslations();
    const verdicts = this.#world.verdicts();
    this.#known.set(key, verdicts);
    return verdicts;
  }

  /** Interleavings 1. */
  bySubsets(transition: Transition): void {
    const [old, target] = [this.cold(transition.from.words), this.cold(transition.to.words)];
    for (const step of stepsOf(transition)) {
      for (const subset of subsets(step.stores)) {
        const between = after(step.start, subset);
        const seen = this.cold(between);
        if (isSame(seen, old) || isSame(seen, target)) continue;
        // a transaction that does not get as far as the entry is told the same of old and new
        const isNeither = seen.every((one, index) => this.#isBad(one) || (one === old[index] && one === target[index]));
        if (!this.#subject.isValid(between) && isNeither) continue;
        expect.fail(`a third entry: ${seen.join("; ")} ${nameOf(step)} after ${subset.map(({ index }) => index)}`);
      }
    }
  }

  /** Interleavings 2. */
  byTornFetches(transition: Transition): void {
    this.#world.forgetTranslations(); // of what was there before
    for (const step of stepsOf(transition)) {
      const all = schedules(step.stores.length);
      const outcomes = new Map(
        all.map((gaps) => [step.stores.map(({ index }, at) => gaps[at]! <= index).join(), gaps]),
      );
      for (const gaps of outcomes.values()) {
        const seen = PROBES.map((probe) => {
          this.#install(step.start);
          const waiting = step.stores.map((store, at) => ({ ...store, gap: gaps[at]! }));
          return this.#world.tornVerdict(probe, this.#subject.address, (read) => {
            while (waiting.length > 0 && waiting[0]!.gap <= read) this.#store(waiting.shift()!);
          });
        });
        this.#require(seen, step, this.#passesInvalid(step, step.stores), `torn at ${gaps}`);
      }
    }
  }

  /** Interleavings 3. */
  byOrders(transition: Transition): void {
    this.#install(transition.from.words);
    this.#world.forgetTranslations();
    this.#world.verdicts();
    for (const step of stepsOf(transition)) {
      for (const order of orders(step.stores)) {
        for (let fetchedAfter = 0; fetchedAfter <= order.length; fetchedAfter += 1) {
          this.#install(step.start);
          for (const [done, store] of [undefined, ...order].entries()) {
            if (store !== undefined) this.#store(store);
            if (done === fetchedAfter) this.#subject.forget();
            const mayBeBad = this.#passesInvalid(step, order.slice(0, done));
            this.#require(this.#world.verdicts(), step, mayBeBad, `${order.map(({ index }) => index)} ${fetchedAfter}`);
          }
        }
      }
    }
    this.#install(transition.to.words);
    this.#subject.settle();
    expect(this.#world.verdicts(), `in the end of ${nameOf(transition)}`).toEqual(this.cold(transition.to.words));
  }

  /** Each transaction alone, since the first may have filled a cache in front of the next. */
  #require(seen: Verdicts, step: Step, mayBeBad: boolean, when: string): void {
    const [old, target] = [this.cold(step.from.words), this.cold(step.to.words)];
    for (const [index, one] of seen.entries()) {
      if (one === old[index] || one === target[index] || (mayBeBad && this.#isBad(one))) continue;
      expect.fail(`a third entry: ${one} ${nameOf(step)} ${when}`);
    }
  }

  /** V=0 before the stores or after some of them. */
  #passesInvalid({ start }: Step, stores: readonly Store[]): boolean {
    return (
      stores.some((_, done) => !this.#subject.isValid(after(start, stores.slice(0, done + 1)))) ||
      !this.#subject.isValid(start)
    );
  }

  #isBad(verdict: string): boolean {
    return verdict.includes(`type=${this.#subject.bad}`);
  }

  #store({ index, value }: Store): void {
    this.#world.machine.poke(this.#subject.address + 8 * index, value);
  }

  #install(words: EntryWords): void {
    this.#world.write(this.#subject.address, words);
    this.#subject.forget();
  }
}

const isSame = (a: Verdicts, b: Verdicts): boolean => a === b || a.every((one, index) => one === b[index]);
const nameOf = ({ from, to }: Pair): string => `${from.name} → ${to.name}`;
