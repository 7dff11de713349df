// StreamID to STE in both table shapes (§3.3.2, §5.1).
import { describe, expect, test } from "vitest";
import { Machine, OFFSET, STREAM_TABLE } from "../../support/smmuv3-machine.ts";
import { at, bypassSTE } from "../../support/smmuv3-tables.ts";

const TWO_LEVEL = 1 << 16;

function twoLevel(log2Size: number, split: number, ids = {}): Machine {
  const machine = new Machine({ ids });
  machine.smmu.write32(OFFSET.CR0, 0b1100);
  machine.smmu.write32(OFFSET.STRTAB_BASE_CFG, log2Size | (split << 6) | TWO_LEVEL);
  machine.smmu.write32(OFFSET.CR0, 0b1101);
  return machine;
}

/** Points level 1 entry `index` at a level 2 table of 2^(span-1) STEs; returns its address. */
function addLevel2(machine: Machine, index: number, span: number): number {
  const table = machine.allocate(64 * 2 ** Math.max(0, span - 1));
  machine.poke(STREAM_TABLE + index * 8, BigInt(table) | BigInt(span));
  return table;
}

describe("a two-level Stream table", () => {
  test.each([6, 8, 10])("with SPLIT=%i finds an STE by both parts of the StreamID", (split) => {
    const machine = twoLevel(16, split);
    const table = addLevel2(machine, 3, split + 1);
    machine.poke(table + 5 * 64, bypassSTE()[0]);
    expect(machine.outcome(3 * 2 ** split + 5, 0x123)).toBe(0x123);
  });

  test("with a reserved SPLIT splits at 6", () => {
    const machine = twoLevel(16, 7);
    machine.poke(addLevel2(machine, 1, 7), bypassSTE()[0]);
    expect(machine.outcome(64, 0x123)).toBe(0x123);
  });

  test.each([
    ["Span 0", 0],
    ["a reserved Span", 12],
    ["a Span wider than SPLIT allows", 10],
  ])("with %s is C_BAD_STREAMID", (_, span) => {
    const machine = twoLevel(16, 8);
    machine.poke(STREAM_TABLE, BigInt(machine.allocate(0x1_0000)) | BigInt(span));
    expect(machine.outcome(0, 0)).toBe("C_BAD_STREAMID");
  });

  test("ends at 2^(Span-1) STEs", () => {
    const machine = twoLevel(16, 8);
    const table = addLevel2(machine, 0, 3);
    for (let index = 0; index < 8; index++) machine.poke(table + index * 64, bypassSTE()[0]);
    expect([3, 4].map((streamID) => machine.outcome(streamID, 0x10))).toEqual([0x10, "C_BAD_STREAMID"]);
  });

  test("aligns a level 2 table to its size", () => {
    const machine = twoLevel(16, 8);
    const table = machine.allocate(0x4000);
    machine.poke(STREAM_TABLE, BigInt(table) | at(1, 6) | 9n); // bit 6 set below a 16 KiB table
    machine.poke(table, bypassSTE()[0]);
    expect(machine.outcome(0, 0x10)).toBe(0x10);
  });

  test("a level 1 descriptor that the bus refuses is F_STE_FETCH at its address", () => {
    const machine = twoLevel(16, 8);
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    machine.smmu.write64(OFFSET.STRTAB_BASE, 0x9000_0000n);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    expect(machine.read(0x100, 0)).toMatchObject({ fault: { type: "F_STE_FETCH", fetchAddress: 0x9000_0008 } });
  });

  test("is linear where IDR0.ST_LEVEL says so", () => {
    const machine = twoLevel(8, 8, { idr0: 0x000c_121b });
    machine.writeSTE(7, bypassSTE());
    expect(machine.outcome(7, 0x10)).toBe(0x10);
  });
});

describe("a linear Stream table", () => {
  test("never reaches beyond SIDSIZE", () => {
    const machine = new Machine({ ids: { idr1: (10 << 21) | (7 << 16) | 4 } }); // SIDSIZE 4
    machine.writeSTE(15, bypassSTE());
    machine.writeSTE(16, bypassSTE());
    expect([15, 16].map((streamID) => machine.outcome(streamID, 0x10))).toEqual([0x10, "C_BAD_STREAMID"]);
  });

  test("lies at a base aligned to its size", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    machine.smmu.write64(OFFSET.STRTAB_BASE, BigInt(STREAM_TABLE) | 0x40n);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    machine.writeSTE(1, bypassSTE());
    expect(machine.outcome(1, 0x10)).toBe(0x10);
  });

  test("is out of reach beyond the OAS", () => {
    const machine = new Machine({ ids: { idr5: 0x0010_0070 } }); // OAS 32 bits
    machine.smmu.write32(OFFSET.CR0, 0b1100);
    machine.smmu.write64(OFFSET.STRTAB_BASE, 0x1_0000_0000n);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    expect(machine.outcome(0, 0)).toBe("F_STE_FETCH");
  });
});
