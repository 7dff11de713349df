// Every bit that the model reads of an STE or a CD is a used bit: each bit of each of many legal entries is flipped, and
// where any verdict of any probe changes, the bit must be used. Verdicts are taken with nothing cached, and once more
// with the translations of the entry as it was still in the TLB, on tables that have moved: that shows VMID and ASID.
// Memory attributes are not in the verdicts: for SHCFG and its kind the list of Linux and §13.1 stand alone.

import { describe, expect, test } from "vitest";
import { abortSTE, defaultDomainSTE, nestedSTE, stage2STE } from "../../../src/backends/sim/make-ste.ts";
import { type EntryWords, usedCdBits, usedSteBits } from "../../../src/backends/sim/used-bits.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { CD } from "../../../src/spec/cd.ts";
import type { Field } from "../../../src/spec/layout.ts";
import { STE } from "../../../src/spec/ste.ts";
import { EntryWorld, FINE_PROBES, PROBES } from "../../support/entry-world.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { at } from "../../support/smmuv3-tables.ts";

/** IDS with HTTU 3, ATS; overrides of attributes; PBHA MPAM FWB DPT S2PI S2PO; DS. */
const RICH = {
  ...IDS,
  idr0: IDS.idr0 | (3 << 6) | (1 << 10),
  idr1: IDS.idr1 | (3 << 26),
  idr3: IDS.idr3 | (1 << 3) | (1 << 7) | (1 << 8) | (1 << 15) | (3 << 19),
  idr5: IDS.idr5 | (1 << 7),
};
/** Terminate only, VMIDs of 8 bits, 4 KiB granule only: what is not there is illegal where it is used. */
const POOR = { ...IDS, idr0: (IDS.idr0 & ~(1 << 18)) | (1 << 24), idr5: 0x10 | 5 };

const MOVE = at(1, 20); // another megabyte: nothing is read or written there
const FAULTS = PROBES.filter(({ iova }) => iova === 0x2000);

/** All there is to see of the STE in place. */
function behaviour(world: EntryWorld): string {
  const cold = world.verdicts(FINE_PROBES);
  return [...cold, ...FAULTS.map((probe) => world.recordsOfTwice(probe))].join("\n");
}

interface Setting {
  readonly world: EntryWorld;
  readonly install: (entry: EntryWords) => void;
  readonly change: (entry: EntryWords) => void;
}

/** Flips every bit; names of the fields whose flip shows, and those bits of them that are not used. */
function flips(setting: Setting, entry: EntryWords, fields: Readonly<Record<string, Field>>, used: EntryWords) {
  const { change, install, world } = setting;
  const cold = (words: EntryWords): string => {
    world.arrange();
    install(words);
    world.forgetTranslations();
    return behaviour(world);
  };
  const warm = (words: EntryWords): string => {
    world.arrange();
    install(entry);
    world.forgetTranslations();
    world.verdicts();
    world.arrange(MOVE);
    change(words);
    return world.verdicts().join("\n");
  };
  const before = [cold(entry), warm(entry)];
  const seen = new Set<string>();
  const unused: string[] = [];
  for (let bit = 0; bit < 512; bit += 1) {
    const dword = Math.floor(bit / 64);
    const mask = at(1, bit % 64);
    const flipped = entry.map((word, index) => (index === dword ? word ^ mask : word));
    if (cold(flipped) === before[0] && warm(flipped) === before[1]) continue;
    const field = Object.values(fields).find(({ lsb, msb }) => lsb <= bit && bit <= msb);
    const name = field === undefined ? `bit ${bit}` : field.name;
    seen.add(name);
    if ((used[dword]! & mask) === 0n) unused.push(`${name} (bit ${bit})`);
  }
  return { seen: [...seen], unused };
}

function steSetting(world: EntryWorld): Setting {
  return { world, install: (ste) => world.install(ste), change: (ste) => world.install(ste) };
}

