// What must end a remembered route or a cached translation, seen through the whole model; positions of bits are in support/.
import { describe, expect, test } from "vitest";
import { accessIndex } from "../../../src/backends/smmuv3/fast-path.ts";
import { CMDS, Machine, OFFSET } from "../../support/smmuv3-machine.ts";
import { contextDescriptor, LEAF, OPEN, stage1STE } from "../../support/smmuv3-tables.ts";

const SID = 5;
const PA = 0x4800_0000;

/** Pages 0x1000 (read and write) and 0x2000 (read-only), both read twice: the second time by the fast path. */
function warmMachine() {
  const machine = new Machine();
  const table = machine.allocate();
  machine.map(table, 0x1000, PA, OPEN);
  machine.map(table, 0x2000, PA + 0x1000, OPEN | LEAF.READ_ONLY);
  machine.writeSTE(SID, stage1STE(machine.writeCD(contextDescriptor(table))));
  for (const va of [0x1000, 0x1000, 0x2000, 0x2000]) machine.read(SID, va);
  return { machine, table };
}

describe("the fast path", () => {
  test("answers a hit without reading a table, and counts it", () => {
    const { machine } = warmMachine();
    const before = { ...machine.smmu.counters };
    expect(machine.read(SID, 0x1abc)).toEqual({
      kind: "ok",
      pa: PA + 0xabc,
      pageBytes: 4096,
      bypass: false,
      attributes: { memoryType: "Device-nGnRnE", shareability: "OSH", allocation: "" }, // MAIR is zero
    });
    const { transaction, tlbHit, tlbMiss, transTableWalkAccess } = machine.smmu.counters;
    expect([transaction, tlbHit, tlbMiss, transTableWalkAccess]).toEqual([
      before.transaction + 1,
      before.tlbHit + 1,
      before.tlbMiss,
      before.transTableWalkAccess,
    ]);
  });

  test("leaves what the entry does not grant to a walk, for each kind of access in turn", () => {
    const { machine } = warmMachine();
    expect(machine.outcome(SID, 0x2000, "write")).toBe("F_PERMISSION");
    expect(machine.outcome(SID, 0x1000, "write")).toBe(PA);
    expect(machine.outcome(SID, 0x2000, "read")).toBe(PA + 0x1000);
    expect(machine.outcome(SID, 0x1000, "execute", { privileged: true })).toBe("F_PERMISSION"); // writable below
    expect(machine.outcome(SID, 0x1000, "read", { privileged: true })).toBe(PA);
  });

  test("leaves an address outside TTB0's range to the general path", () => {
    const { machine } = warmMachine();
    for (const va of [0x80_0000_1000n, 0xffff_ffff_0000_1000n, 0x0100_0000_0000_1000n]) {
      expect(machine.outcome(SID, va)).toBe("F_TRANSLATION"); // T0SZ=25: 39 bits, no TBI
    }
  });

  test("leaves another stream and another substream to the general path", () => {
    const { machine } = warmMachine();
    expect(machine.outcome(SID + 1, 0x1000)).toBe("C_BAD_STE");
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 1 })).toBe("C_BAD_SUBSTREAMID");
    expect(machine.outcome(SID, 0x1000)).toBe(PA);
  });

  test("sees SMMUEN cleared and set again", () => {
    const { machine } = warmMachine();
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    expect(machine.outcome(SID, 0x1000)).toBe(0x1000); // bypass: GBPA.ABORT is 0
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    expect(machine.outcome(SID, 0x1000)).toBe(PA);
  });

  test("sees CMD_CFGI_STE and CMD_TLBI at once", () => {
    const { machine, table } = warmMachine();
    machine.map(table, 0x1000, PA + 0x10_0000, OPEN);
    expect(machine.outcome(SID, 0x1000)).toBe(PA);
    machine.command(CMDS.nsnhAll());
    expect(machine.outcome(SID, 0x1000)).toBe(PA + 0x10_0000);
    machine.writeSTE(SID, [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]); // Config=0b000: abort
    machine.command(CMDS.cfgiSTE(SID));
    expect(machine.outcome(SID, 0x1000)).toBe("abort");
  });

  test("counts for a stream that is tracked, from the moment it is until it is not", () => {
    const { machine } = warmMachine();
    const counters = machine.smmu.trackStream(SID);
    machine.read(SID, 0x1000);
    expect(counters).toMatchObject({ translationsOk: 1, tlbHit: 1, tlbMiss: 0 });
    machine.smmu.trackStream(SID + 1);
    machine.read(SID + 1, 0x1000);
    machine.read(SID, 0x1000);
    expect(counters).toMatchObject({ translationsOk: 2, tlbHit: 2 });
    machine.smmu.untrackStream(SID);
    machine.read(SID, 0x1000);
    expect(counters.translationsOk).toBe(2);
  });
});

test("an access has one place for each kind and privilege", () => {
  const kinds = ["read", "write", "execute"] as const;
  const places = [false, true].flatMap((privileged) => kinds.map((kind) => accessIndex(kind, privileged)));
  expect(places).toEqual([0, 1, 2, 3, 4, 5]);
});
