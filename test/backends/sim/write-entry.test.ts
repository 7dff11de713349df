import { describe, expect, test } from "vitest";
import * as usedBits from "../../../src/backends/sim/used-bits.ts";
import { EMPTY_ENTRY, type EntryStep, planCdUpdate, planSteUpdate } from "../../../src/backends/sim/write-entry.ts";
import { doublewordsOf, wordsOf } from "../../../src/spec/layout.ts";
import { at } from "../../support/smmuv3-tables.ts";

type EntryWords = usedBits.EntryWords;

// The fixture of Linux's arm-smmu-v3-test.c, assembled by hand (IHI 0070 §5.2): CD table at 0xF0F0F0F0F0C0 (bits [55:6]
// of 0xF0F0F0F0F0F0), S1Fmt 2, S1CDMax 31, S1CIR=S1COR=1, S1CSH=3; stage 2: VTTBR 0xdaedbeefdeadbeef, S2T0SZ 4,
// S2SL0 3, S2IR0 1, S2OR0 1, S2SH0 3, S2TG 2, S2PS 1. SHCFG [109:108], S1DSS [65:64], EATS [93:92], S1STALLD 91, S2S 185.
const TABLE = 0xf0f0_f0f0_f0c0n;
const SHCFG_INCOMING = at(1, 44);
const CD_ATTRIBUTES = at(1, 2) | at(1, 4) | at(3, 6);
const words = (...low: bigint[]): EntryWords => [...low, ...new Array<bigint>(8 - low.length).fill(0n)];

const ABORT = words(1n);
const BYPASS = words(1n | at(4, 1), SHCFG_INCOMING);

interface Stage1 {
  readonly dss?: "bypass" | "ssid0";
  readonly ats?: boolean;
  readonly table?: bigint;
  readonly stall?: boolean;
  readonly vmid?: number;
}

function stage1({ dss = "ssid0", ats = true, table = TABLE, stall = true }: Stage1 = {}): EntryWords {
  const w0 = 1n | at(5, 1) | at(2, 4) | table | at(31, 59);
  const w1 = CD_ATTRIBUTES | (dss === "ssid0" ? 2n : 1n | SHCFG_INCOMING) | at(ats ? 1 : 0, 28) | at(stall ? 0 : 1, 27);
  return words(w0, w1);
}

/** The suite's VMID is 0, as its S1 entries have it; with another one S1 ↔ S2 is breaking, in the kernel too. */
function stage2({ ats = true, stall = false, mev = false, vmid = 0 } = {}): EntryWords {
  const vtcr = 4n | at(3, 6) | at(1, 8) | at(1, 10) | at(3, 12) | at(2, 14) | at(1, 16);
  const w2 = BigInt(vmid) | at(vtcr, 32) | at(1, 51) | at(1, 54) | at(stall ? 1 : 0, 57) | at(1, 58); // S2AA64, S2PTW, S2S, S2R
  const w1 = SHCFG_INCOMING | at(ats ? 1 : 0, 28) | at(mev ? 1 : 0, 19);
  return words(1n | at(6, 1), w1, w2, 0xed_beef_dead_bee0n & 0xf_ffff_ffff_fff0n);
}

/** Stage 1 of a guest on stage 2: MEV set by the host. */
function nested(options: Stage1 = {}): EntryWords {
  const [s1, s2] = [stage1(options), stage2({ ats: options.ats ?? true, mev: true, vmid: options.vmid ?? 0 })];
  return words(s1[0]! | at(7, 1), (s1[1]! & ~SHCFG_INCOMING) | s2[1]!, s2[2]!, s2[3]!);
}

/** TTB0 [119:68] of 0xdaedbeefdeadbeef, MAIR 0xabcdef012345678; ASID [63:48], EPD0 14, EPD1 30, V 31, A R AA64 [46:45] 41. */
const CD_COMMON = at(1, 30) | at(1, 31) | at(1, 41) | at(3, 45) | at(1, 47);
const S1_MAIR = 0xabc_def0_1234_5678n;

/** T0SZ 4, TG0 2, IR0 1, OR0 1, SH0 3: bits [13:0]. */
function stage1CD(asid: number): EntryWords {
  const w0 = 4n | at(2, 6) | at(1, 8) | at(1, 10) | at(3, 12) | at(1, 32) | CD_COMMON | at(asid, 48);
  return words(w0, 0xd_beef_dead_bee0n, 0n, S1_MAIR);
}

/** A process's page table; its release keeps ASID and MAIR and switches the half off. */
const SVA_CD = words(16n | at(1, 8) | at(1, 10) | at(3, 12) | CD_COMMON | at(1778, 48), 0xd_beef_0000n, 0n, S1_MAIR);
const RELEASED_CD = words(at(1, 14) | CD_COMMON | at(1778, 48), 0n, 0n, S1_MAIR);

interface Run {
  readonly syncs: number;
  readonly sawInvalid: boolean;
  /** What a walker could see after each store. */
  readonly values: readonly EntryWords[];
  readonly atSyncs: readonly EntryWords[];
}

