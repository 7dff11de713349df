// The Event queue at its edges: wrap, overflow, aborts, interrupts (§3.5.3, §7.2, §7.4).
import { describe, expect, test } from "vitest";
import { EVENT_QUEUE, Machine, OFFSET } from "../../support/smmuv3-machine.ts";
import { at } from "../../support/smmuv3-tables.ts";

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
    expect(machine.smmu.counters).toMatchObject({ eventsRecorded: 2, eventsDropped: 2 });
    expect(machine.eventNumbers()).toEqual([4, 4]);
    expect(machine.read(1, 0)).toMatchObject({ recorded: true });
    machine.read(1, 0);
    machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(1); // not acknowledged: not toggled
    const cons = machine.smmu.read32(OFFSET.EVENTQ_PROD);
    machine.smmu.write32(OFFSET.EVENTQ_CONS, cons); // OVACKFLG = OVFLG, everything consumed
    for (let count = 0; count < 3; count++) machine.read(1, 0);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(0); // a new overflow
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
