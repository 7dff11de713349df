// Invalidation is exact: what a command must drop is gone, and what it need not drop is still there.
// What must go is written down here from the text; where a TG or TTL hint does not match, both are allowed.
// Source: IHI 0070G.b §4.3, §4.4, §3.17; DDI 0487 D8.16 (tables belong to their ASID, whatever their leaves' nG).

import { expect, test } from "vitest";
import { Chance } from "../../oracle/chance.ts";
import { type Cached, InvalidationWorld, type Regime } from "../../support/invalidation-world.ts";
import { CMDS, Machine } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, OPEN, stage1STE } from "../../support/smmuv3-tables.ts";

const CASES = Number(process.env.IOMMU_BROKER_ORACLE_CASES ?? 2000) / 10;
const SEED = Number(process.env.IOMMU_BROKER_ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));

const OPCODE = {
  NH_ALL: 0x10,
  NH_ASID: 0x11,
  NH_VA: 0x12,
  NH_VAA: 0x13,
  EL2_ALL: 0x20,
  EL2_ASID: 0x21,
  EL2_VA: 0x22,
  EL2_VAA: 0x23,
  S12_VMALL: 0x28,
  S2_IPA: 0x2a,
  NSNH_ALL: 0x30,
} as const;
type Name = keyof typeof OPCODE;

interface Command {
  readonly name: Name;
  readonly vmid: number;
  readonly asid: number;
  readonly leaf: boolean;
  readonly address: number;
  /** log2 of TG's granule; 0: no TG. */
  readonly granule: number;
  readonly num: number;
  readonly scale: number;
  readonly ttl: number;
}

interface Setting {
  readonly vmw: number;
  readonly e2h: boolean;
}

type Fate = "dies" | "lives" | "either";

/** What the text says of one cached thing. */
function fateOf(command: Command, cached: Cached, { vmw, e2h }: Setting): Fate {
  const { name } = command;
  const wild = vmw > 4 ? 0 : vmw;
  const isInVmid = command.vmid >> wild === cached.vmid >> wild;
  const hasASID = command.asid === cached.asid;
  const isTable = cached.what === "table";
  const isIn = (...regimes: readonly Regime[]): boolean => regimes.includes(cached.regime);
  const onlyIf = (condition: boolean): Fate => (condition ? "dies" : "lives");
  const byAddress = (condition: boolean): Fate => {
    if (!condition || (isTable && command.leaf)) return "lives";
    return addressFate(command, cached);
  };
  switch (name) {
    case "NH_ALL":
      return onlyIf(isIn("EL1") && isInVmid);
    case "NH_ASID":
      return onlyIf(isIn("EL1") && isInVmid && hasASID && !cached.isGlobal);
    case "NH_VA":
      return byAddress(isIn("EL1") && isInVmid && (hasASID || cached.isGlobal));
    case "NH_VAA":
      return byAddress(isIn("EL1") && isInVmid);
    case "EL2_ALL":
      return onlyIf(isIn("EL2", "EL2-E2H"));
    case "EL2_ASID":
      return onlyIf(isIn("EL2-E2H") && hasASID && !cached.isGlobal);
    case "EL2_VA":
      return byAddress(isIn(e2h ? "EL2-E2H" : "EL2") && (!e2h || hasASID || cached.isGlobal));
    case "EL2_VAA":
      return byAddress(isIn(e2h ? "EL2-E2H" : "EL2"));
    case "S12_VMALL":
      return onlyIf(isIn("EL1", "IPA") && isInVmid);
    case "S2_IPA":
      return byAddress(isIn("IPA") && isInVmid);
    case "NSNH_ALL":
      return onlyIf(isIn("EL1", "IPA"));
  }
}

/** §4.4 for single addresses, whose bits below the entry's size are ignored; §4.4.1.1 for ranges and hints. */
function addressFate(command: Command, cached: Cached): Fate {
  const { granule, address, ttl } = command;
  const bytes = granule === 0 ? 1 : (command.num + 1) * 2 ** command.scale * 2 ** granule;
  if (address >= cached.base + cached.bytes || address + bytes <= cached.base) return "lives";
  if (granule === 0) return "dies";
  const isHinted = ttl === 0 || (cached.what === "leaf" ? ttl === cached.level : ttl > cached.level);
  return granule === cached.granule && isHinted ? "dies" : "either";
}

