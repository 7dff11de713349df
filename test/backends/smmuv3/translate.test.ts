import { describe, expect, test } from "vitest";
import { CMDS, Machine, OFFSET, RAM_BASE } from "../../support/smmuv3-machine.ts";
import {
  abortSTE,
  at,
  bypassSTE,
  contextDescriptor,
  LEAF,
  nestedSTE,
  OPEN,
  S2_OPEN,
  stage1STE,
  stage2STE,
} from "../../support/smmuv3-tables.ts";

const SID = 8;

/** One stream through stage 1: 0x1000 maps to 0x4800_0000. */
function stage1Machine(cd: Parameters<typeof contextDescriptor>[1] = {}): { machine: Machine; table: number } {
  const machine = new Machine();
  const table = machine.allocate();
  machine.map(table, 0x1000, 0x4800_0000, OPEN);
  machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table, cd)), { vmid: 3 }));
  return { machine, table };
}

/** What the SMMU supplies (§13.1.3). */
const WRITE_BACK = { memoryType: "Normal-iWB-oWB", shareability: "NSH", allocation: "iRAWAnTR-oRAWAnTR" };
const PASSED = { kind: "ok", pageBytes: 0, bypass: true, attributes: WRITE_BACK };

describe("configuration", () => {
  test("an SMMU that is not enabled passes addresses through, or aborts with GBPA.ABORT, without an event", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    expect(machine.read(SID, 0xdead_f000)).toEqual({ ...PASSED, pa: 0xdead_f000 });
    expect(machine.outcome(SID, 1n << 48n)).toBe("abort"); // beyond the OAS (§3.4)
    machine.smmu.write32(OFFSET.GBPA, 0x8010_0000); // Update, ABORT (§6.3.14)
    expect(machine.read(SID, 0x1000)).toEqual({ kind: "abort", fault: undefined, recorded: false });
    expect(machine.events()).toEqual([]);
  });

  test("a bypass STE passes the address through and records no event", () => {
    const machine = new Machine();
    machine.writeSTE(SID, bypassSTE());
    expect(machine.read(SID, 0xdead_f000)).toEqual({ ...PASSED, pa: 0xdead_f000 });
    expect(machine.events()).toEqual([]);
  });

  test("a bypassed address beyond the OAS is a stage 1 address size fault of class IN", () => {
    const machine = new Machine();
    machine.writeSTE(SID, bypassSTE());
    expect(machine.outcome(SID, 1n << 48n)).toBe("F_ADDR_SIZE");
    // §7.3.14: type 0x11, StreamID 8, RnW 99, CLASS IN [105:104], InputAddr
    expect(machine.events()).toEqual([[0x11n | at(SID, 32), at(1, 35) | at(2, 40), 1n << 48n, 0n]]);
  });

  test("an aborting STE terminates silently", () => {
    const machine = new Machine();
    machine.writeSTE(SID, abortSTE());
    expect(machine.read(SID, 0)).toEqual({ kind: "abort", fault: undefined, recorded: false });
    expect(machine.read(SID, 0, { ssid: 5 })).toEqual({ kind: "abort", fault: undefined, recorded: false }); // §7.3.9: first
    expect(machine.events()).toEqual([]);
  });

  test("an STE with V=0 is C_BAD_STE", () => {
    const machine = new Machine();
    expect(machine.outcome(SID, 0)).toBe("C_BAD_STE");
    expect(machine.events()).toEqual([[0x04n | at(SID, 32), 0n, 0n, 0n]]); // §7.3.5
  });

  test("a StreamID outside the table is recorded only with CR2.RECINVSID", () => {
    const machine = new Machine();
    const silent = new Machine({ cr2: 0 });
    expect(machine.outcome(256, 0)).toBe("C_BAD_STREAMID");
    expect(machine.eventNumbers()).toEqual([0x02]);
    expect(silent.read(256, 0)).toMatchObject({ kind: "abort", recorded: false });
    expect(silent.events()).toEqual([]);
  });

  test("an STE that the bus refuses is F_STE_FETCH with its address", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    machine.smmu.write64(OFFSET.STRTAB_BASE, 0x9000_0000n); // no RAM there
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    expect(machine.outcome(SID, 0)).toBe("F_STE_FETCH");
    expect(machine.events()).toEqual([[0x03n | at(SID, 32), 0n, 0n, 0x9000_0200n]]); // §7.3.4, FetchAddr [247:195]
  });

  test("a CD that the bus refuses is F_CD_FETCH, one with V=0 is C_BAD_CD", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage1STE(0x9000_0040));
    machine.writeSTE(SID + 1, stage1STE(machine.allocate()));
    expect(machine.outcome(SID, 0)).toBe("F_CD_FETCH");
    expect(machine.outcome(SID + 1, 0)).toBe("C_BAD_CD");
    expect(machine.events()).toEqual([
      [0x09n | at(SID, 32), 0n, 0n, 0x9000_0040n],
      [0x0an | at(SID + 1, 32), 0n, 0n, 0n],
    ]);
  });
});