/** Carries a plan out store by store; the suite calls a transition breaking when doubleword 0 is zero at a sync. */
function run(from: EntryWords, steps: readonly EntryStep[]): Run {
  let now = from;
  const values: EntryWords[] = [];
  const atSyncs: EntryWords[] = [];
  for (const step of steps) {
    for (const { index, value } of step.stores) {
      now = now.map((old, at) => (at === index ? value : old));
      values.push(now);
    }
    atSyncs.push(now);
  }
  return { syncs: steps.length, sawInvalid: atSyncs.some((value) => value[0] === 0n), values, atSyncs };
}

/** A walker that looks at only the used bits cannot tell `value` from `entry`, but for the safe bits. */
function looksLike(value: EntryWords, entry: EntryWords, used: EntryWords, safe: EntryWords): boolean {
  return entry.every((word, index) => ((value[index]! ^ word) & used[index]! & ~safe[index]!) === 0n);
}

const usedSteBits = (ste: EntryWords): EntryWords => doublewordsOf(usedBits.usedSteBits(wordsOf(ste)));
const usedCdBits = (cd: EntryWords): EntryWords => doublewordsOf(usedBits.usedCdBits(wordsOf(cd)));
const safeCdBits = (): EntryWords => doublewordsOf(usedBits.safeCdBits());
function safeSteBits(one: EntryWords, other: EntryWords): EntryWords {
  return doublewordsOf(usedBits.safeSteBits(wordsOf(one), wordsOf(other)));
}

const STE_KIND = { plan: planSteUpdate, used: usedSteBits, safe: safeSteBits };
const CD_KIND = { plan: planCdUpdate, used: usedCdBits, safe: safeCdBits };

/** As the suite judges: verdict, syncs, and at each sync the initial or the target entry. */
function judge(kind: typeof STE_KIND, from: EntryWords, to: EntryWords): string {
  const { atSyncs, sawInvalid, syncs, values } = run(from, kind.plan(from, to));
  expect(values.at(-1)).toEqual(to);
  const safe = kind.safe(from, to);
  for (const [index, value] of atSyncs.entries()) {
    const isOne = [from, to].some((entry) => looksLike(value, entry, kind.used(entry), safe));
    expect(isOne || value[0] === 0n, `at sync ${index}`).toBe(true);
  }
  return `${sawInvalid ? "B" : "H"} ${syncs}`;
}

describe("the kernel's own transitions (KUnit suite of arm-smmu-v3): H hitless, B breaking, and the syncs they take", () => {
  const S1 = stage1();
  const S1_DSS = stage1({ dss: "bypass" });
  const S1_STALL = stage1({ stall: true });
  const NESTED_DSS = nested({ dss: "bypass" });
  const S2_STALL = stage2({ stall: true });
  const S2_PLAIN = stage2({ ats: false });
  test.each([
    ["bypass_to_abort", BYPASS, ABORT, "H 2"],
    ["abort_to_bypass", ABORT, BYPASS, "H 2"],
    ["cdtable_to_abort", S1, ABORT, "H 2"],
    ["abort_to_cdtable", ABORT, S1, "H 2"],
    ["cdtable_to_bypass", S1, BYPASS, "H 3"],
    ["bypass_to_cdtable", BYPASS, S1, "H 3"],
    ["cdtable_s1dss_change", S1, S1_DSS, "H 1"],
    ["cdtable_s1dss_change, back", S1_DSS, S1, "H 1"],
    ["s1dssbypass_to_stebypass", S1_DSS, BYPASS, "H 2"],
    ["stebypass_to_s1dssbypass", BYPASS, S1_DSS, "H 2"],
    ["s2_to_abort", stage2(), ABORT, "H 2"],
    ["abort_to_s2", ABORT, stage2(), "H 2"],
    ["s2_to_bypass", S2_PLAIN, BYPASS, "H 2"],
    ["bypass_to_s2", BYPASS, S2_PLAIN, "H 2"],
    ["s1_to_s2", S1, stage2(), "H 3"],
    ["s2_to_s1", stage2(), S1, "H 3"],
    ["non_hitless", S1, stage1({ dss: "bypass", table: 0x4b_4b4b_4b40n }), "B 3"],
    ["s1_to_s2_stall", S1_STALL, S2_STALL, "H 3"],
    ["s2_to_s1_stall", S2_STALL, S1_STALL, "H 3"],
    ["nested_s1dssbypass_to_s1bypass", NESTED_DSS, S2_PLAIN, "H 3"],
    ["nested_s1bypass_to_s1dssbypass", S2_PLAIN, NESTED_DSS, "H 2"],
  ] as const)("write_ste_test: %s", (_, from, to, verdict) => {
    expect(judge(STE_KIND, from, to)).toBe(verdict);
  });

  test.each([
    ["s1_clear", EMPTY_ENTRY, stage1CD(1997), "B 2"],
    ["s1_clear, back", stage1CD(1997), EMPTY_ENTRY, "B 2"],
    ["s1_change_asid", stage1CD(778), stage1CD(1997), "H 1"],
    ["s1_change_asid, back", stage1CD(1997), stage1CD(778), "H 1"],
    ["sva_clear", EMPTY_ENTRY, SVA_CD, "B 2"],
    ["sva_clear, back", SVA_CD, EMPTY_ENTRY, "B 2"],
    ["sva_release", SVA_CD, RELEASED_CD, "H 2"],
    ["sva_release, back", RELEASED_CD, SVA_CD, "H 2"],
  ] as const)("write_cd_test: %s", (_, from, to, verdict) => {
    expect(judge(CD_KIND, from, to)).toBe(verdict);
  });
});