const or = (ste: EntryWords, ...words: readonly bigint[]): EntryWords =>
  ste.map((word, index) => word | (words[index] ?? 0n));

describe("the bits of an STE that the model reads", () => {
  const worlds = {
    rich: new EntryWorld(RICH, { mergesEvents: true }),
    poor: new EntryWorld(POOR, { mergesEvents: true }),
  };
  const stage2 = ({ stage2Root }: EntryWorld) => ({ vmid: 5, root: stage2Root, ipaBits: 39, s2sl0: 1 });
  const nested = (world: EntryWorld, ids: typeof IDS, dword0: bigint, dword1: bigint) =>
    nestedSTE(checkVSTE(0xbn | dword0, dword1), stage2(world), featuresOf(ids), { ats: true });
  const { poor, rich } = worlds;
  const pointer = BigInt(rich.linear) | at(2, 59);
  const S2 = stage2STE(stage2(rich), featuresOf(RICH));
  const NESTED = nested(rich, RICH, pointer, 2n);
  // dword 2: S2AFFD 181, S2HD 183, S2HA 184, S2HAFT 187, S2PIE 188, S2POE 189; dword 3: S2DS 195. dword 1: S2HWU [75:72], S1MPAM 90.
  const HARDWARE_UPDATES = at(3, 55) | at(1, 59);
  const OVERLAYS = at(3, 60);
  const HOST = defaultDomainSTE(rich.hostContext, featuresOf(RICH));
  const BYPASS = or(abortSTE(), 0x8n, at(1, 44));
  const STAGE2 = "S2VMID S2T0SZ S2SL0 S2TG S2PS S2AA64 S2ENDI S2S S2R S2TTB";
  test.each([
    ["V=0", rich, new Array<bigint>(8).fill(0n), "V"],
    ["V=0 with the rest of a nested one", rich, NESTED.map((word, index) => (index === 0 ? word - 1n : word)), "V"],
    ["abort", rich, abortSTE(), "V Config"],
    ["bypass", rich, BYPASS, "V Config MEV"],
    ["the default domain", rich, HOST, "S1ContextPtr S1CDMax STRW EATS MEV PRIVCFG INSTCFG S2VMID"],
    ["the default domain, S1DSS bypass", rich, or(HOST, at(2, 59), 1n), "S1Fmt S1ContextPtr S1CDMax S1DSS"],
    ["the default domain at EL2", rich, or(HOST, 0n, at(2, 30)), "S1ContextPtr STRW"],
    ["stage 2", rich, S2, `V Config MEV EATS S2AFFD S2HA S2HAFT S2POE S2DS ${STAGE2}`],
    ["stage 2 with hardware updates", rich, or(S2, 0n, 0n, HARDWARE_UPDATES), "S2HD S2HA"],
    ["stage 2 with overlays", rich, or(S2, 0n, 0n, OVERLAYS), "S2HWU59 S2HWU60 S2HWU61 S2HWU62 S2PIE"],
    ["stage 2 that stalls, S2DS", rich, or(S2, 0n, 0n, at(1, 57), at(1, 3)), "EATS S2S S2SL0_2 S2DS"],
    ["nested", rich, NESTED, `S1Fmt S1ContextPtr S1CDMax S1DSS S2FWB PRIVCFG INSTCFG S2PTW ${STAGE2}`],
    ["nested, two levels", rich, nested(rich, RICH, BigInt(rich.twoLevel) | at(1, 4) | at(12, 59), 1n), "S1DSS S1Fmt"],
    ["nested, ATS", rich, or(NESTED, 0n, at(1, 28)), "S2S"],
    ["nested, MPAM", rich, or(NESTED, 0n, at(1, 26)), "VMSPtr"],
    ["nested, a VMSPtr that is too large", rich, or(NESTED, 0n, 0n, 0n, 0n, 0n, at(1, 55)), "S1MPAM"],
    ["nested, nothing stalls", poor, nested(poor, POOR, BigInt(poor.linear) | at(2, 59), 2n), "S1STALLD S2S S2VMID"],
    ["stage 2, nothing stalls", poor, stage2STE(stage2(poor), featuresOf(POOR)), "S2HA S2HD S2S S2VMID"],
  ] as const)("%s: each is used", (_, world, entry, shows) => {
    const { seen, unused } = flips(steSetting(world), entry, STE, usedSteBits(entry));
    expect(unused).toEqual([]);
    expect(seen).toEqual(expect.arrayContaining(shows.split(" ")));
  });
});

