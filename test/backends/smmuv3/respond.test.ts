// Stalled transactions: held under a STAG until software answers (§3.12.2, §4.6).
import { describe, expect, test } from "vitest";
import { CMDS, IDS, Machine, OFFSET } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, OPEN, stage1STE, stage2STE } from "../../support/smmuv3-tables.ts";

const SID = 12;
const S = at(1, 44);

function stallingMachine(options: { eventqBits?: number; ids?: Partial<typeof IDS> } = {}) {
  const machine = new Machine(options);
  const table = machine.allocate();
  machine.map(table, 0x1000, 0x4800_0000, OPEN); // makes the tables
  machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table, { extra0: S }))));
  return { machine, table };
}

describe("a stalled transaction", () => {
  test("is recorded with Stall and its STAG, and retried when software has repaired the tables", () => {
    const { machine, table } = stallingMachine();
    expect(machine.read(SID, 0x5000)).toMatchObject({ kind: "stalled", stag: 0, fault: { type: "F_TRANSLATION" } });
    expect(machine.read(SID, 0x6000)).toMatchObject({ kind: "stalled", stag: 1 });
    const [first, second] = machine.events();
    expect([first![1]! & 0x8000_ffffn, second![1]! & 0x8000_ffffn]).toEqual([0x8000_0000n, 0x8000_0001n]); // Stall 95, STAG [79:64]
    machine.map(table, 0x5000, 0x4900_0000, OPEN);
    machine.command(CMDS.resume(SID, 0, "retry"));
    expect(machine.smmu.takeResumed()).toMatchObject([{ stag: 0, outcome: { kind: "ok", pa: 0x4900_0000 } }]);
    expect(machine.smmu.takeResumed()).toEqual([]);
  });

  test("can be terminated with an abort or as RAZ/WI", () => {
    const { machine } = stallingMachine();
    machine.read(SID, 0x5000);
    machine.read(SID, 0x6000);
    machine.command(CMDS.resume(SID, 0, "abort"), CMDS.resume(SID, 1, "raz-wi"));
    expect(machine.smmu.takeResumed().map(({ stag, outcome }) => [stag, outcome.kind])).toEqual([
      [0, "abort"],
      [1, "raz-wi"],
    ]);
  });

  test("always aborts where RAZ/WI does not exist", () => {
    const { machine } = stallingMachine({ ids: { idr0: IDS.idr0 | (1 << 26) } });
    machine.read(SID, 0x5000);
    machine.command(CMDS.resume(SID, 0, "raz-wi"));
    expect(machine.smmu.takeResumed()).toMatchObject([{ outcome: { kind: "abort" } }]);
  });

  test("ignores a CMD_RESUME of another stream or an unknown STAG", () => {
    const { machine } = stallingMachine();
    machine.read(SID, 0x5000);
    machine.command(CMDS.resume(SID + 1, 0, "abort"), CMDS.resume(SID, 9, "abort"));
    expect(machine.smmu.takeResumed()).toEqual([]);
    machine.command(CMDS.stallTerm(SID + 1), CMDS.stallTerm(SID));
    expect(machine.smmu.takeResumed()).toMatchObject([{ stag: 0, outcome: { kind: "abort" } }]);
  });

  test("is terminated when SMMUEN is cleared, and its waiting record forgotten", () => {
    const { machine } = stallingMachine({ eventqBits: 0 });
    machine.read(SID, 0x5000);
    machine.read(SID, 0x6000);
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    expect(machine.smmu.takeResumed()).toHaveLength(2);
    expect(machine.events()).toHaveLength(1);
  });

  test("keeps its record until the queue has room: it is never dropped", () => {
    const { machine } = stallingMachine({ eventqBits: 1 });
    for (let page = 5; page < 9; page++) machine.read(SID, page * 0x1000);
    expect(machine.smmu.counters).toMatchObject({ eventsRecorded: 2, eventsDropped: 0 });
    expect(machine.events().map((record) => record[2])).toEqual([0x5000n, 0x6000n, 0x7000n, 0x8000n]);
    expect(machine.smmu.read32(OFFSET.EVENTQ_PROD) >>> 31).toBe(0); // not an overflow
  });

  test("that waits for room is tried again: tables repaired meanwhile let it go on without a record", () => {
    const { machine, table } = stallingMachine({ eventqBits: 0 });
    for (const page of [5, 6, 7]) machine.read(SID, page * 0x1000);
    machine.map(table, 0x6000, 0x4900_0000, OPEN);
    expect(machine.events().map((record) => record[2])).toEqual([0x5000n, 0x7000n]);
    expect(machine.smmu.takeResumed()).toMatchObject([{ stag: 1, outcome: { kind: "ok", pa: 0x4900_0000 } }]);
  });

  test("that waits for room follows a CD that was changed meanwhile: without S it aborts, with an event of its own", () => {
    const machine = new Machine({ eventqBits: 0 });
    const table = machine.allocate();
    const cd = machine.writeCD(contextDescriptor(table, { extra0: S }));
    machine.writeSTE(SID, stage1STE(cd));
    for (const page of [5, 6]) machine.read(SID, page * 0x1000);
    machine.writeCD(contextDescriptor(table), cd);
    machine.command(CMDS.cfgiCD(SID, 0), CMDS.sync());
    const records = machine.events();
    expect(records.map((record) => record[2])).toEqual([0x5000n, 0x6000n]);
    expect(records.map((record) => (record[1]! >> 31n) & 1n)).toEqual([1n, 0n]); // Stall, bit 95
    expect(machine.smmu.takeResumed()).toMatchObject([{ stag: 1, outcome: { kind: "abort", recorded: true } }]);
  });

  test("that was terminated while it waited for room is never recorded", () => {
    const { machine } = stallingMachine({ eventqBits: 0 });
    for (const page of [5, 6]) machine.read(SID, page * 0x1000);
    machine.command(CMDS.resume(SID, 1, "abort"));
    expect(machine.events().map((record) => record[2])).toEqual([0x5000n]);
  });

  test("of stage 2 follows S2S", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage2STE(machine.allocate(), { extra2: at(1, 57), record: false }));
    expect(machine.read(SID, 0x5000)).toMatchObject({ kind: "stalled", fault: { stage: 2 } });
    expect(machine.events()).toHaveLength(1);
  });
});

test("beyond STALL_MAX a transaction is terminated and recorded", () => {
  const { machine } = stallingMachine({ ids: { idr5: 0x0002_0075 } }); // STALL_MAX 2
  expect([5, 6, 7].map((page) => machine.read(SID, page * 0x1000).kind)).toEqual(["stalled", "stalled", "abort"]);
  expect(machine.events().map((record) => (record[1]! >> 31n) & 1n)).toEqual([1n, 1n, 0n]); // Stall, bit 95
  machine.command(CMDS.resume(SID, 0, "abort"));
  expect(machine.read(SID, 0x8000)).toMatchObject({ kind: "stalled", stag: 2 });
});
