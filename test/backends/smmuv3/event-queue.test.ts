// The Event queue at its edges: wrap, overflow, aborts, interrupts (§3.5.3, §7.2, §7.4).
import { describe, expect, test } from "vitest";
import { CMDS, EVENT_QUEUE, IDS, Machine, type MachineOptions, OFFSET } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, OPEN, stage1STE } from "../../support/smmuv3-tables.ts";

describe("the event queue", () => {
  test("wraps, and interrupts when it goes from empty to non-empty", () => {
    const machine = new Machine({ eventqBits: 1 });
    for (let round = 0; round < 5; round++) {
      machine.read(round, 0);
      machine.read(round, 0);
      expect(machine.eventNumbers()).toEqual([4, 4]);
    }
    expect(machine.eventInterrupts).toBe(5);
  });

  test("a full queue drops records and flags it once until software acknowledges", () => {
    const machine = new Machine({ eventqBits: 1 });
    for (let count = 0; count < 4; count++) machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(1); // OVFLG
    expect(machine.smmu.counters).toMatchObject({ eventsRecorded: 2, eventsDropped: 2, eventQueueOverflows: 1 });
    expect(machine.eventNumbers()).toEqual([4, 4]);
    expect(machine.read(1, 0)).toMatchObject({ recorded: true });
    machine.read(1, 0);
    machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(1); // not acknowledged: not toggled
    const cons = machine.smmu.read32(OFFSET.EVENTQ_PROD);
    machine.smmu.write32(OFFSET.EVENTQ_CONS, cons); // OVACKFLG = OVFLG, everything consumed
    for (let count = 0; count < 3; count++) machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(0); // a new overflow
    expect(machine.smmu.counters.eventQueueOverflows).toBe(2);
  });

  test("records nothing while EVENTQEN is 0", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b1001);
    expect(machine.read(1, 0)).toMatchObject({ kind: "abort", recorded: false });
    expect(machine.smmu.counters.eventsDropped).toBe(1);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD)).toBe(0);
  });

  test("an aborted write is a global error, and records are lost until it is acknowledged", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b1001);
    machine.smmu.write64(OFFSET.EVENTQ_BASE, 0x9000_0005n);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.GERROR)).toBe(4); // EVENTQ_ABT_ERR
    machine.read(1, 0);
    expect(machine.smmu.counters.eventsDropped).toBe(2);
    machine.smmu.write32(OFFSET.GERRORN, 4);
    machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.GERROR)).toBe(0);
    expect(machine.gerrorInterrupts).toBe(2);
  });

  test("IRQ_CTRL gates both interrupt lines", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.IRQ_CTRL, 0);
    machine.read(1, 0);
    machine.command([0xffn, 0n]);
    expect([machine.eventInterrupts, machine.gerrorInterrupts]).toEqual([0, 0]);
    expect(machine.smmu.read32(0x54)).toBe(0);
  });

  test("a record lies where PROD says, in a queue aligned to its size", () => {
    const machine = new Machine();
    machine.read(1, 0);
    expect(machine.peek(EVENT_QUEUE)).toBe(0x04n | at(1, 32));
  });
});

/** STE.MEV, bit 83 (§5.2). */
const MEV = at(1, 83 - 64);