describe("the bits of a CD that the model reads", () => {
  const world = new EntryWorld(RICH);
  const HOST = defaultDomainSTE(world.hostContext, featuresOf(RICH));
  const CONTEXT = world.read(world.hostContext);
  // V 31, EPD0 14, EPD1 30, TG1 [23:22], T1SZ [21:16], S 44, A 46; TTB0 in dword 1, TTB1 in dword 2.
  const withHalf1 = CONTEXT.map((word, index) => (index === 0 ? (word & ~at(1, 30)) | at(43, 16) | at(2, 22) : word));
  const withoutHalf0 = or(CONTEXT, at(1, 14));
  const STAGE1 = "V IPS AA64 ENDI ASID A R S";
  const setting: Setting = {
    world,
    install: (cd) => {
      world.write(world.hostContext, cd);
      world.install(HOST);
    },
    change: (cd) => {
      world.write(world.hostContext, cd);
      world.forgetCD();
    },
  };
  test.each([
    ["V=0 with the rest of the host's", CONTEXT.map((word, index) => (index === 0 ? word & ~at(1, 31) : word)), "V"],
    ["the host's", CONTEXT, `T0SZ TG0 EPD0 EPD1 TTB0 AFFD HA ${STAGE1}`],
    ["the host's with both halves", withHalf1, `T0SZ T1SZ TG0 TG1 EPD0 EPD1 TTB0 TTB1 ${STAGE1}`],
    ["the host's with the first half off", withoutHalf0, "V EPD0 EPD1 AA64 A R S"],
  ] as const)("%s: each is used", (_, entry, shows) => {
    const { seen, unused } = flips(setting, entry, CD, usedCdBits(entry));
    expect(unused).toEqual([]);
    expect(seen).toEqual(expect.arrayContaining(shows.split(" ")));
  });
});

describe("an entry uses no more than it must, so that most changes are hitless", () => {
  test("V=0 uses only V; abort only V and Config", () => {
    expect(usedSteBits(new Array<bigint>(8).fill(0n))).toEqual([1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect(usedSteBits([...abortSTE()])).toEqual([0xfn, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect(usedCdBits(new Array<bigint>(8).fill(0n))).toEqual([at(1, 31), 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
  });

  test("stage 1 uses SHCFG [109:108] only where S1DSS takes traffic past it", () => {
    const used = (dss: bigint) => usedSteBits([0xbn, dss, 0n, 0n, 0n, 0n, 0n, 0n])[1]! & at(3, 44);
    expect([used(0n), used(1n), used(2n)]).toEqual([0n, at(3, 44), 0n]);
  });

  test("a CD whose EPD0 is 1 uses neither TTB0 nor what goes with it, [13:0] of doubleword 0 and [119:68]", () => {
    const used = usedCdBits([at(1, 14) | at(1, 31), 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect([used[0], used[1]]).toEqual([0xffff_ffff_ffff_c000n, 0xff00_0000_0000_000fn]);
  });

  test("bypass and stage 2 use nothing of doubleword 0 but V and Config, and nothing of stage 1", () => {
    for (const config of [4n, 6n]) {
      const used = usedSteBits([1n | (config << 1n), 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
      expect(used[0]).toBe(0xfn);
      expect(used[1]! & (0xffn | at(1, 24) | at(1, 26) | at(1, 27) | at(3, 30))).toBe(0n); // S1*, STRW
    }
  });
});
