import { beforeEach, describe, expect, test } from "vitest";
import type { ExplainRequest, Explanation } from "../../../src/backends/explanation.ts";
import { checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import { GUEST_BASE, GuestTables } from "../../support/guest-tables.ts";
import { attach, bind, type Guest, guest, NVME, type TestHost, TWO_SMMUS, testHost, turn } from "../../support/host.ts";
import { at, contextDescriptor, LEAF, OPEN } from "../../support/smmuv3-tables.ts";

const DATA = GUEST_BASE + 0x18_0000;
const READ_ONLY_IPA = 0x6000_0000;
const MSI_WINDOW = 0x0800_0000;
const PAGE = 0x5000;
const ASK: ExplainRequest = {
  device: NVME,
  streamIndex: 0,
  iova: BigInt(PAGE) + 0x123n,
  substreamID: undefined,
  access: "read",
  privileged: false,
  showsHost: false,
};

/** V, Config 0b101, the CD's address; S1CIR=S1COR=1, S1CSH=3 (IHI 0070 §5.2). */
const translate = (cd: number, more = 0n): VSTE => checkVSTE(0b1011n | BigInt(cd) | more, 0xd4n);

let host: TestHost;
let vmm: Guest;
let tables: GuestTables;
beforeEach(async () => {
  await start(testHost());
});

async function start(on: TestHost): Promise<void> {
  host = on;
  vmm = await guest(host);
  tables = new GuestTables(vmm.file);
  await attach(host, vmm, NVME);
  const mapping = { ipa: BigInt(READ_ONLY_IPA), bytes: 4096n, source: 0, offset: 0n, readable: true, writable: false };
  await host.core.addressSpaces.map(vmm.session, {
    addressSpace: vmm.addressSpace,
    sources: [vmm.file.path],
    mappings: [mapping],
  });
}

function explain(change: Partial<ExplainRequest> = {}): Explanation {
  return host.backend.explain({ ...ASK, ...change });
}

/** A good guest: PAGE leads to DATA. Gives the addresses of its root, CD and leaf. */
async function goodGuest(attributes = OPEN, target = DATA) {
  const root = tables.root("4K");
  const leaf = tables.map("4K", root, PAGE, target, attributes);
  const cd = tables.cd("4K", root);
  await bind(host, vmm, NVME, translate(cd), 0x42);
  return { root, cd, leaf };
}

describe("a translation that succeeds", () => {
  test("is told from the STE to the page, the guest's structures by IPA, stage 2 as one step each", async () => {
    const { cd, leaf, root } = await goodGuest();
    const { end, steps, writes } = explain();
    const level2 = Number(tables.peek(root) & 0xffff_ffff_f000n);
    const level3 = leaf - (PAGE / 4096) * 8;
    expect(steps.map(({ ipa, structure }) => [structure, ipa])).toEqual([
      ["STE", undefined],
      ["stage 2, for CD", BigInt(cd)],
      ["CD", BigInt(cd)],
      ["stage 1", undefined],
      ["stage 2, for TTD", BigInt(root)],
      ["stage 1 level 1 descriptor", BigInt(root)],
      ["stage 2, for TTD", BigInt(level2)],
      ["stage 1 level 2 descriptor", BigInt(level2)],
      ["stage 2, for TTD", BigInt(level3 + 5 * 8)],
      ["stage 1 level 3 descriptor", BigInt(leaf)],
      ["stage 2, for IN", BigInt(DATA + 0x123)],
    ]);
    expect(steps[1]).toMatchObject({ decision: "mapped by 2 MiB, readable and writable", raw: [], fields: {} });
    expect(steps[2]!.raw).toEqual([...contextDescriptor(root)]);
    expect(steps[2]!.fields).toMatchObject({ V: 1n, AA64: 1n, T0SZ: 25n, TTB0: BigInt(root) / 16n });
    expect(steps[9]).toMatchObject({ raw: [BigInt(DATA) | OPEN | 3n], fields: { AF: 1n, nG: 1n, AP: 1n } });
    expect(end).toEqual({ kind: "ok", bypass: false, ipa: BigInt(DATA + 0x123), pa: undefined, pageBytes: 4096n });
    expect(writes).toEqual([]);
  });

  test("shows of the host's STE what a guest sets, and Config, alone", async () => {
    const { cd } = await goodGuest();
    expect(explain().steps[0]).toEqual({
      structure: "STE",
      ipa: undefined,
      pa: undefined,
      raw: [],
      fields: {
        ...{ V: 1n, Config: 7n, S1Fmt: 0n, S1ContextPtr: BigInt(cd) / 64n, S1CDMax: 0n },
        ...{ S1DSS: 0n, S1CIR: 1n, S1COR: 1n, S1CSH: 3n, S1STALLD: 0n, EATS: 0n },
      },
      decision: "Config is 0b111: stage 1 is the guest's, stage 2 the host's",
      section: "§5.2",
    });
  });

  test("through stage 2 alone has one step of it", async () => {
    await bind(host, vmm, NVME, checkVSTE(0b1001n, 0n));
    const { end, steps } = explain({ iova: BigInt(DATA) });
    expect(steps.map(({ structure }) => structure)).toEqual(["STE", "STE", "stage 2, for IN"]);
    expect(end).toMatchObject({ kind: "ok", ipa: BigInt(DATA), pageBytes: 2n ** 21n });
  });

  test("tells which descriptors the hardware would update, and updates none", async () => {
    const [first, ...others] = TWO_SMMUS.iommus;
    const idr0 = first!.registers.idr0! | (2 << 6); // HTTU 2: Access flag and dirty state
    await start(
      testHost({
        config: { ...TWO_SMMUS, iommus: [{ ...first!, registers: { ...first!.registers, idr0 } }, ...others] },
      }),
    );
    const root = tables.root("4K");
    const leaf = tables.map("4K", root, PAGE, DATA, LEAF.USER);
    const cd = tables.allocate(64);
    tables.writeCD(contextDescriptor(root, { extra0: at(1, 43) }), cd); // CD.HA [43]
    await bind(host, vmm, NVME, translate(cd), 0x42);
    const before = tables.peek(leaf);
    expect(explain().writes).toEqual([{ ipa: BigInt(leaf), pa: undefined, value: before | LEAF.AF }]);
    expect(tables.peek(leaf)).toBe(before);
  });
});

interface FaultCase {
  readonly prepare: () => Promise<void>;
  readonly ask?: Partial<ExplainRequest>;
  readonly fault: object;
  readonly last: { readonly structure: string; readonly decision: RegExp };
}

const FAULTS: Readonly<Record<string, FaultCase>> = {
  "an STE with more CDs than the SMMU has SubstreamIDs": {
    prepare: async () => void (await bind(host, vmm, NVME, translate(GUEST_BASE, at(31, 59)), 0x42)),
    fault: { type: "C_BAD_STE", stage: undefined, class: undefined },
    last: { structure: "STE", decision: /S1CDMax/ },
  },
  "a context descriptor that is not valid": {
    prepare: async () => void (await bind(host, vmm, NVME, translate(tables.allocate(64)), 0x42)),
    fault: { type: "C_BAD_CD" },
    last: { structure: "CD", decision: /C_BAD_CD/ },
  },
  "a context descriptor where the guest has no memory": {
    prepare: async () => void (await bind(host, vmm, NVME, translate(0x1_2345_6000), 0x42)),
    fault: { type: "F_TRANSLATION", stage: 2, class: "CD", ipa: 0x1_2345_6000n },
    last: { structure: "stage 2, for CD", decision: /^not mapped: F_TRANSLATION$/ },
  },
  "no descriptor for the address": {
    prepare: async () => void (await goodGuest()),
    ask: { iova: 0x20_0000n },
    fault: { type: "F_TRANSLATION", stage: 1, class: "IN", inputAddress: 0x20_0000n },
    last: { structure: "stage 1 level 2 descriptor", decision: /not valid/ },
  },
  "an address of all ones": {
    prepare: async () => void (await goodGuest()),
    ask: { iova: 0xffff_ffff_ffff_ffffn },
    fault: { type: "F_TRANSLATION", stage: 1, class: "IN", inputAddress: 0xffff_ffff_ffff_ffffn },
    last: { structure: "stage 1", decision: /EPD/ },
  },
  "a write to a page that the guest has read-only": {
    prepare: async () => void (await goodGuest(OPEN | LEAF.READ_ONLY)),
    ask: { access: "write" },
    fault: { type: "F_PERMISSION", stage: 1, class: "IN", read: false },
    last: { structure: "stage 1", decision: /write/ },
  },
  "a page for which the guest has no memory": {
    prepare: async () => void (await goodGuest(OPEN, 0x7000_0000)),
    fault: { type: "F_TRANSLATION", stage: 2, class: "IN", ipa: 0x7000_0123n },
    last: { structure: "stage 2, for IN", decision: /^not mapped/ },
  },
  "a write to memory that was handed over read-only": {
    prepare: async () => void (await goodGuest(OPEN, READ_ONLY_IPA)),
    ask: { access: "write" },
    fault: { type: "F_PERMISSION", stage: 2, class: "IN", ipa: BigInt(READ_ONLY_IPA) + 0x123n },
    last: { structure: "stage 2, for IN", decision: /^mapped, but not for this write/ },
  },
  "tables in the MSI window": {
    prepare: async () => {
      await bind(host, vmm, NVME, translate(tables.cd("4K", MSI_WINDOW)), 0x42);
    },
    fault: { type: "F_PERMISSION", stage: 2, class: "TTD", ipa: BigInt(MSI_WINDOW) },
    last: { structure: "stage 2, for TTD", decision: /^mapped, but not for the read of a table/ },
  },
  "tables in a part of the file that is gone": {
    prepare: async () => {
      const root = GUEST_BASE + 0x10_0000;
      await bind(host, vmm, NVME, translate(tables.cd("4K", root)), 0x42);
      host.files.get("/memory/vmm")!.truncate(0x10_0000);
    },
    fault: { type: "F_WALK_EABT", stage: 1, class: "TTD", fetchAddress: BigInt(GUEST_BASE) + 0x10_0000n },
    last: { structure: "stage 1", decision: /at 0x40100000 cannot be read/ },
  },
  "a context descriptor in a part of the file that is gone": {
    prepare: async () => {
      await bind(host, vmm, NVME, translate(GUEST_BASE + 0x10_0000), 0x42);
      host.files.get("/memory/vmm")!.truncate(0x10_0000);
    },
    fault: { type: "F_CD_FETCH", stage: undefined, fetchAddress: BigInt(GUEST_BASE) + 0x10_0000n },
    last: { structure: "stage 2, for CD", decision: /^mapped/ },
  },
  "a SubstreamID where there is one context descriptor": {
    prepare: async () => void (await goodGuest()),
    ask: { substreamID: 2 ** 20 - 1 },
    fault: { type: "C_BAD_SUBSTREAMID" },
    last: { structure: "STE", decision: /SubstreamID 1048575/ },
  },
};

describe.each(Object.entries(FAULTS))("%s", (_what, { ask, fault, last, prepare }) => {
  test("is explained to the step that decides, with the fault that the device's access then has", async () => {
    await prepare();
    const { end, steps } = explain(ask);
    expect(end).toMatchObject({ kind: "abort", recorded: true, fault });
    expect(steps.at(-1)).toMatchObject({
      structure: last.structure,
      decision: expect.stringMatching(last.decision),
      section: expect.stringMatching(/§|DDI 0487/),
    });
    const { access, iova, privileged, streamIndex, substreamID } = { ...ASK, ...ask };
    const [came] = await host.backend.translate(NVME, [{ access, iova, privileged, streamIndex, substreamID }]);
    const told = end.kind === "abort" ? end.fault : undefined;
    expect(came!.fault).toMatchObject({ type: told?.type, stage: told?.stage, class: told?.class });
  });

  test("shows nothing of the host's", async () => {
    await prepare();
    expectNothingOfTheHost(ask);
  });
});

test("an aborted stream is terminated without a record, and says so", () => {
  const { end, steps } = explain();
  expect(end).toEqual({ kind: "abort", fault: undefined, recorded: false });
  expect(steps.map(({ decision }) => decision)).toEqual([
    "Config is 0b000: every access is terminated",
    "Config is 0b0xx: terminated without a record",
  ]);
});

test("explaining counts nothing, records nothing and changes no memory", async () => {
  await goodGuest();
  const before = [structuredClone(host.backend.counters()), Buffer.from(vmm.file.data).toString("base64")];
  const heard: unknown[] = [];
  host.backend.onFault((notice) => heard.push(notice));
  explain();
  explain({ iova: 0x20_0000n });
  explain({ iova: 0x20_0000n, showsHost: true });
  await turn();
  expect([host.backend.counters(), Buffer.from(vmm.file.data).toString("base64")]).toEqual(before);
  expect(heard).toEqual([]);
});

test("the walk is cold: it shows a descriptor that was changed, while the TLB still has the old one", async () => {
  const { leaf } = await goodGuest();
  const access = { ...ASK, access: "read" } as const;
  await host.backend.translate(NVME, [access]);
  tables.poke(leaf, 0n);
  expect(explain().end).toMatchObject({ kind: "abort", fault: { type: "F_TRANSLATION" } });
  expect((await host.backend.translate(NVME, [access]))[0]).toMatchObject({ end: "ok" });
});

test("the host's view has every step with its physical address and the output address", async () => {
  await goodGuest();
  const { end, steps } = explain({ showsHost: true });
  const [access] = await host.backend.translate(NVME, [{ ...ASK, access: "read" }]);
  expect(end).toMatchObject({ kind: "ok", pa: BigInt(access!.pa), ipa: BigInt(access!.ipa!) });
  const { ste } = host.backend.structures(NVME, 0, 0, undefined);
  expect(steps.find(({ structure }) => structure === "STE")?.raw).toEqual(ste);
  expect(steps.filter(({ structure }) => structure.startsWith("stage 2 level")).length).toBeGreaterThan(4);
});

test("whatever stands in the guest's memory, nothing of the host's is shown", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const next = chance(seed);
  const { cd, leaf, root } = await goodGuest();
  const places = [cd, cd + 8, root, Number(tables.peek(root) & 0xffff_ffff_f000n), leaf];
  const good = places.map((place) => tables.peek(place));
  for (let round = 0; round < 300; round += 1) {
    places.forEach((place, index) => {
      const flipped = next(3) === 0 ? at(1, next(64)) : 0n;
      tables.poke(place, good[index]! ^ flipped);
    });
    const access = (["read", "write", "execute"] as const)[next(3)]!;
    expectNothingOfTheHost({ access, privileged: next(2) === 0 }, `seed ${seed} round ${round}`);
  }
});