describe("stage 1", () => {
  test("a page is translated with its offset, and its size reported", () => {
    const { machine } = stage1Machine();
    expect(machine.read(SID, 0x1abc)).toEqual({
      kind: "ok",
      pa: 0x4800_0abc,
      pageBytes: 0x1000,
      bypass: false,
      attributes: { memoryType: "Device-nGnRnE", shareability: "OSH", allocation: "" }, // MAIR is zero
    });
  });

  test("an unmapped address is F_TRANSLATION with the address as it came in", () => {
    const { machine } = stage1Machine();
    expect(machine.outcome(SID, 0x2004, "write", { privileged: true })).toBe("F_TRANSLATION");
    // §7.3.13: PnU 97, RnW 99 clear for a write, CLASS IN
    expect(machine.events()).toEqual([[0x10n | at(SID, 32), at(1, 33) | at(2, 40), 0x2004n, 0n]]);
  });

  test("an execute of a page with UXN is a permission fault with InD", () => {
    const { machine, table } = stage1Machine();
    machine.map(table, 0x5000, 0x4800_0000, OPEN | LEAF.UXN);
    expect(machine.outcome(SID, 0x5000, "execute")).toBe("F_PERMISSION");
    expect(machine.events()).toEqual([[0x13n | at(SID, 32), at(1, 34) | at(1, 35) | at(2, 40), 0x5000n, 0n]]);
  });

  test("an address outside TTB0's range faults unless TBI0 ignores its top byte", () => {
    const { machine } = stage1Machine();
    expect(machine.outcome(SID, 0xab00_0000_0000_1000n)).toBe("F_TRANSLATION");
    expect(machine.events()[0]![2]).toBe(0xab00_0000_0000_1000n);
    const ignoring = stage1Machine({ extra0: at(1, 38) }).machine; // TBI0
    expect(ignoring.outcome(SID, 0xab00_0000_0000_1000n)).toBe(0x4800_0000);
    expect(ignoring.outcome(SID, 0xab00_0080_0000_1000n)).toBe("F_TRANSLATION"); // bit 39 is beyond T0SZ=25
  });

  test("addresses with VA[55] set go to TTB1", () => {
    const machine = new Machine();
    const [low, high] = [machine.allocate(), machine.allocate()];
    machine.map(high, 0x3000, 0x4900_0000, OPEN);
    machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(low, { ttb1: high }))));
    expect(machine.outcome(SID, 0xffff_ff80_0000_3010n)).toBe(0x4900_0010);
    expect(machine.outcome(SID, 0x3010n)).toBe("F_TRANSLATION");
    expect(machine.outcome(SID, 0xffff_ff00_0000_3010n)).toBe("F_TRANSLATION"); // bit 39 clear
  });

  test("E0PD0 keeps unprivileged accesses out of TTB0", () => {
    const { machine } = stage1Machine({ extra1: at(1, 2) }); // bit 66
    expect(machine.outcome(SID, 0x1000)).toBe("F_TRANSLATION");
    expect(machine.outcome(SID, 0x1000, "read", { privileged: true })).toBe(0x4800_0000);
  });

  test("an output address beyond IPS is an address size fault", () => {
    const { machine, table } = stage1Machine({ ips: 0 }); // 32 bits
    machine.map(table, 0x4000, 0x1_0000_0000, OPEN);
    expect(machine.outcome(SID, 0x4000)).toBe("F_ADDR_SIZE");
  });

  test("a table that the bus refuses is F_WALK_EABT with class TTD and the descriptor's address", () => {
    const { machine, table } = stage1Machine();
    machine.poke(table + 8, 0x9000_0003n); // second GiB: a next table where no RAM is
    expect(machine.outcome(SID, 0x4000_0000)).toBe("F_WALK_EABT");
    expect(machine.events()).toEqual([[0x0bn | at(SID, 32), at(1, 35) | at(1, 40), 0x4000_0000n, 0x9000_0000n]]);
  });
});

