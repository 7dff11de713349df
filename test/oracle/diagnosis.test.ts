// Every fault that a random configuration records is diagnosed, at once, as what it was: the walk comes to the same end.
// IOMMU_BROKER_ORACLE_CASES sets how many, IOMMU_BROKER_ORACLE_SEED which; the name has the seed.

import fc from "fast-check";
import { expect, test } from "vitest";
import { REGISTER } from "../../src/spec/registers.ts";
import { diagnoseRaw } from "../support/raw-fault.ts";
import { EVENT_QUEUE, randomCase } from "./random-case.ts";

const CASES = Number(process.env.IOMMU_BROKER_ORACLE_CASES ?? 2000);
const SEED = Number(process.env.IOMMU_BROKER_ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Adds the rules that were broken; gives what was not said to be reproduced. */
function notReproduced(seed: bigint, rules: Set<string>): string[] {
  const { memory, smmu, transactions } = randomCase(seed);
  const wrong: string[] = [];
  let at = smmu.read32(REGISTER.EVENTQ_PROD);
  for (const transaction of transactions) {
    if (smmu.explain(transaction).outcome.kind === "not-covered") return wrong;
    smmu.translate(transaction);
    for (; at < smmu.read32(REGISTER.EVENTQ_PROD); at += 1) {
      const bytes = new Uint8Array(32);
      memory.readBytes(EVENT_QUEUE + at * 32, bytes);
      const diagnosis = diagnoseRaw(smmu, transaction.streamID, bytes);
      if (diagnosis.verdict === "reproduced") {
        rules.add(diagnosis.cause.rule);
      } else wrong.push(`${Buffer.from(bytes).toString("hex")}: ${diagnosis.summary}`);
    }
  }
  return wrong;
}

test(`of ${CASES} random configurations every recorded fault is reproduced (seed ${SEED})`, {
  timeout: 3_600_000,
}, () => {
  const rules = new Set<string>();
  const property = fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
    expect(notReproduced(seed, rules)).toEqual([]);
  });
  fc.assert(property, { numRuns: CASES, seed: SEED, endOnFailure: true });
  expect(rules.size, "rules reached").toBeGreaterThan(CASES >= 2000 ? 30 : 0);
});
