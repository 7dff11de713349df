// ATS: the engine and the explanation, which share no code, agree on random configurations: answer, record, updates.
// Each case makes three translation requests to one page, each followed by translated transactions.
// IOMMU_BROKER_ORACLE_CASES sets how many, IOMMU_BROKER_ORACLE_SEED which; the name has the seed.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outcome, ResponseExplanation, Transaction, TranslationResponse } from "../../src/backends/smmuv3/smmu.ts";
import { REGISTER } from "../../src/spec/registers.ts";
import { EVENT_QUEUE, PLAIN, type RandomCase, randomCase } from "./random-case.ts";
import { recordOf } from "./record.ts";
import { success } from "./telling.ts";

/** A case here is many: six explained requests to find it, then nine accesses. */
const CASES = Math.ceil(Number(process.env.IOMMU_BROKER_ORACLE_CASES ?? 2000) / 4);
const SEED = Number(process.env.IOMMU_BROKER_ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));

interface Told {
  readonly got: readonly string[];
  readonly wanted: readonly string[];
  readonly why: readonly string[];
}

/** The first of a few cases that grants something, else the last: most random tables lead nowhere. */
function likelyCase(seed: bigint): RandomCase {
  for (let nth = 0n; nth < 5n; nth++) {
    const one = randomCase(seed + nth, PLAIN, true);
    const { iova, streamID, substreamID } = one.transactions[0]!;
    const pasid = substreamID === undefined ? {} : { substreamID };
    const request = { streamID, ...pasid, iova, noWrite: true, execute: false, privileged: false };
    const { response } = one.smmu.explainTranslationRequest(request);
    if (response.kind === "success" && response.read) return one;
  }
  return randomCase(seed + 5n, PLAIN, true);
}

/** What the two tell differently, or undefined. */
function firstDisagreement(seed: bigint): string | undefined {
  const one = likelyCase(seed);
  for (const [index, transaction] of one.transactions.entries()) {
    const { streamID, iova, privileged, access } = transaction;
    const pasid = transaction.substreamID === undefined ? {} : { substreamID: transaction.substreamID };
    const noWrite = access === "read" || (access === "execute" && index % 2 === 0);
    const request = { streamID, ...pasid, iova, noWrite, privileged, execute: access === "execute" };
    const explanation = one.smmu.explainTranslationRequest(request);
    if (explanation.response.kind === "not-covered") return undefined;
    const requested = requestOf(one, explanation, () => one.smmu.translationRequest(request));
    const { response } = explanation;
    const reached = response.kind === "success" && response.read ? response.address : iova;
    const passed = [reached, iova].map((at) => translatedOf(one, { ...transaction, iova: at, translated: true }));
    for (const told of [requested, ...passed]) {
      if (told === undefined || told.got.join() === told.wanted.join()) continue;
      const ask = `0x${iova.toString(16)} ${access} NW=${noWrite} ${privileged} ${transaction.substreamID}`;
      return [
        `request ${index}: ${ask}`,
        `engine  ${told.got.join(" ")}`,
        `explain ${told.wanted.join(" ")}`,
        ...told.why,
      ].join("\n");
    }
  }
  return undefined;
}

function requestOf(
  one: RandomCase,
  { response, writes, steps }: ResponseExplanation,
  ask: () => TranslationResponse,
): Told {
  one.memory.changed.clear();
  const before = one.smmu.read32(REGISTER.EVENTQ_PROD);
  const answer = ask();
  const got: string[] = [answer.kind];
  const wanted: string[] = [response.kind];
  if (answer.kind === "success") {
    got.push(`${answer.address} ${2 ** answer.sizeLog2} ${answer.read} ${answer.write} ${answer.execute}`);
    // an answer without rights may or may not have set Access flags (§3.13.2)
    if (answer.read || answer.write) got.push(...updates(one));
  } else got.push(answer.fault?.type ?? "silent");
  if (response.kind === "success") {
    wanted.push(`${response.address} ${response.bytes} ${response.read} ${response.write} ${response.execute}`);
    if (response.read || response.write) wanted.push(...planned(one, writes));
  } else if (response.kind !== "not-covered") {
    wanted.push(response.fault?.type ?? "silent");
    if (response.fault !== undefined && response.recorded) wanted.push(recordOf(response.fault));
  }
  got.push(...recordsSince(before, one));
  return { got, wanted, why: told(steps) };
}