describe("beyond the suite", () => {
  test("filling an entry that was never valid takes two syncs, and V=1 comes last", () => {
    const { syncs, values } = run(EMPTY_ENTRY, planSteUpdate(EMPTY_ENTRY, nested()));
    expect(syncs).toBe(2);
    expect(values.slice(0, -1).every((value) => (value[0]! & 1n) === 0n)).toBe(true);
  });

  test("stage 1 of the host (VMID 0) → stage 2 of a guest (another VMID) changes two doublewords at once: breaking", () => {
    expect(judge(STE_KIND, stage1({ ats: false }), stage2({ ats: false, vmid: 5 }))).toBe("B 3");
  });

  test("another table and another ASID of one CD are two doublewords at once: breaking", () => {
    const other = stage1CD(778).map((word, index) => (index === 1 ? word + 0x1000n : word));
    expect(judge(CD_KIND, stage1CD(1997), other)).toBe("B 3");
  });

  test("the same entry again takes no store at all", () => {
    expect(planSteUpdate(nested(), nested())).toEqual([]);
    expect(planCdUpdate(SVA_CD, SVA_CD)).toEqual([]);
  });

  test("EATS 3 (DPT) → 0 takes both bits in one store: on the way lies split-stage ATS, which is illegal here (§5.2.2)", () => {
    const dpt = stage2({ ats: false }).map((word, index) => (index === 1 ? word | at(3, 28) : word));
    const { values } = run(dpt, planSteUpdate(dpt, stage2({ ats: false })));
    expect(values.map((value) => (value[1]! >> 28n) & 3n)).toEqual([0n]);
  });

  test("bits that no configuration uses arrive all the same, and make nothing breaking", () => {
    const withSoftwareBits = stage2({ ats: false }).map((word, index) => (index === 1 ? word | at(0xf, 20) : word));
    expect(judge(STE_KIND, ABORT, withSoftwareBits)).toBe("H 2"); // [87:84] are software's (§5.2)
  });
});

describe("every pair of the broker's templates, looked at after every single store", () => {
  const OTHER = 0x1_2345_6780n & ~0x3fn;
  const TEMPLATES: Readonly<Record<string, EntryWords>> = {
    empty: EMPTY_ENTRY,
    abort: ABORT,
    "default domain": stage1({ ats: false }),
    "stage 2": stage2({ ats: false, vmid: 5 }),
    "stage 2 of another guest": stage2({ ats: false, vmid: 6 }).map((w, index) => (index === 3 ? w + 0x1000n : w)),
    nested: nested({ vmid: 5, ats: false }),
    "nested, ATS": nested({ vmid: 5 }),
    "nested, another table": nested({ vmid: 5, ats: false, table: OTHER }),
    "nested, S1DSS bypass": nested({ vmid: 5, ats: false, dss: "bypass" }),
    "nested, another table and S1DSS": nested({ vmid: 5, ats: false, dss: "bypass", table: OTHER }),
  };
  for (const [fromName, from] of Object.entries(TEMPLATES)) {
    for (const [toName, to] of Object.entries(TEMPLATES)) {
      if (from === to) continue;
      test(`${fromName} → ${toName}: the old entry, the new one, or V=0 where it is breaking, and no third`, () => {
        const { sawInvalid, values } = run(from, planSteUpdate(from, to));
        const safe = safeSteBits(from, to);
        const isLike = (value: EntryWords, entry: EntryWords) => looksLike(value, entry, usedSteBits(entry), safe);
        for (const [index, value] of values.entries()) {
          const isInvalid = (value[0]! & 1n) === 0n;
          const seen = isLike(value, from) ? "old" : isLike(value, to) ? "new" : isInvalid ? "V=0" : "third";
          expect(sawInvalid ? ["old", "new", "V=0"] : ["old", "new"], `store ${index}`).toContain(seen);
        }
        expect(values.at(-1)).toEqual(to);
        // Once a walker has seen the new entry it never sees the old one again.
        const first = values.findIndex((value) => isLike(value, to) && !isLike(value, from));
        expect(values.slice(first).every((value) => isLike(value, to))).toBe(true);
      });
    }
  }
});
