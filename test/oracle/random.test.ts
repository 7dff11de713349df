// The engine and the explanation, which share no code, agree on random configurations: result, fault, record, updates.
// Each case makes three accesses to one page, so that later ones meet the engine's caches; an explanation has none.
// IOMMU_BROKER_ORACLE_CASES sets how many, IOMMU_BROKER_ORACLE_SEED which; the name has the seed.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Explanation } from "../../src/backends/smmuv3/smmu.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { EVENT_QUEUE, PLAIN, type RandomCase, randomCase, type Weights } from "./random-case.ts";
import { explained, planned, told, updates } from "./telling.ts";

const CASES = Number(process.env.IOMMU_BROKER_ORACLE_CASES ?? 2000);
/** From so many cases on, what was reached is told, and nothing may be rare. */
const DEEP = 50_000;
const SEED = Number(process.env.IOMMU_BROKER_ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Steps of the first access that the two tell differently, or undefined. */
function firstDisagreement(seed: bigint, tally = new Map<string, number>(), weights?: Weights): string | undefined {
  const { memory, smmu, transactions, traits } = randomCase(seed, weights);
  for (const trait of traits) count(tally, trait);
  for (const [index, transaction] of transactions.entries()) {
    const explanation = smmu.explain(transaction);
    count(tally, endOf(explanation));
    if (explanation.outcome.kind === "not-covered") return undefined;
    if (explanation.writes.length > 0) count(tally, "descriptor updates");
    memory.changed.clear();
    const before = smmu.read32(REGISTER.EVENTQ_PROD);
    const outcome = smmu.translate(transaction);
    const got = [...told(outcome), ...recordsSince(before, { memory, smmu }), ...updates(memory)];
    const wanted = [...explained(explanation, outcome), ...planned(explanation, memory)];
    if (got.join() === wanted.join()) continue;
    const why = explanation.steps.map(
      (step) => `${step.structure} ${step.raw.map((raw) => raw.toString(16))}: ${step.why}`,
    );
    const ask = `${transaction.access} 0x${transaction.iova.toString(16)} ${transaction.privileged} ${transaction.substreamID}`;
    return [`access ${index}: ${ask}`, `engine  ${got.join(" ")}`, `explain ${wanted.join(" ")}`, ...why].join("\n");
  }
  return undefined;
}

function count(tally: Map<string, number>, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}

/** The fault by type, stage and class, or what else became of it; stalls by themselves. */
function endOf({ outcome }: Explanation): string {
  if (outcome.kind === "ok") return outcome.bypass ? "bypass" : "ok";
  if (outcome.kind === "not-covered") return "not-covered";
  const { fault, kind } = outcome;
  if (fault === undefined) return `${kind} silently`;
  const stall = kind === "stalled" ? " stalled" : kind === "raz-wi" ? " RAZ/WI" : "";
  return `${fault.type} ${fault.stage ?? ""} ${fault.class ?? ""}`.trim() + stall;
}

function recordsSince(before: number, { memory, smmu }: Pick<RandomCase, "memory" | "smmu">): string[] {
  const records: string[] = [];
  for (let at = before; at < smmu.read32(REGISTER.EVENTQ_PROD); at++) {
    const bytes = new Uint8Array(32);
    memory.readBytes(EVENT_QUEUE + at * 32, bytes);
    records.push(Buffer.from(bytes).toString("hex"));
  }
  return records;
}

describe("the engine and the explanation agree", () => {
  test(`on ${CASES} random configurations (seed ${SEED})`, { timeout: 3_600_000 }, () => {
    const tally = new Map<string, number>();
    const property = fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
      expect(firstDisagreement(seed, tally)).toBeUndefined();
    });
    fc.assert(property, {
      numRuns: CASES,
      seed: SEED,
      endOnFailure: true,
    });
    if (CASES < DEEP) return;
    const lines = [...tally].sort(([a], [b]) => a.localeCompare(b)).map(([what, times]) => `${times}\t${what}`);
    process.stdout.write(`what ${CASES} cases reached:\n${lines.join("\n")}\n`);
    for (const what of ENDS) expect(tally.get(what) ?? 0, what).toBeGreaterThanOrEqual(CASES / 2000);
    for (const what of TRAITS) expect(tally.get(what) ?? 0, what).toBeGreaterThanOrEqual(CASES / 100);
  });

  test.each([
    ["a stage 1 pointer above the IPA size is left to stage 2", 0xcef088dbbd4e9272n],
    ["16 KiB tables start at level 1 only from 42 output bits", 0x32fdf449347f17e4n],
    ["EL2 ignores EPD", 0xec86db1c91e4be5dn],
    ["a 16-bit VMID is illegal on an EL1 stream without stage 2 too", 0x55f09b0c47a1fe06n],
    ["a start table of 16 bytes is aligned to 16", 0xf8120e556094e9f4n],
  ])("as they once did not: %s", (_, seed) => {
    expect(firstDisagreement(seed, undefined, PLAIN)).toBeUndefined();
  });

  test("and on 4 KiB tables of stage 2 that start at level 0 concatenated, with S2DS", () => {
    expect(firstDisagreement(10867169616876316558n)).toBeUndefined();
  });

  test("and a few hundred random configurations reach most kinds of end", () => {
    const ends = new Set<string>();
    for (let seed = 0n; seed < 700n; seed++) {
      const { smmu, transactions } = randomCase(seed);
      ends.add(endOf(smmu.explain(transactions[0]!)));
    }
    expect([...ends].sort()).toEqual(expect.arrayContaining(ENDS.slice(0, COMMON)));
  });

  test("and go out with every memory type, and with every shareability", () => {
    const seen = new Set<string>();
    for (let seed = 0n; seed < 1500n; seed++) {
      const { smmu, transactions } = randomCase(seed);
      const { outcome } = smmu.explain(transactions[0]!);
      if (outcome.kind === "ok") seen.add(outcome.attributes.memoryType).add(outcome.attributes.shareability);
    }
    const devices = ["nGnRnE", "nGnRE", "nGRE", "GRE"].map((name) => `Device-${name}`);
    const levels = ["NC", "WT", "WB"];
    const normal = levels.flatMap((inner) => levels.map((outer) => `Normal-i${inner}-o${outer}`));
    expect([...seen].sort()).toEqual([...devices, ...normal, "NSH", "ISH", "OSH"].sort());
  });
});