/** Every number of the host that the walk has met: addresses, and what stands in structures of its own. */
function hostNumbers(change: Partial<ExplainRequest> = {}): Set<bigint> {
  const { end, steps, writes } = explain({ ...change, showsHost: true });
  const found = new Set<bigint>();
  for (const { pa, raw, structure } of steps) {
    if (pa !== undefined) found.add(pa);
    const isHosts = structure.startsWith("stage 2") || /^(?:STE|STRTAB_BASE|L1STD)/.test(structure);
    if (isHosts) for (const word of raw) found.add(word);
  }
  for (const { pa } of writes) if (pa !== undefined) found.add(pa);
  if (end.kind === "ok" && end.pa !== undefined) found.add(end.pa);
  found.add(0x100n); // the host's StreamID
  // what is small by nature: doublewords of 0, and the second one of the STE, which is the guest's
  for (const small of [0n, 0xd4n]) found.delete(small);
  return found;
}

function expectNothingOfTheHost(change: Partial<ExplainRequest> = {}, label = ""): void {
  const secret = hostNumbers(change);
  expect(secret.size, label).toBeGreaterThan(3);
  const shown = numbersIn(explain(change));
  expect(
    [...shown].filter((number) => secret.has(number)).map((number) => `0x${number.toString(16)}`),
    label,
  ).toEqual([]);
}

/** Every number in a value: bigints, and what texts write in hexadecimal or decimal. */
function numbersIn(value: unknown): Set<bigint> {
  const found = new Set<bigint>();
  const look = (each: unknown): void => {
    if (typeof each === "bigint") found.add(each);
    else if (typeof each === "string") for (const [text] of each.matchAll(/0x[\da-f]+|\d+/g)) found.add(BigInt(text));
    else if (typeof each === "object" && each !== null) Object.values(each).forEach(look);
  };
  look(value);
  return found;
}

/** Numbers below a bound from a seed (Lehmer's generator). */
function chance(seed: number): (below: number) => number {
  let state = BigInt(seed % 2147483646) + 1n;
  return (below) => {
    state = (state * 48271n) % 2147483647n;
    return Number(state % BigInt(below));
  };
}
