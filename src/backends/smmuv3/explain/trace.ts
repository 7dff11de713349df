// What an explanation writes down: each structure that was read, what it says, and what followed from it.
// Descriptor updates (§3.13) are kept here and never written: later reads of the same translation see them.
// Source: IHI 0070G.b §3.3; faults in the words of §7.3.

import { type Field, getU64, wordsOf } from "../../../spec/layout.ts";
import type { Fault, FaultClass, StageFault } from "../fault.ts";
import type { MemoryAttributes } from "../transaction.ts";
import type { Refusal } from "./refusal.ts";

/** Memory as an explanation needs it: the little-endian doubleword at a physical address, undefined for an external abort. */
export type Read64 = (pa: bigint) => bigint | undefined;

/** What stage 2 was asked, and what a walk that came to its end answered. */
export interface Stage2Question {
  readonly ipa: bigint;
  readonly class: FaultClass;
  readonly access: "read" | "write" | "execute";
  readonly answer?: {
    readonly pa: bigint;
    readonly pageBytes: bigint;
    readonly readable: boolean;
    readonly writable: boolean;
  };
}

/** One thing looked at, and what was decided. */
export interface Step {
  /** "STE", "stage 1 level 2 descriptor", "registers"… */
  readonly structure: string;
  /** Where it lies; absent for what is not in memory. */
  readonly pa?: bigint;
  /** Where the tables say it lies, when stage 2 stands between. */
  readonly ipa?: bigint;
  /** Doublewords, in the order of the fields: after the byte swap of big-endian tables. */
  readonly raw: readonly bigint[];
  readonly fields: Readonly<Record<string, bigint>>;
  /** What was decided and why, one sentence. */
  readonly why: string;
  readonly section: string;
  /** On every step of stage 2; the answer on the last one of a walk. */
  readonly stage2?: Stage2Question;
}

export interface MemoryWrite {
  readonly address: bigint;
  /** As it lies in memory, little-endian. */
  readonly value: bigint;
}

export type ExplainedOutcome =
  | {
      readonly kind: "ok";
      readonly pa: bigint;
      /** 0 when bypassed. */
      readonly pageBytes: bigint;
      /** What stage 2 was given, when it translated. */
      readonly ipa?: bigint;
      readonly bypass: boolean;
      readonly attributes: MemoryAttributes;
    }
  | {
      readonly kind: "abort" | "raz-wi" | "stalled";
      /** Absent: terminated silently. */
      readonly fault?: Fault;
      /** Whether the fault calls for a record; the queue may still have no room. */
      readonly recorded: boolean;
    }
  | { readonly kind: "not-covered"; readonly reason: string };

/** Ends the translation: thrown by the step that decided, caught in explain(). Never leaves this folder. */
export class Verdict extends Error {
  readonly end: { readonly fault: StageFault; readonly refusal: Refusal } | { readonly outcome: ExplainedOutcome };

  constructor(end: Verdict["end"]) {
    super("verdict");
    this.end = end;
  }
}

export function fail(fault: StageFault, refusal: Refusal): never {
  throw new Verdict({ fault, refusal });
}

export class Trace {
  readonly steps: Step[] = [];
  readonly #read: Read64;
  readonly #written = new Map<bigint, bigint>();

  constructor(read: Read64) {
    this.#read = read;
  }

  get writes(): readonly MemoryWrite[] {
    return [...this.#written].map(([address, value]) => ({ address, value }));
  }

  read64(pa: bigint): bigint | undefined {
    return this.#written.get(pa) ?? this.#read(pa);
  }

  /** Consecutive doublewords, or undefined when one of them aborts. */
  readMany(pa: bigint, count: number): bigint[] | undefined {
    const values: bigint[] = [];
    for (let index = 0; index < count; index++) {
      const value = this.read64(pa + 8n * BigInt(index));
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  /** What the hardware would write. */
  update(pa: bigint, value: bigint): void {
    this.#written.set(pa, value);
  }

  add(step: Step): void {
    this.steps.push(step);
  }
}

/** Every field of a structure by its name. An STE has 70: steps have it read when somebody looks, and a diagnosis does not. */
export function fieldsOf(
  doublewords: readonly bigint[],
  table: Readonly<Record<string, Field>>,
): Record<string, bigint> {
  const words = wordsOf(doublewords);
  const fields: Record<string, bigint> = {};
  for (const [name, field] of Object.entries(table)) fields[name] = getU64(words, 0, field);
  return fields;
}
