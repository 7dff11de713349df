// Sequences: accesses, guest writes with their invalidations, RESUME, a small event queue. Caches stay warm in between; the
// explanation is asked afresh each time, and a queue of a few lines says which records must be where.
// IOMMU_BROKER_ORACLE_CASES / 10 sequences, IOMMU_BROKER_ORACLE_SEED which; the failure names the seed.
// Source: IHI 0070G.b §3.12.2, §4.3, §4.4, §4.7.1, §7.2.1, §7.4.

import { expect, test } from "vitest";
import type { Transaction } from "../../src/backends/smmuv3/smmu.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { Chance } from "./chance.ts";
import { EVENT_QUEUE, type RandomCase, randomCase, weightsOf } from "./random-case.ts";
import { recordOf } from "./record.ts";
import { explained, planned, success, told, updates } from "./telling.ts";

const SEQUENCES = Number(process.env.IOMMU_BROKER_ORACLE_CASES ?? 2000) / 10;
const SEED = Number(process.env.IOMMU_BROKER_ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = 24;
const COMMAND_QUEUE = 0x0700_0000;
const EVENTS_LOG2 = 1;
const STALL_MAX = 16; // IDR5 of random-case.ts
const WRAP = 2 ** (EVENTS_LOG2 + 1);

/** Thrown to leave a sequence that the explanation does not cover. */
class NotCovered extends Error {}

interface Held {
  readonly stag: number;
  readonly transaction: Transaction;
}

/** §7.4 in a few lines: what PROD and the entries must be. */
class ExpectedQueue {
  prod = 0;
  cons = 0;
  isOverflowed = false;
  readonly entries = new Map<number, string>();
  readonly waiting: Held[] = [];

  get isFull(): boolean {
    return this.prod !== this.cons && this.prod % 2 ** EVENTS_LOG2 === this.cons % 2 ** EVENTS_LOG2;
  }

  write(record: string): void {
    this.entries.set(this.prod % 2 ** EVENTS_LOG2, record);
    this.prod = (this.prod + 1) % WRAP;
  }

  /** A record that no stall stands behind is lost when there is no room; OVACKFLG follows OVFLG at each reading. */
  offer(record: string): void {
    if (this.isFull) this.isOverflowed = true;
    else this.write(record);
  }
}

class Sequence {
  readonly #case: RandomCase;
  readonly #chance: Chance;
  readonly #tally: Map<string, number>;
  readonly #queue = new ExpectedQueue();
  readonly #held: Held[] = [];
  #overflowFlag = 0;
  #commands = 0;

  constructor(seed: bigint, tally: Map<string, number>) {
    this.#case = randomCase(seed, { ...weightsOf(seed), isLegal: true });
    this.#chance = new Chance(seed ^ 0x77n);
    this.#tally = tally;
    const { smmu } = this.#case;
    const cr0 = smmu.read32(REGISTER.CR0);
    smmu.write32(REGISTER.CR0, 0);
    smmu.write64(REGISTER.CMDQ_BASE, BigInt(COMMAND_QUEUE) + 5n);
    smmu.write64(REGISTER.EVENTQ_BASE, BigInt(EVENT_QUEUE) + BigInt(EVENTS_LOG2));
    smmu.write32(REGISTER.CR0, cr0 | 8);
  }

  run(): void {
    const acts = [
      () => this.#access(),
      () => this.#access(),
      () => this.#access(),
      () => this.#change(),
      () => this.#answer(),
      () => this.#consume(),
    ];
    for (let step = 0; step < STEPS; step++) {
      acts[this.#chance.below(acts.length)]?.();
      this.#compareQueue(step);
    }
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }

  #access(): void {
    const { transactions, smmu } = this.#case;
    const chosen = this.#chance.pick(transactions[0]!, ...transactions);
    const transaction = { ...chosen, access: this.#chance.pick("read", "read", "write", "execute") } as const;
    this.#judge(transaction, () => smmu.translate(transaction));
  }

  /** Engine and explanation on one transaction, first come or retried. */
  #judge(transaction: Transaction, act: () => ReturnType<RandomCase["smmu"]["translate"]>): void {
    const { memory, smmu } = this.#case;
    const explanation = smmu.explain(transaction);
    if (explanation.outcome.kind === "not-covered") throw new NotCovered();
    // with no stall left to hold it, a transaction is terminated instead, which the explanation cannot know (§5.5)
    if (explanation.outcome.kind === "stalled" && this.#held.length === STALL_MAX) return;
    memory.changed.clear();
    const outcome = act();
    const isStalled = outcome.kind === "stalled";
    const wanted = explained(explanation, outcome);
    const records = wanted.filter((each) => /^[0-9a-f]{64}$/.test(each));
    expect([...told(outcome), ...updates(memory)]).toEqual([
      ...wanted.filter((each) => !records.includes(each)),
      ...planned(explanation, memory),
    ]);
    this.#count(outcome.kind);
    if (isStalled) {
      const held = { stag: outcome.stag, transaction };
      this.#held.push(held);
      if (this.#queue.isFull) {
        this.#queue.waiting.push(held);
        this.#count("stall that waits");
      } else this.#queue.write(records[0]!);
    } else {
      if (this.#queue.isFull && records.length > 0) this.#count("record lost");
      for (const record of records) this.#queue.offer(record);
    }
  }

  /** CMD_RESUME of a stall whose record was written: retry, or terminate. */
  #answer(): void {
    const { smmu } = this.#case;
    const place = this.#held.findIndex((each) => !this.#queue.waiting.includes(each));
    const [held] = place < 0 ? [] : this.#held.splice(place, 1);
    if (held === undefined) return;
    const lo = 0x44n | (BigInt(held.transaction.streamID) << 32n);
    if (this.#chance.oneIn(2)) {
      this.#command(lo | (1n << 13n), BigInt(held.stag));
      expect(smmu.takeResumed().map(({ outcome }) => outcome.kind)).toEqual(["abort"]);
      this.#count("terminated");
      return;
    }
    this.#judge(held.transaction, () => {
      this.#command(lo | (1n << 12n), BigInt(held.stag));
      const [resumed] = smmu.takeResumed();
      if (resumed === undefined) throw new Error("the retried transaction has no answer");
      return resumed.outcome;
    });
    this.#count("retried");
  }

  /** Software reads all records and acknowledges; what waits is retried, in its order. */
  #consume(): void {
    const { smmu } = this.#case;
    const queue = this.#queue;
    queue.cons = queue.prod;
    const before = this.#overflowFlag;
    if (queue.isOverflowed) this.#count("overflow acknowledged");
    this.#overflowFlag = smmu.read32(REGISTER.EVENTQ_PROD) >= 2 ** 31 ? 1 : 0;
    expect(this.#overflowFlag).toBe(queue.isOverflowed ? 1 - before : before);
    queue.isOverflowed = false;
    const expected = this.#flushed();
    smmu.write32(REGISTER.EVENTQ_CONS, queue.cons + this.#overflowFlag * 2 ** 31);
    const resumed = smmu.takeResumed().map(({ stag, outcome }) => [stag, ...told(outcome)].join(" "));
    expect(resumed).toEqual(expected);
  }

  /** What the stalls that waited come to, by explanations of now; their updates are the engine's, so only without HTTU. */
  #flushed(): string[] {
    const { smmu } = this.#case;
    const queue = this.#queue;
    const answers: string[] = [];
    while (!queue.isFull) {
      const held = queue.waiting.shift();
      if (held === undefined) return answers;
      const explanation = smmu.explain(held.transaction);
      if (explanation.outcome.kind === "not-covered" || explanation.writes.length > 0) throw new NotCovered();
      const { outcome } = explanation;
      if (outcome.kind === "stalled" && outcome.fault !== undefined) {
        queue.write(recordOf(outcome.fault, held.stag));
        continue;
      }
      this.#held.splice(this.#held.indexOf(held), 1);
      this.#count("early retry");
      const words = outcome.kind === "ok" ? success(outcome) : [outcome.kind, outcome.fault?.type ?? "silent"];
      answers.push([held.stag, ...words].join(" "));
      if (outcome.kind !== "ok" && outcome.recorded && outcome.fault !== undefined) {
        queue.offer(recordOf(outcome.fault));
      }
    }
    return answers;
  }

  /** One structure that a translation reads is written, and invalidated as §4.3 and §4.4 ask. */
  #change(): void {
    const { memory, smmu, transactions } = this.#case;
    const chance = this.#chance;
    const { streamID, substreamID } = transactions[0]!;
    const steps = smmu.explain(transactions[0]!).steps.filter((step) => step.pa !== undefined);
    const step = steps[chance.below(Math.max(steps.length, 1))];
    if (step?.pa === undefined) return;
    const at = Number(step.pa) + (step.raw.length > 1 ? 8 * chance.below(3) : 0);
    const value = memory.at(at);
    if (value === undefined) return;
    const [bit, other] = [BigInt(chance.below(64)), BigInt(chance.below(12))];
    memory.put(at, [value ^ (1n << bit) ^ (chance.oneIn(2) ? 1n << other : 0n)]);
    this.#count("guest write");
    const sid = BigInt(streamID) << 32n;
    const ofCds: readonly [bigint, bigint][] = [
      [0x05n | (BigInt(substreamID ?? 0) << 12n) | sid, 1n],
      [0x06n | sid, 0n],
    ];
    const [lo, hi] = chance.pick<[bigint, bigint]>(
      [0x03n | sid, 1n],
      [0x04n, 31n],
      ...(step.structure === "CD" ? ofCds : []),
    );
    this.#command(lo, hi);
    this.#command(0x30n, 0n);
    const hasHyp = Math.floor(smmu.read32(REGISTER.IDR0) / 512) % 2 === 1;
    const hasStage1 = Math.floor(smmu.read32(REGISTER.IDR0) / 2) % 2 === 1;
    if (hasHyp && hasStage1) this.#command(0x20n, 0n);
    this.#command(0x46n, 0n);
  }

  #command(lo: bigint, hi: bigint): void {
    const { memory, smmu } = this.#case;
    if ((lo & 0xffn) < 7n && (lo & 0xffn) > 4n && Math.floor(smmu.read32(REGISTER.IDR0) / 2) % 2 === 0) {
      this.#command(0x04n, 31n); // CMD_CFGI_CD* are illegal without stage 1
      return;
    }
    memory.put(COMMAND_QUEUE + 16 * (this.#commands % 32), [lo, hi]);
    this.#commands = (this.#commands + 1) % 64;
    smmu.write32(REGISTER.CMDQ_PROD, this.#commands);
    expect(smmu.read32(REGISTER.CMDQ_CONS), `command ${lo.toString(16)}`).toBe(this.#commands);
  }

  #compareQueue(step: number): void {
    const { memory, smmu } = this.#case;
    const queue = this.#queue;
    const flag = queue.isOverflowed ? 1 - this.#overflowFlag : this.#overflowFlag;
    expect(smmu.read32(REGISTER.EVENTQ_PROD), `PROD after step ${step}`).toBe(queue.prod + flag * 2 ** 31);
    for (const [index, record] of queue.entries) {
      const bytes = new Uint8Array(32);
      memory.readBytes(EVENT_QUEUE + index * 32, bytes);
      expect(Buffer.from(bytes).toString("hex"), `entry ${index} after step ${step}`).toBe(record);
    }
  }
}

test(`${SEQUENCES} sequences agree with explanations from cold caches (seed ${SEED})`, { timeout: 3_600_000 }, () => {
  const tally = new Map<string, number>();
  for (let index = 0; index < SEQUENCES; index++) {
    const seed = BigInt(SEED) * 1_000_003n + BigInt(index);
    try {
      new Sequence(seed, tally).run();
    } catch (error) {
      if (error instanceof NotCovered) continue;
      throw new Error(`sequence ${seed}`, { cause: error });
    }
  }
  const kinds = ["ok", "abort", "stalled", "guest write", "record lost", "overflow acknowledged"];
  const ofStalls = ["stall that waits", "retried", "terminated"];
  for (const what of [...kinds, ...ofStalls]) expect(tally.get(what) ?? 0, what).toBeGreaterThan(SEQUENCES / 20);
});
