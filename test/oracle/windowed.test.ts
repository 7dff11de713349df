// The ways that read tables through windows of memory: engine and explanation agree while caches are warm.
// Sequences of accesses, single descriptors written and invalidated by the narrowest command that suffices, structures
// written anew, regions taken away. IOMMU_BROKER_ORACLE_CASES / 5 sequences, 300 at least, IOMMU_BROKER_ORACLE_SEED which.
// Source: IHI 0070G.b §3.3.3, §3.17, §4.3, §4.4.

import { afterAll, beforeAll, expect, test } from "vitest";
import { NestedWalk } from "../../src/backends/smmuv3/nested-walk.ts";
import type { Transaction } from "../../src/backends/smmuv3/smmu.ts";
import { TableWalk } from "../../src/backends/smmuv3/walk.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { Chance } from "./chance.ts";
import { explained, planned, told, updates } from "./telling.ts";
import { ASIDS, COMMAND_QUEUE, EVENT_QUEUE, VMIDS, WindowedCase } from "./windowed-case.ts";
import { TABLE_REGIONS } from "./windowed-memory.ts";
import type { Leaf } from "./windowed-tables.ts";

const SEQUENCES = Math.max(300, Number(process.env.IOMMU_BROKER_ORACLE_CASES ?? 0) / 5);
const SEED = Number(process.env.IOMMU_BROKER_ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = 48;
const SYNC: Command = [0x46n, 0n];

type Command = readonly [lo: bigint, hi: bigint];

class WindowedSequence {
  readonly #chance: Chance;
  readonly #case: WindowedCase;
  readonly #tally: Map<string, number>;
  #commands = 0;
  #eventsRead = 0;
  #isCut = false;
  /** Whose accesses follow each other: a route is remembered for the last only. */
  #stream = 0;
  /** Eight pages below one leaf table: what follows each other is mostly near. */
  #area = 0;
  #substream: { substreamID: number } | undefined;

  constructor(seed: bigint, tally: Map<string, number>) {
    this.#chance = new Chance(seed);
    this.#case = new WindowedCase(this.#chance);
    this.#tally = tally;
  }

  run(): void {
    const chance = this.#chance;
    const lastSteps = chance.oneIn(8) ? 6 : 0;
    for (let step = 0; step < STEPS; step++) {
      if (chance.oneIn(8)) this.#changeOrigin();
      if (chance.oneIn(12)) this.#rewriteLeaf();
      if (!this.#isCut && chance.oneIn(40)) this.#rewriteStructures();
      if (step === STEPS - lastSteps) this.#removeRegion();
      this.#access();
    }
  }

  #access(): void {
    const { memory, smmu } = this.#case;
    const transaction = this.#transaction();
    let explanation = smmu.explain(transaction);
    if (this.#isCut && explanation.outcome.kind === "abort" && explanation.outcome.fault?.class === "CD") {
      // a cached CD needs none of the tables that lead to it; fetched anew, it does
      if (smmu.translate(transaction).kind === "ok") this.#count("cached CDs that still served");
      this.#records();
      this.#command([0x04n, 31n]);
      this.#command(SYNC);
      explanation = smmu.explain(transaction);
    }
    if (explanation.outcome.kind === "not-covered") return;
    memory.changed.clear();
    const outcome = smmu.translate(transaction);
    this.#count(outcome.kind === "ok" ? "ok" : (outcome.fault?.type ?? "silent"));
    const records = this.#records();
    const got = [...told(outcome), ...records, ...updates(memory)];
    const wanted = [...explained(explanation, outcome), ...planned(explanation, memory)];
    if (got.join() === wanted.join()) return;
    const why = explanation.steps.map(
      ({ structure, raw, why }) => `${structure} ${raw.map((each) => each.toString(16))}: ${why}`,
    );
    const { iova, ...rest } = transaction;
    expect(got, `0x${iova.toString(16)} ${JSON.stringify(rest)}\n${why.join("\n")}`).toEqual(wanted);
  }

  #transaction(): Transaction {
    const chance = this.#chance;
    const { tables, sizes } = this.#case;
    const pages = this.#stream === 3 ? tables.ipas : tables.inputs;
    if (chance.oneIn(8)) this.#area = chance.below(Math.floor(pages.length / 8));
    const area = 8 * Math.min(this.#area, Math.floor(pages.length / 8) - 1);
    const address = BigInt(pages[area + chance.below(8)]!) + chance.bits(12);
    const beyond = chance.oneIn(30)
      ? chance.pick(1n << BigInt(sizes.inputBits), 0x55n << 56n, 1n << 55n, 1n << 21n)
      : 0n;
    return {
      streamID: this.#stream,
      ...this.#substream,
      iova: address ^ beyond,
      access: chance.pick("read", "read", "write", "execute"),
      privileged: chance.oneIn(3),
      ...(chance.oneIn(3) ? { attributes: Number(chance.bits(10)) } : {}),
    };
  }

  #changeOrigin(): void {
    const chance = this.#chance;
    this.#stream = chance.pick(0, 0, 0, 1, 1, 2, 3);
    this.#substream = this.#stream === 3 || chance.oneIn(2) ? undefined : { substreamID: 1 };
  }

  /** One descriptor, and what §3.17 and §4.4 ask to be invalidated for it. */
  #rewriteLeaf(): void {
    const { memory, tables } = this.#case;
    const leaf = this.#chance.pick(tables.leaves[0]!, ...tables.leaves);
    const old = memory.at(leaf.pa);
    if (old === undefined) return;
    memory.put(leaf.pa, [tables.redrawn(leaf)]);
    for (const command of this.#invalidation(leaf, (old & (1n << 11n)) === 0n)) this.#command(command);
    this.#command(SYNC);
    this.#count("descriptors written");
  }

  /** @param isGlobal  what was there was for all ASIDs */
  #invalidation(leaf: Leaf, isGlobal: boolean): Command[] {
    const chance = this.#chance;
    const address = BigInt(leaf.input);
    const all: Command[] = [[0x30n, 0n]];
    if (leaf.stage === 2) {
      const vmid = BigInt(VMIDS[leaf.set]) << 32n;
      return chance.pick<Command[]>(
        all,
        [[0x28n | vmid, 0n]],
        [
          [0x2an | vmid, address],
          [0x10n | vmid, 0n],
        ],
      );
    }
    const each = (command: (vmid: bigint) => Command): Command[] => VMIDS.map((vmid) => command(BigInt(vmid) << 32n));
    const ofAll = each((vmid) => [0x10n | vmid, 0n]);
    if (leaf.kind === "table") return chance.pick(all, ofAll);
    const isLeaf = chance.flag();
    const byAnyASID = each((vmid) => [0x13n | vmid, address | isLeaf]);
    const asids = ASIDS.map((asid) => BigInt(asid) << 48n);
    const byASID = (of: readonly bigint[]): Command[] =>
      of.flatMap((asid) => each((vmid) => [0x12n | vmid | asid, address | isLeaf]));
    // of a global entry any one ASID will do; stage 1 alone has these tables with the other ASID
    if (isGlobal) return chance.pick(all, ofAll, byAnyASID, byASID([chance.pick(asids[0]!, ...asids)]));
    const ofASIDs = asids.flatMap((asid) => each((vmid) => [0x11n | vmid | asid, 0n]));
    return chance.pick(all, ofAll, byAnyASID, byASID(asids), ofASIDs);
  }

  /** STEs or CDs drawn anew, invalidated one by one or all at once, and the TLBs with them. */
  #rewriteStructures(): void {
    const chance = this.#chance;
    const streams = [0n, 1n, 2n, 3n].map((stream) => stream << 32n);
    const everything: Command[] = [[0x04n, 31n]];
    if (chance.oneIn(2)) {
      this.#case.writeContexts();
      const one = streams.flatMap((stream): Command[] => [
        [0x05n | stream, 1n],
        [0x05n | (1n << 12n) | stream, 1n],
      ]);
      const each = streams.map((stream): Command => [0x06n | stream, 0n]);
      for (const command of chance.pick(everything, one, each)) this.#command(command);
    } else {
      this.#case.writeStreams(chance.oneIn(3) ? 1 : 0);
      const each = streams.map((stream): Command => [0x03n | stream, 1n]);
      for (const command of chance.pick(everything, each)) this.#command(command);
    }
    this.#command([0x30n, 0n]);
    this.#command(SYNC);
    this.#count("structures written");
  }

  /** What was read through a window that closed is no longer there. */
  #removeRegion(): void {
    this.#isCut = true;
    this.#case.memory.remove(this.#chance.pick(...TABLE_REGIONS));
    this.#command([0x30n, 0n]);
    this.#command(SYNC);
    this.#count("regions removed");
  }

  #command(command: Command): void {
    const { memory, smmu } = this.#case;
    memory.put(COMMAND_QUEUE + 16 * (this.#commands % 32), command);
    this.#commands = (this.#commands + 1) % 64;
    smmu.write32(REGISTER.CMDQ_PROD, this.#commands);
    expect(smmu.read32(REGISTER.CMDQ_CONS), `command ${command[0].toString(16)}`).toBe(this.#commands);
  }

  #records(): string[] {
    const { memory, smmu } = this.#case;
    const records: string[] = [];
    const prod = smmu.read32(REGISTER.EVENTQ_PROD);
    for (; this.#eventsRead !== prod; this.#eventsRead = (this.#eventsRead + 1) % 64) {
      const bytes = new Uint8Array(32);
      memory.readBytes(EVENT_QUEUE + 32 * (this.#eventsRead % 32), bytes);
      records.push(Buffer.from(bytes).toString("hex"));
    }
    smmu.write32(REGISTER.EVENTQ_CONS, prod);
    return records;
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }
}

/** How often each way answered, seen from outside: they go on as they are. */
const ways = { nested: 0, nestedAsked: 0, plain: 0, plainAsked: 0 };
const { run: runNested } = NestedWalk.prototype;
const { run: runWhole, runDirect } = TableWalk.prototype;
let wholeRuns = 0;

beforeAll(() => {
  NestedWalk.prototype.run = function (hi, lo, need) {
    const hasAnswer = runNested.call(this, hi, lo, need);
    ways.nestedAsked += 1;
    if (hasAnswer) ways.nested += 1;
    return hasAnswer;
  };
  TableWalk.prototype.run = function (format, inHi, inLo) {
    wholeRuns += 1;
    return runWhole.call(this, format, inHi, inLo);
  };
  TableWalk.prototype.runDirect = function (format, inHi, inLo) {
    const before = wholeRuns;
    const result = runDirect.call(this, format, inHi, inLo);
    ways.plainAsked += 1;
    if (wholeRuns === before) ways.plain += 1;
    return result;
  };
});

afterAll(() => {
  Object.assign(NestedWalk.prototype, { run: runNested });
  Object.assign(TableWalk.prototype, { run: runWhole, runDirect });
});

test(`${SEQUENCES} sequences over windows agree with explanations (seed ${SEED})`, { timeout: 3_600_000 }, () => {
  const tally = new Map<string, number>();
  for (let index = 0; index < SEQUENCES; index++) {
    const seed = BigInt(SEED) * 1_000_003n + BigInt(index);
    try {
      new WindowedSequence(seed, tally).run();
    } catch (error) {
      throw new Error(`sequence ${seed}`, { cause: error });
    }
  }
  process.stdout.write(`${JSON.stringify(ways)} ${JSON.stringify(Object.fromEntries(tally))}\n`);
  expect(ways.nested, "answers of the nested walk").toBeGreaterThan(SEQUENCES);
  expect(ways.plain, "answers of the plain walk").toBeGreaterThan(10 * SEQUENCES);
  for (const what of [
    "ok",
    "F_TRANSLATION",
    "F_ADDR_SIZE",
    "F_ACCESS",
    "F_PERMISSION",
    "F_WALK_EABT",
    "descriptors written",
  ]) {
    expect(tally.get(what) ?? 0, what).toBeGreaterThan(SEQUENCES / 4);
  }
});
