import { describe, expect, test } from "vitest";
import { EMPTY_STE, type SteWords } from "../../../src/backends/sim/make-ste.ts";
import { type EntryPlan, planSteUpdate, usedBits } from "../../../src/backends/sim/write-entry.ts";
import { at } from "../../support/smmuv3-tables.ts";

// The fixture of Linux's arm-smmu-v3-test.c, assembled by hand (IHI 0070 §5.2): CD table at 0xF0F0F0F0F0C0 (bits [55:6]
// of 0xF0F0F0F0F0F0), S1Fmt 2, S1CDMax 31, S1CIR=S1COR=1, S1CSH=3; stage 2: VTTBR 0xdaedbeefdeadbeef, S2T0SZ 4,
// S2SL0 3, S2IR0 1, S2OR0 1, S2SH0 3, S2TG 2, S2PS 1. SHCFG [109:108], S1DSS [65:64], EATS [93:92], S1STALLD 91, S2S 185.
const TABLE = 0xf0f0_f0f0_f0c0n;
const SHCFG_INCOMING = at(1, 44);
const CD_ATTRIBUTES = at(1, 2) | at(1, 4) | at(3, 6);
const words = (...low: bigint[]): SteWords => [...low, ...new Array<bigint>(8 - low.length).fill(0n)];

const ABORT = words(1n);
const BYPASS = words(1n | at(4, 1), SHCFG_INCOMING);

interface Stage1 {
  readonly dss?: "bypass" | "ssid0";
  readonly ats?: boolean;
  readonly table?: bigint;
  readonly stall?: boolean;
  readonly vmid?: number;
}

function stage1({ dss = "ssid0", ats = true, table = TABLE, stall = true }: Stage1 = {}): SteWords {
  const w0 = 1n | at(5, 1) | at(2, 4) | table | at(31, 59);
  const w1 = CD_ATTRIBUTES | (dss === "ssid0" ? 2n : 1n | SHCFG_INCOMING) | at(ats ? 1 : 0, 28) | at(stall ? 0 : 1, 27);
  return words(w0, w1);
}

/** The suite's VMID is 0, as its S1 entries have it; with another one S1 ↔ S2 is breaking, in the kernel too. */
function stage2({ ats = true, stall = false, mev = false, vmid = 0 } = {}): SteWords {
  const vtcr = 4n | at(3, 6) | at(1, 8) | at(1, 10) | at(3, 12) | at(2, 14) | at(1, 16);
  const w2 = BigInt(vmid) | at(vtcr, 32) | at(1, 51) | at(1, 54) | at(stall ? 1 : 0, 57) | at(1, 58); // S2AA64, S2PTW, S2S, S2R
  const w1 = SHCFG_INCOMING | at(ats ? 1 : 0, 28) | at(mev ? 1 : 0, 19);
  return words(1n | at(6, 1), w1, w2, 0xed_beef_dead_bee0n & 0xf_ffff_ffff_fff0n);
}

/** Stage 1 of a guest on stage 2: MEV set by the host. */
function nested(options: Stage1 = {}): SteWords {
  const [s1, s2] = [stage1(options), stage2({ ats: options.ats ?? true, mev: true, vmid: options.vmid ?? 0 })];
  return words(s1[0]! | at(7, 1), (s1[1]! & ~SHCFG_INCOMING) | s2[1]!, s2[2]!, s2[3]!);
}

interface Run {
  readonly syncs: number;
  readonly sawInvalid: boolean;
  readonly values: readonly SteWords[];
}

/** Carries a plan out store by store and keeps what a walker could see after each. */
function run(from: SteWords, plan: EntryPlan): Run {
  let now = from;
  const values: SteWords[] = [];
  for (const step of plan.steps) {
    for (const { index, value } of step.stores) {
      now = now.map((old, at) => (at === index ? value : old));
      values.push(now);
    }
  }
  return { syncs: plan.steps.length, sawInvalid: values.some((value) => value[0] === 0n), values };
}

