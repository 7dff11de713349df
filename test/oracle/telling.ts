// What the engine did and what the explanation expected, in the same words, to be compared.

import type { Explanation, Outcome } from "../../src/backends/smmuv3/smmu.ts";
import { recordOf } from "./record.ts";

/** Memory that knows what hardware has updated. */
interface ObservedMemory {
  readonly changed: ReadonlySet<number>;
  at(pa: number): bigint | undefined;
}

export function told(outcome: Outcome): string[] {
  if (outcome.kind !== "ok") return [outcome.kind, outcome.fault?.type ?? "silent"];
  return success(outcome);
}

export function updates(memory: ObservedMemory): string[] {
  return [...memory.changed].sort((a, b) => a - b).map((pa) => `${pa}=${memory.at(pa)}`);
}

/** The two count in numbers and in bigints, which read the same. */
export function success(outcome: Extract<Outcome | Explanation["outcome"], { kind: "ok" }>): string[] {
  const { memoryType, shareability, allocation } = outcome.attributes;
  const attributes = [memoryType, shareability, allocation];
  return ["ok", outcome.pa, outcome.pageBytes, outcome.ipa ?? "no IPA", outcome.bypass, ...attributes].map(String);
}

export function explained({ outcome }: Explanation, got: Outcome): string[] {
  if (outcome.kind === "not-covered") return [];
  if (outcome.kind === "ok") return success(outcome);
  const { kind, fault, recorded } = outcome;
  const stag = got.kind === "stalled" ? got.stag : 0; // the STAG is the engine's to choose
  const record = recorded && fault !== undefined ? [recordOf(fault, kind === "stalled" ? stag : undefined)] : [];
  return [kind, fault?.type ?? "silent", ...record];
}

export function planned({ writes }: Explanation, memory: ObservedMemory): string[] {
  const sorted = [...writes].sort((a, b) => Number(a.address - b.address));
  return sorted
    .filter(({ address }) => memory.at(Number(address)) !== undefined)
    .map(({ address, value }) => `${address}=${value}`);
}