describe("merging of equal records (§7.3.1)", () => {
  const SID = 12;

  /** A stream whose table maps one page at 0; every other page is an F_TRANSLATION. */
  function merging(options: MachineOptions & { mev?: bigint; cd?: bigint } = {}): Machine {
    const machine = new Machine({ mergesEvents: true, ...options });
    const table = machine.allocate();
    machine.map(table, 0, 0x4800_0000, OPEN);
    const [w0, w1, ...rest] = stage1STE(machine.writeCD(contextDescriptor(table, { extra0: options.cd ?? 0n })));
    machine.writeSTE(SID, [w0, w1 | (options.mev ?? MEV), ...rest]);
    return machine;
  }
  const recorded = (machine: Machine) => {
    const { eventsMerged, eventsRecorded } = machine.smmu.counters;
    return { recorded: eventsRecorded, merged: eventsMerged };
  };

  test("a record equal to the last but for InputAddr[11:0] is merged, and the first one stays", () => {
    const machine = merging();
    machine.read(SID, 0x5008);
    expect(machine.read(SID, 0x5ff0)).toMatchObject({ kind: "abort", recorded: true });
    expect(recorded(machine)).toEqual({ recorded: 1, merged: 1 });
    expect(machine.events().map((record) => record[2])).toEqual([0x5008n]);
    expect(machine.eventInterrupts).toBe(1);
  });

  test.each<[string, (machine: Machine) => unknown]>([
    ["another page", (machine) => machine.read(SID, 0x6000)],
    ["a page 4 GiB away", (machine) => machine.read(SID, 0x1_0000_5000n)],
    ["a write", (machine) => machine.write(SID, 0x5000)],
    ["a privileged read", (machine) => machine.read(SID, 0x5000, { privileged: true })],
    ["another kind of event", (machine) => machine.read(SID, 0x5000, { ssid: 1 })],
    ["another stream", (machine) => machine.read(SID + 1, 0x5000)],
  ])("%s has a record of its own", (_, other) => {
    const machine = merging();
    machine.read(SID, 0x5000);
    other(machine);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 0 });
  });

  test("only the last record counts: one in between keeps the next apart", () => {
    const machine = merging();
    for (const iova of [0x5000, 0x6000, 0x5000]) machine.read(SID, iova);
    expect(recorded(machine)).toEqual({ recorded: 3, merged: 0 });
  });

  test("a record that software has consumed is merged with no more", () => {
    const machine = merging();
    machine.read(SID, 0x5000);
    expect(machine.events()).toHaveLength(1);
    machine.read(SID, 0x5000);
    expect(machine.events()).toHaveLength(1);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 0 });
  });

  test("MEV=0 forbids it, and MEV=1 counts once the STE is fetched again", () => {
    const machine = merging({ mev: 0n });
    machine.read(SID, 0x5000);
    machine.read(SID, 0x5000);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 0 });
    machine.poke(0x4000_0000 + SID * 64 + 8, machine.peek(0x4000_0000 + SID * 64 + 8) | MEV);
    machine.command(CMDS.cfgiSTE(SID));
    machine.read(SID, 0x5000);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 1 });
  });

  test("C_BAD_STE and C_BAD_STREAMID have no STE to ask, and merge", () => {
    const machine = merging();
    for (let count = 0; count < 3; count++) machine.read(SID + 1, 0); // V=0
    for (let count = 0; count < 3; count++) machine.read(0x1000, 0); // beyond the table
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 4 });
    expect(machine.eventNumbers()).toEqual([4, 2]);
  });

  test("so does F_STE_FETCH", () => {
    const machine = merging();
    machine.smmu.write32(OFFSET.CR0, 0b1100); // SMMUEN 0: the stream table may move
    machine.smmu.write64(OFFSET.STRTAB_BASE, 0x9000_0000n); // no memory there
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    machine.read(SID, 0);
    machine.read(SID, 0);
    expect(recorded(machine)).toEqual({ recorded: 1, merged: 1 });
    expect(machine.eventNumbers()).toEqual([3]);
  });

  test("records of stalls never merge, nor does anything with them", () => {
    const machine = merging({ cd: at(1, 44), ids: { idr5: (IDS.idr5 & 0xffff) | (1 << 16) } }); // CD.S; STALL_MAX 1
    expect(machine.read(SID, 0x5000).kind).toBe("stalled");
    expect(machine.read(SID, 0x5000).kind).toBe("abort"); // no room to stall: Stall=0
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 0 });
    machine.command(CMDS.resume(SID, 0, "abort"));
    expect(machine.read(SID, 0x5000).kind).toBe("stalled");
    expect(recorded(machine)).toEqual({ recorded: 3, merged: 0 });
  });

  test("in a full queue a merged record is neither lost nor an overflow", () => {
    const machine = merging({ eventqBits: 1 });
    machine.read(SID, 0x5000);
    machine.read(SID, 0x6000);
    machine.read(SID, 0x6008);
    expect(machine.smmu.counters.eventsDropped).toBe(0);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(0);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 1 });
  });

  test("while EVENTQEN is 0 nothing merges, and a queue that was moved begins anew", () => {
    const machine = merging();
    machine.read(SID, 0x5000);
    machine.smmu.write32(OFFSET.CR0, 0b1001);
    expect(machine.read(SID, 0x5000)).toMatchObject({ recorded: false });
    machine.smmu.write64(OFFSET.EVENTQ_BASE, BigInt(EVENT_QUEUE + 0x1000) | 5n);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    machine.read(SID, 0x5000);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 0 });
  });

  test("it is off unless asked for", () => {
    const machine = merging({ mergesEvents: false });
    machine.read(SID, 0x5000);
    machine.read(SID, 0x5000);
    expect(recorded(machine)).toEqual({ recorded: 2, merged: 0 });
  });
});