describe("A, R and S", () => {
  test("A=0 completes a faulting access as RAZ/WI, R=0 keeps it out of the Event queue", () => {
    const quiet = stage1Machine({ abort: false, record: false }).machine;
    expect(quiet.read(SID, 0)).toMatchObject({ kind: "raz-wi", recorded: false });
    expect(quiet.events()).toEqual([]);
    const heard = stage1Machine({ abort: false }).machine;
    expect(heard.read(SID, 0)).toMatchObject({ kind: "raz-wi", recorded: true });
    expect(heard.eventNumbers()).toEqual([0x10]);
  });

  test("A=1 aborts a faulting access, R=0 keeps it out of the Event queue", () => {
    const quiet = stage1Machine({ record: false }).machine;
    expect(quiet.read(SID, 0)).toMatchObject({ kind: "abort", recorded: false });
    expect(quiet.events()).toEqual([]);
    const heard = stage1Machine().machine;
    expect(heard.read(SID, 0)).toMatchObject({ kind: "abort", recorded: true });
    expect(heard.eventNumbers()).toEqual([0x10]);
  });

  test("a walk abort ignores A and R", () => {
    const { machine, table } = stage1Machine({ abort: false, record: false });
    machine.poke(table, 0x9000_0003n);
    expect(machine.read(SID, 0)).toMatchObject({ kind: "abort", recorded: true });
  });

  test("S2R=0 keeps stage 2 faults out of the queue, and they always abort", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage2STE(machine.allocate(), { record: false }));
    expect(machine.read(SID, 0)).toMatchObject({ kind: "abort", recorded: false, fault: { stage: 2 } });
  });
});

describe("stage 2", () => {
  test("the input address is the IPA, and faults carry it", () => {
    const machine = new Machine();
    const table = machine.allocate();
    machine.map(table, 0x8000, 0x4a00_0000, S2_OPEN);
    machine.writeSTE(SID, stage2STE(table));
    expect(machine.read(SID, 0x8123)).toEqual({
      kind: "ok",
      pa: 0x4a00_0123,
      pageBytes: 0x1000,
      ipa: 0x8123,
      bypass: false,
      attributes: WRITE_BACK,
    });
    expect(machine.outcome(SID, 0x9123)).toBe("F_TRANSLATION");
    // S2 103, CLASS IN, IPA[55:12] at [247:204]
    expect(machine.events()).toEqual([[0x10n | at(SID, 32), at(1, 35) | at(1, 39) | at(2, 40), 0x9123n, 0x9000n]]);
  });

  test("an IPA beyond S2T0SZ is a stage 2 translation fault, one beyond the IAS a stage 1 address size fault", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage2STE(machine.allocate()));
    expect(machine.read(SID, 1n << 39n)).toMatchObject({ fault: { type: "F_TRANSLATION", stage: 2 } });
    expect(machine.read(SID, 1n << 48n)).toMatchObject({ fault: { type: "F_ADDR_SIZE", stage: 1 } });
  });

  test("a SubstreamID without stage 1 is C_BAD_SUBSTREAMID", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage2STE(machine.allocate()));
    expect(machine.outcome(SID, 0, "read", { ssid: 5 })).toBe("C_BAD_SUBSTREAMID");
    expect(machine.events()).toEqual([[0x08n | at(5, 12) | at(SID, 32), 0n, 0n, 0n]]); // §7.3.9: no SSV
  });
});