function translatedOf(one: RandomCase, transaction: Transaction): Told | undefined {
  const { outcome, writes, steps } = one.smmu.explain(transaction);
  if (outcome.kind === "not-covered") return undefined;
  one.memory.changed.clear();
  const before = one.smmu.read32(REGISTER.EVENTQ_PROD);
  const got = [...ended(one.smmu.translate(transaction)), ...recordsSince(before, one), ...updates(one)];
  const wanted = outcome.kind === "ok" ? success(outcome) : [outcome.kind, outcome.fault?.type ?? "silent"];
  if (outcome.kind !== "ok" && outcome.fault !== undefined && outcome.recorded) wanted.push(recordOf(outcome.fault));
  wanted.push(...planned(one, writes));
  return { got, wanted, why: told(steps) };
}

function ended(outcome: Outcome): string[] {
  if (outcome.kind !== "ok") return [outcome.kind, outcome.fault?.type ?? "silent"];
  return success(outcome);
}

function told(steps: ResponseExplanation["steps"]): string[] {
  return steps.map((step) => `${step.structure} ${step.raw.map((raw) => raw.toString(16))}: ${step.why}`);
}

function recordsSince(before: number, { memory, smmu }: RandomCase): string[] {
  const records: string[] = [];
  for (let at = before; at < smmu.read32(REGISTER.EVENTQ_PROD); at++) {
    const bytes = new Uint8Array(32);
    memory.readBytes(EVENT_QUEUE + at * 32, bytes);
    records.push(Buffer.from(bytes).toString("hex"));
  }
  return records;
}

function updates({ memory }: RandomCase): string[] {
  return [...memory.changed].sort((a, b) => a - b).map((pa) => `${pa}=${memory.at(pa)}`);
}

function planned({ memory }: RandomCase, writes: ResponseExplanation["writes"]): string[] {
  const sorted = [...writes].sort((a, b) => Number(a.address - b.address));
  return sorted
    .filter(({ address }) => memory.at(Number(address)) !== undefined)
    .map(({ address, value }) => `${address}=${value}`);
}

describe("the engine and the explanation agree on ATS", () => {
  test(`on ${CASES} random configurations (seed ${SEED})`, { timeout: 3_600_000 }, () => {
    const property = fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
      expect(firstDisagreement(seed)).toBeUndefined();
    });
    fc.assert(property, { numRuns: CASES, seed: SEED, endOnFailure: true });
  });

  test("and random configurations reach every kind of answer", () => {
    const ends = new Set<string>();
    for (let seed = 0n; seed < 1800n; seed++) {
      const { smmu, transactions } = randomCase(seed, PLAIN, true);
      const { iova, streamID, substreamID } = transactions[0]!;
      const pasid = substreamID === undefined ? {} : { substreamID };
      const { response } = smmu.explainTranslationRequest({
        ...{ streamID, ...pasid, iova },
        noWrite: seed % 2n === 0n,
        execute: seed % 3n !== 0n,
        privileged: seed % 5n === 0n,
      });
      if (response.kind !== "success") {
        if (response.kind !== "not-covered") ends.add(`${response.kind} ${response.fault?.type ?? "silent"}`);
      } else ends.add(`${response.read ? "R" : "-"}${response.write ? "W" : "-"}${response.execute ? "X" : "-"}`);
      const { outcome } = smmu.explain({ ...transactions[0]!, translated: true });
      if (outcome.kind !== "not-covered")
        ends.add(`translated ${outcome.kind === "ok" ? (outcome.bypass ? "past" : "stage 2") : outcome.fault?.type}`);
    }
    expect([...ends].sort()).toEqual(expect.arrayContaining(ENDS));
  });
});

const ENDS = [
  "---",
  "R--",
  "RW-",
  "R-X",
  "unsupported-request silent",
  "unsupported-request F_BAD_ATS_TREQ",
  "completer-abort C_BAD_STREAMID",
  "completer-abort C_BAD_STE",
  "completer-abort C_BAD_SUBSTREAMID",
  "completer-abort F_STREAM_DISABLED",
  "completer-abort C_BAD_CD",
  "completer-abort F_WALK_EABT",
  "translated past",
  "translated stage 2",
  "translated F_TRANSL_FORBIDDEN",
  "translated F_TRANSLATION",
  "translated F_PERMISSION",
  "translated C_BAD_SUBSTREAMID",
];