describe("the kernel's own transitions (KUnit suite of arm-smmu-v3): H hitless, B breaking, and the syncs they take", () => {
  const S1 = stage1();
  const S1_DSS = stage1({ dss: "bypass" });
  test.each([
    ["bypass_to_abort", BYPASS, ABORT, "H", 2],
    ["abort_to_bypass", ABORT, BYPASS, "H", 2],
    ["cdtable_to_abort", S1, ABORT, "H", 2],
    ["abort_to_cdtable", ABORT, S1, "H", 2],
    ["cdtable_to_bypass", S1, BYPASS, "H", 3],
    ["bypass_to_cdtable", BYPASS, S1, "H", 3],
    ["cdtable_s1dss_change", S1, S1_DSS, "H", 1],
    ["cdtable_s1dss_change, back", S1_DSS, S1, "H", 1],
    ["s1dssbypass_to_stebypass", S1_DSS, BYPASS, "H", 2],
    ["stebypass_to_s1dssbypass", BYPASS, S1_DSS, "H", 2],
    ["s2_to_abort", stage2(), ABORT, "H", 2],
    ["abort_to_s2", ABORT, stage2(), "H", 2],
    ["s2_to_bypass", stage2({ ats: false }), BYPASS, "H", 2],
    ["bypass_to_s2", BYPASS, stage2({ ats: false }), "H", 2],
    ["s1_to_s2", S1, stage2(), "H", 3],
    ["s2_to_s1", stage2(), S1, "H", 3],
    ["non_hitless", S1, stage1({ dss: "bypass", table: 0x4b_4b4b_4b40n }), "B", 3],
    ["s1_to_s2_stall", stage1({ stall: true }), stage2({ stall: true }), "H", 3],
    ["s2_to_s1_stall", stage2({ stall: true }), stage1({ stall: true }), "H", 3],
    ["nested_s1dssbypass_to_s1bypass", nested({ dss: "bypass" }), stage2({ ats: false }), "H", 3],
    ["nested_s1bypass_to_s1dssbypass", stage2({ ats: false }), nested({ dss: "bypass" }), "H", 2],
  ] as const)("%s", (_, from, to, verdict, syncs) => {
    const plan = planSteUpdate(from, to);
    const { sawInvalid, syncs: taken, values } = run(from, plan);
    expect(plan.hitless ? "H" : "B").toBe(verdict);
    expect(sawInvalid).toBe(verdict === "B");
    expect(taken).toBeLessThanOrEqual(syncs);
    expect(values.at(-1)).toEqual(to);
  });

  test("filling an entry that was never valid takes two syncs, and V=1 comes last", () => {
    const { syncs, values } = run(EMPTY_STE, planSteUpdate(EMPTY_STE, nested()));
    expect(syncs).toBe(2);
    expect(values.slice(0, -1).every((value) => (value[0]! & 1n) === 0n)).toBe(true);
  });

  test("stage 1 of the host (VMID 0) → stage 2 of a guest (another VMID) changes two doublewords at once: breaking", () => {
    const plan = planSteUpdate(stage1({ ats: false }), stage2({ ats: false, vmid: 5 }));
    expect([plan.hitless, plan.steps.length]).toEqual([false, 3]);
  });

  test("the same entry again takes no store at all", () => {
    expect(planSteUpdate(nested(), nested())).toEqual({ hitless: true, steps: [] });
  });
});

describe("every pair of the broker's templates, looked at after every single store", () => {
  const OTHER = 0x1_2345_6780n & ~0x3fn;
  const TEMPLATES: Readonly<Record<string, SteWords>> = {
    empty: EMPTY_STE,
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
  const SAFE = [0n, at(1, 19) | at(1, 28), 0n, 0n, 0n, 0n, 0n, 0n]; // MEV and EATS=1 may change at any moment

  /** A walker that looks at only the used bits cannot tell `value` from `entry`, but for the safe bits. */
  function looksLike(value: SteWords, entry: SteWords): boolean {
    const used = usedBits(entry);
    return entry.every((word, index) => ((value[index]! ^ word) & used[index]! & ~SAFE[index]!) === 0n);
  }

  for (const [fromName, from] of Object.entries(TEMPLATES)) {
    for (const [toName, to] of Object.entries(TEMPLATES)) {
      if (from === to) continue;
      test(`${fromName} → ${toName}: the old entry, the new one, or V=0 where it is breaking, and no third`, () => {
        const plan = planSteUpdate(from, to);
        const { values } = run(from, plan);
        for (const [index, value] of values.entries()) {
          const isInvalid = (value[0]! & 1n) === 0n;
          const seen = looksLike(value, from) ? "old" : looksLike(value, to) ? "new" : isInvalid ? "V=0" : "third";
          expect(plan.hitless ? ["old", "new"] : ["old", "new", "V=0"], `store ${index}`).toContain(seen);
        }
        expect(values.at(-1)).toEqual(to);
        // Once a walker has seen the new entry it never sees the old one again.
        const first = values.findIndex((value) => looksLike(value, to) && !looksLike(value, from));
        expect(values.slice(first).every((value) => looksLike(value, to))).toBe(true);
      });
    }
  }
});

describe("the bits an entry uses", () => {
  test("V=0 uses only V; abort only V and Config", () => {
    expect(usedBits(EMPTY_STE)).toEqual(words(1n));
    expect(usedBits(ABORT)).toEqual(words(0xfn));
  });

  test("bypass uses SHCFG besides", () => {
    expect(usedBits(BYPASS)).toEqual(words(0xfn, at(3, 44)));
  });

  test("stage 1 uses its table, its attributes, STRW, EATS, MEV and the VMID, and SHCFG where S1DSS is bypass", () => {
    // dword 1: S1DSS, S1CIR, S1COR, S1CSH [71:64]; MEV 83; S1STALLD 91, EATS [93:92], STRW [95:94]
    const w1 = 0xffn | at(1, 19) | at(0x1f, 27);
    expect(usedBits(stage1())).toEqual(words(0xf8ff_ffff_ffff_ffffn, w1, 0xffffn));
    expect(usedBits(stage1({ dss: "bypass" }))[1]).toBe(w1 | at(3, 44));
  });

  test("stage 2 uses its configuration and its table, and nothing of doubleword 0 but V and Config", () => {
    // dword 1: MEV, S2FWB 89, EATS, SHCFG. dword 2: VMID, [178:160], S2AA64, S2ENDI, S2PTW, S2S, S2R. dword 3: S2TTB.
    const w2 = 0xffffn | at(0x7ffff, 32) | at(0b11, 51) | at(1, 54) | at(0b11, 57);
    const without = at(0b11, 36); // [165:160] is S2T0SZ, so bits 4 and 5 of the field are in it
    expect(without & w2).toBe(without);
    expect(usedBits(stage2())).toEqual(
      words(0xfn, at(1, 19) | at(1, 25) | at(3, 28) | at(3, 44), w2, 0x00ff_ffff_ffff_fff0n),
    );
  });
});