function randomCommand(chance: Chance, cached: readonly Cached[]): Command {
  const name = chance.pick<Name>(
    ...(["NH_VA", "NH_VA", "NH_VA", "NH_VAA", "S2_IPA", "S2_IPA", "EL2_VA", "EL2_VAA"] as const),
    ...(["NH_ALL", "NH_ASID", "EL2_ALL", "EL2_ASID", "S12_VMALL", "NSNH_ALL"] as const),
  );
  const isIPA = name === "S2_IPA" || name === "S12_VMALL";
  const wanted = cached.filter((each) => isIPA === (each.regime === "IPA"));
  const target = wanted[chance.below(wanted.length)] ?? cached[0]!;
  const granule = chance.oneIn(2) ? 0 : chance.oneIn(3) ? chance.pick(12, 14, 16) : target.granule;
  const [num, scale] = granule === 0 ? [0, 0] : [chance.oneIn(3) ? 0 : chance.below(32), chance.below(4)];
  const isRange = num > 0 || scale > 0;
  const ttl = granule === 0 ? 0 : isRange && chance.oneIn(2) ? 0 : chance.pick(2, 3, 3);
  const inside = target.base + chance.below(Math.min(target.bytes, 2 ** 30) / 4096) * 4096;
  const aim = chance.oneIn(3) ? inside + 2 ** chance.pick(12, 14, 16, 21, 25) * (chance.below(7) - 3) : inside;
  // unaligned addresses make the range UNPREDICTABLE (§4.4.1.1)
  const alignment = granule === 0 ? 12 : ttl === 2 ? 2 * granule - 3 : granule;
  const address = Math.floor(Math.max(aim, 0) / 2 ** alignment) * 2 ** alignment;
  const vmid = chance.oneIn(3) ? chance.pick(0, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21) : target.vmid;
  const asid = chance.oneIn(3) ? chance.below(3) : target.asid;
  return { name, vmid, asid, leaf: chance.oneIn(2), address, granule, num, scale, ttl };
}

/** Bits as §4.4 prints them. */
function encoded(command: Command): readonly [bigint, bigint] {
  const { name, vmid, asid, leaf, address, granule, num, scale, ttl } = command;
  const tg = granule === 0 ? 0 : (granule - 10) / 2; // 1 4K, 2 16K, 3 64K
  const hasASID = ["NH_VA", "NH_ASID", "EL2_VA", "EL2_ASID"].includes(name);
  const hasAddress = /_(?:VA|VAA|IPA)$/.test(name);
  const lo = at(OPCODE[name], 0) | (name.startsWith("EL2") ? 0n : at(vmid, 32)) | (hasASID ? at(asid, 48) : 0n);
  if (!hasAddress) return [lo, 0n];
  return [lo | at(num, 12) | at(scale, 20), BigInt(address) | (leaf ? 1n : 0n) | at(ttl, 8) | at(tg, 10)];
}

/** The same world each time; leaves and tables are judged in two, for to look at one is to disturb the other. */
function judge(seed: number, what: Cached["what"], tally: Map<string, number>): string[] {
  const chance = new Chance(BigInt(seed));
  const world = new InvalidationWorld(chance);
  world.fill();
  const held = what === "leaf" ? world.cached.filter((each) => each.what === "leaf") : world.heldTables();
  const command = randomCommand(chance, world.cached);
  world.change();
  world.machine.command(encoded(command), CMDS.sync());
  if (world.machine.commandError !== 0) return [`${JSON.stringify(command)} was refused`];
  // stage 2 first: a nested translation that walks again goes through its cache
  const inOrder = [...held].sort((a, b) => Number(b.regime === "IPA") - Number(a.regime === "IPA"));
  return inOrder.flatMap((each) => {
    const wanted = fateOf(command, each, world);
    const found = world.isStale(each) ? "lives" : "dies";
    const key = `${what} ${wanted}`;
    tally.set(key, (tally.get(key) ?? 0) + 1);
    return wanted === "either" || wanted === found
      ? []
      : [`${JSON.stringify(each)} ${found}, ${JSON.stringify(command)}`];
  });
}