const ENDS = [
  "ok",
  "bypass",
  "abort silently",
  "C_BAD_STREAMID",
  "C_BAD_STE",
  "C_BAD_SUBSTREAMID",
  "F_STREAM_DISABLED",
  "C_BAD_CD",
  "F_CD_FETCH",
  "F_TRANSLATION 1 IN",
  "F_TRANSLATION 1 IN stalled",
  "F_TRANSLATION 2 IN",
  "F_TRANSLATION 2 CD",
  "F_TRANSLATION 2 TTD",
  "F_ADDR_SIZE 1 IN",
  "F_PERMISSION 1 IN",
  "F_PERMISSION 2 IN",
  "F_PERMISSION 2 CD",
  "F_ACCESS 2 IN",
  // from here on only the deep run asks for them
  "F_WALK_EABT 1 TTD",
  "F_WALK_EABT 2 IN",
  "F_WALK_EABT 2 CD",
  "F_WALK_EABT 2 TTD",
  "F_TRANSLATION 1 IN RAZ/WI",
  "F_TRANSLATION 2 IN stalled",
  "F_ADDR_SIZE 2 IN",
  "F_ADDR_SIZE 2 CD",
  "F_ADDR_SIZE 2 TTD",
  "F_ACCESS 1 IN",
  "F_ACCESS 2 CD",
  "F_ACCESS 2 TTD",
  "F_PERMISSION 1 IN stalled",
  "F_PERMISSION 2 TTD",
];

/** Of ENDS, how many are frequent. */
const COMMON = 19;

/** Properties of configurations, none of which may be rare. */
const TRAITS = [
  "big-endian",
  "little-endian",
  "OAS 40",
  "OAS 52",
  "TTF 3",
  "HTTU 0",
  "HTTU 1",
  "HTTU 2",
  "HTTU 3",
  "Config 4",
  "Config 5",
  "Config 6",
  "Config 7",
  "descriptor updates",
];
