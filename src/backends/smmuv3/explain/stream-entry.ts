// From a StreamID to its STE.
// Source: IHI 0070G.b §3.3.2, §5.1, §5.2.

import { L1STD } from "../../../spec/l1std.ts";
import { get, getU64, wordsOf } from "../../../spec/layout.ts";
import { CR2, STRTAB_BASE, STRTAB_BASE_CFG } from "../../../spec/registers.ts";
import { STE } from "../../../spec/ste.ts";
import { aligned, bits, pow2 } from "./bits.ts";
import type { Implementation } from "./implementation.ts";
import { broken, nowhere } from "./refusal.ts";
import type { RuleName } from "./rules.ts";
import { fail, fieldsOf, type Trace } from "./trace.ts";

export interface StreamRegisters {
  readonly strtabBase: bigint;
  readonly strtabBaseCfg: number;
  readonly cr2: number;
}

export type SteReader = (name: keyof typeof STE) => bigint;

/** Finds and reads the STE. */
export function lookupStreamEntry(
  trace: Trace,
  implementation: Implementation,
  registers: StreamRegisters,
  streamID: number,
): SteReader {
  const pa = steAddress(trace, implementation, registers, streamID);
  const raw = trace.readMany(pa, 8);
  if (raw === undefined) return unreadable("STE", pa);
  trace.add({
    structure: "STE",
    pa,
    raw,
    get fields() {
      return fieldsOf(raw, STE);
    },
    why: `stream 0x${streamID.toString(16)} has its configuration here`,
    section: "§5.2",
  });
  const words = wordsOf(raw);
  return (name) => getU64(words, 0, STE[name]);
}

function steAddress(
  trace: Trace,
  implementation: Implementation,
  registers: StreamRegisters,
  streamID: number,
): bigint {
  const cfg = Uint32Array.of(registers.strtabBaseCfg);
  const programmed = get(cfg, 0, STRTAB_BASE_CFG.LOG2SIZE); // what the base is aligned by, whatever SIDSIZE is (§6.3.24)
  const log2size = Math.min(programmed, implementation.idr1("SIDSIZE"));
  const base = getU64(wordsOf([registers.strtabBase]), 0, STRTAB_BASE.ADDR) * 64n;
  const isTwoLevel = get(cfg, 0, STRTAB_BASE_CFG.FMT) === 1 && implementation.idr0("ST_LEVEL") !== 0;
  const sid = BigInt(streamID);
  const inTable = sid < pow2(log2size);
  trace.add({
    structure: "STRTAB_BASE and STRTAB_BASE_CFG",
    raw: [registers.strtabBase, BigInt(registers.strtabBaseCfg)],
    fields: { base, LOG2SIZE: BigInt(log2size), StreamID: sid },
    why: inTable
      ? `the ${isTwoLevel ? "two-level" : "linear"} Stream table covers this StreamID`
      : "the StreamID is beyond the Stream table: C_BAD_STREAMID",
    section: "§3.3.2, §6.3.25",
  });
  if (!inTable) badStreamID("STREAM_OUT_OF_TABLE", "Stream table", "the StreamID is beyond the Stream table");
  if (!isTwoLevel) return aligned(base, programmed + 6) + sid * 64n;

  const split = [6, 8, 10].find((each) => each === get(cfg, 0, STRTAB_BASE_CFG.SPLIT)) ?? 6;
  const l1Bits = Math.max(programmed - split, 0);
  const pa = aligned(base, Math.max(l1Bits + 3, 6)) + (sid >> BigInt(split)) * 8n;
  const raw = trace.read64(pa);
  if (raw === undefined) return unreadable("L1STD", pa);
  const span = Number(bits(raw, 4, 0));
  const index = bits(sid, split - 1, 0);
  const legal = span >= 1 && span <= 11 && span <= split + 1 && index < pow2(span - 1);
  trace.add({
    structure: "L1STD",
    pa,
    raw: [raw],
    get fields() {
      return fieldsOf([raw], L1STD);
    },
    why: legal
      ? `its second level has ${pow2(span - 1)} STEs, of which number ${index} is meant`
      : "Span is invalid or does not reach this StreamID: C_BAD_STREAMID",
    section: "§5.1",
  });
  if (!legal)
    badStreamID("L1STD_INVALID", "L1STD", "the first level of the Stream table does not lead to this StreamID");
  return aligned(bits(raw, 55, 6) * 64n, Math.max(span - 1 + 6, 6)) + index * 64n;
}

function unreadable(structure: "STE" | "L1STD", pa: bigint): never {
  return fail(
    { type: "F_STE_FETCH", fetchAddress: Number(pa) },
    { ...broken("STE_FETCH_ABORTED", `the read of the ${structure} aborted`), at: nowhere(structure) },
  );
}

/** The Stream table is the host's, and so is the StreamID. */
function badStreamID(rule: RuleName, structure: string, why: string): never {
  return fail({ type: "C_BAD_STREAMID" }, { ...broken(rule, why), at: nowhere(structure) });
}

export type StreamWorld = "EL1" | "EL2" | "EL2-E2H";

/** STRW counts only for a stage-1-only stream on an SMMU with EL2 contexts. Source: §5.2. */
export function isStrwUsed(ste: SteReader, implementation: Implementation): boolean {
  return ste("Config") === 0b101n && implementation.idr0("S1P") === 1 && implementation.idr0("Hyp") === 1;
}

export function streamWorldOf(ste: SteReader, implementation: Implementation, cr2: number): StreamWorld {
  if (!isStrwUsed(ste, implementation) || ste("STRW") !== 0b10n) return "EL1";
  return get(Uint32Array.of(cr2), 0, CR2.E2H) === 1 ? "EL2-E2H" : "EL2";
}

export function isAboveEL1(ste: SteReader, implementation: Implementation): boolean {
  return isStrwUsed(ste, implementation) && ste("STRW") !== 0n;
}

/** log2 of the number of CDs; 0: one CD and no substreams. Source: §5.2 S1CDMax. */
export function substreamBits(ste: SteReader, implementation: Implementation): number {
  return implementation.idr1("SSIDSIZE") === 0 ? 0 : Number(ste("S1CDMax"));
}

/** S2TTB as an address; bits [55:52] are for 128-bit descriptors and RES0 without them. Source: §5.2. */
export function stage2Table(ste: SteReader): bigint {
  return (ste("S2TTB") * 16n) % pow2(52);
}