test(`what must die dies, what need not lives: ${CASES} random commands (seed ${SEED})`, { timeout: 3_600_000 }, () => {
  const tally = new Map<string, number>();
  for (let index = 0; index < CASES; index++) {
    const seed = SEED + index;
    const found = [...judge(seed, "leaf", tally), ...judge(seed, "table", tally)];
    expect(found, `seed ${seed}`).toEqual([]);
  }
  for (const key of ["leaf dies", "leaf lives", "table dies", "table lives"]) {
    expect(tally.get(key) ?? 0, key).toBeGreaterThan(CASES / 20);
  }
});

/** Streams 8 to 15 with four CDs each. New STEs lead to other CDs; the old CDs have new tables. */
function configured() {
  const machine = new Machine();
  const streams = [8, 9, 10, 11, 12, 13, 14, 15];
  const leading = (pa: number): number => {
    const table = machine.allocate();
    machine.map(table, 0, pa, OPEN);
    return table;
  };
  const [old, viaOldSTE, fresh] = [0x9000_0000, 0xa000_0000, 0xb000_0000].map(leading) as [number, number, number];
  const cds = streams.map(() => [machine.allocate(), machine.allocate()] as const);
  streams.forEach((streamID, index) => {
    const [from, to] = cds[index]!;
    for (let ssid = 0; ssid < 4; ssid++) {
      machine.writeCD(contextDescriptor(old, { asid: ssid }), from + 64 * ssid);
      machine.writeCD(contextDescriptor(fresh, { asid: ssid }), to + 64 * ssid);
    }
    machine.writeSTE(streamID, stage1STE(from, { cdMax: 2, vmid: streamID }));
  });
  return { machine, streams, cds, viaOldSTE };
}

test(`CMD_CFGI_* drop the STEs and CDs they name and no others (seed ${SEED})`, () => {
  for (let index = 0; index < CASES / 2; index++) {
    const seed = SEED + index;
    const chance = new Chance(BigInt(seed));
    const { machine, streams, cds, viaOldSTE } = configured();
    const all = streams.flatMap((streamID) => [0, 1, 2, 3].map((ssid) => ({ streamID, ssid })));
    for (const { streamID, ssid } of all) expect(machine.outcome(streamID, 0, "read", { ssid })).toBe(0x9000_0000);
    streams.forEach((streamID, place) => {
      const [from, to] = cds[place]!;
      for (let ssid = 0; ssid < 4; ssid++)
        machine.writeCD(contextDescriptor(viaOldSTE, { asid: ssid }), from + 64 * ssid);
      machine.writeSTE(streamID, stage1STE(to, { cdMax: 2, vmid: streamID }));
    });
    const streamID = 6 + chance.below(12);
    const ssid = chance.below(5);
    const leaf = chance.bits(1);
    const range = chance.oneIn(6) ? 31 : chance.below(4);
    const first = streamID - (streamID % 2 ** (range + 1));
    const name = chance.pick("CFGI_STE", "CFGI_STE_RANGE", "CFGI_CD", "CFGI_CD_ALL");
    const [lo, hi] = {
      CFGI_STE: [at(0x03, 0) | at(streamID, 32), leaf],
      CFGI_STE_RANGE: [at(0x04, 0) | at(streamID, 32), BigInt(range)],
      CFGI_CD: [at(0x05, 0) | at(ssid, 12) | at(streamID, 32), leaf],
      CFGI_CD_ALL: [at(0x06, 0) | at(streamID, 32), 0n],
    }[name] as [bigint, bigint];
    // a translation of before would hide what the configuration leads to
    machine.command([lo, hi], CMDS.nsnhAll(), CMDS.sync());
    const wanted = all.map((each) => {
      const isIts = each.streamID === streamID;
      const isInRange = range === 31 || (each.streamID >= first && each.streamID < first + 2 ** (range + 1));
      if ((name === "CFGI_STE" && isIts) || (name === "CFGI_STE_RANGE" && isInRange)) return 0xb000_0000;
      if (isIts && (name === "CFGI_CD_ALL" || (name === "CFGI_CD" && each.ssid === ssid))) return 0xa000_0000;
      return 0x9000_0000;
    });
    const found = all.map((each) => machine.outcome(each.streamID, 0, "read", { ssid: each.ssid }));
    expect(found, `seed ${seed}: ${name} ${streamID} ${ssid} ${range}`).toEqual(wanted);
  }
});