describe("nested", () => {
  /** IPA space: identity map of 64 MiB of RAM by stage 2 pages made on demand. */
  function nestedMachine(mapTables: boolean) {
    const machine = new Machine();
    const [stage1, stage2] = [machine.allocate(), machine.allocate()];
    machine.map(stage1, 0x1000, 0x7000, OPEN);
    const cd = machine.writeCD(contextDescriptor(stage1));
    machine.map(stage2, 0x7000, 0x4b00_0000, S2_OPEN);
    machine.map(stage2, cd, cd, S2_OPEN);
    const firstTable = machine.allocate(); // tables of stage 1 lie below this address
    if (mapTables) for (let page = RAM_BASE; page < firstTable; page += 4096) machine.map(stage2, page, page, S2_OPEN);
    machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(stage2, { vmid: 7 })));
    return { machine, stage1, stage2, cd };
  }

  test("stage 1's output goes through stage 2", () => {
    const { machine } = nestedMachine(true);
    expect(machine.read(SID, 0x1234)).toMatchObject({ kind: "ok", pa: 0x4b00_0234, ipa: 0x7234 });
    expect(machine.read(SID, 0x1238)).toMatchObject({ kind: "ok", pa: 0x4b00_0238, ipa: 0x7238 }); // from the TLB
    expect(machine.smmu.counters.tlbHit).toBe(1);
  });

  test("a stage 1 table that stage 2 does not map is a stage 2 fault of class TTD", () => {
    const { machine, stage1 } = nestedMachine(false);
    expect(machine.read(SID, 0x1234)).toMatchObject({
      fault: { type: "F_TRANSLATION", stage: 2, class: "TTD", ipa: stage1 },
    });
    expect(machine.events()).toEqual([
      [0x10n | at(SID, 32), at(1, 35) | at(1, 39) | at(1, 40), 0x1234n, BigInt(stage1)],
    ]);
  });

  test("a CD that stage 2 does not map is a stage 2 fault of class CD", () => {
    const { machine, stage2 } = nestedMachine(true);
    machine.writeSTE(SID, nestedSTE(stage1STE(0x3_0000), stage2STE(stage2)));
    expect(machine.read(SID, 0x1234)).toMatchObject({
      fault: { type: "F_TRANSLATION", stage: 2, class: "CD", ipa: 0x3_0000 },
    });
  });

  test("a final page that stage 2 makes read-only refuses a write with the final IPA", () => {
    const { machine, stage2 } = nestedMachine(true);
    machine.map(stage2, 0x7000, 0x4b00_0000, LEAF.AF | LEAF.S2_READ | LEAF.S2_NORMAL);
    expect(machine.outcome(SID, 0x1000)).toBe(0x4b00_0000);
    expect(machine.write(SID, 0x1000)).toMatchObject({
      fault: { type: "F_PERMISSION", stage: 2, class: "IN", ipa: 0x7000 },
    });
  });

  test("S2PTW refuses stage 1 tables in Device memory", () => {
    const { machine, stage1, stage2, cd } = nestedMachine(true);
    machine.map(stage2, stage1, stage1, LEAF.AF | LEAF.S2_READ | LEAF.S2_WRITE); // MemAttr 0: Device-nGnRnE
    machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(stage2, { extra2: at(1, 54) }))); // S2PTW, bit 182
    expect(machine.read(SID, 0x1000)).toMatchObject({
      fault: { type: "F_PERMISSION", stage: 2, class: "TTD", tableRead: true },
    });
    expect(machine.events()[0]![1]! & at(1, 44)).toBe(at(1, 44)); // TTRnW, bit 108
    machine.writeSTE(SID, nestedSTE(stage1STE(cd), stage2STE(stage2)));
    machine.command(CMDS.cfgiSTE(SID));
    expect(machine.outcome(SID, 0x1000)).toBe(0x4b00_0000);
  });
});

describe("counters", () => {
  test("count transactions, misses and walks; a tracked stream has its own", () => {
    const { machine } = stage1Machine();
    const stream = machine.smmu.trackStream(SID);
    expect(machine.smmu.trackStream(SID)).toBe(stream);
    machine.read(SID, 0x1000);
    machine.read(SID, 0x1008);
    machine.read(SID, 0x2000);
    machine.writeSTE(SID + 1, abortSTE());
    machine.smmu.trackStream(SID + 1);
    machine.read(SID + 1, 0);
    expect(stream).toMatchObject({ translationsOk: 2, translationsFaulted: 1, tlbHit: 1, tlbMiss: 2 });
    expect([...stream.faults.values()]).toEqual([{ type: "F_TRANSLATION", stage: 1, class: "IN", count: 1 }]);
    expect(machine.smmu.trackStream(SID + 1).translationsAborted).toBe(1);
    expect(machine.smmu.counters).toMatchObject({
      transaction: 4,
      configCacheMiss: 3, // STE and CD of one stream, STE of the other
      transTableWalkAccess: 7, // two walks of three levels; the second looked at the cached leaf table first
      configStructAccess: 3,
      eventsRecorded: 1,
    });
    machine.smmu.untrackStream(SID);
    machine.read(SID, 0x1000);
    expect(stream.translationsOk).toBe(2);
  });
});
