// SubstreamID to CD: table shapes, S1DSS, and what goes wrong (§3.3.3, §5.2, §7.3.7, §7.3.9).
import { describe, expect, test } from "vitest";
import { Machine } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, nestedSTE, OPEN, S2_OPEN, stage1STE, stage2STE } from "../../support/smmuv3-tables.ts";

const SID = 2;

/** A CD for `substreamID` whose page 0x1000 maps to a page that tells which CD it was. */
function writeContext(machine: Machine, address: number, substreamID: number): void {
  const table = machine.allocate();
  machine.map(table, 0x1000, pageOf(substreamID), OPEN);
  machine.writeCD(contextDescriptor(table, { asid: substreamID + 1 }), address);
}

function pageOf(substreamID: number): number {
  return 0x4800_0000 + substreamID * 0x1000;
}

describe("a CD table", () => {
  test("linear: one CD a SubstreamID", () => {
    const machine = new Machine();
    const cds = machine.allocate();
    for (const ssid of [0, 1, 15]) writeContext(machine, cds + ssid * 64, ssid);
    machine.writeSTE(SID, stage1STE(cds, { cdMax: 4 }));
    for (const ssid of [0, 1, 15]) expect(machine.outcome(SID, 0x1000, "read", { ssid })).toBe(pageOf(ssid));
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 16 })).toBe("C_BAD_SUBSTREAMID");
    expect(machine.events().at(-1)).toEqual([0x08n | at(16, 12) | at(SID, 32), 0n, 0n, 0n]);
  });

  test.each([
    ["64 CDs", 1, 6],
    ["1024 CDs", 2, 10],
  ])("two-level with leaves of %s", (_, fmt, leafBits) => {
    const machine = new Machine();
    const leaf = machine.allocate(64 * 2 ** leafBits);
    const level1 = machine.allocate();
    const ssid = 3 * 2 ** leafBits + 7;
    machine.poke(level1 + 3 * 8, BigInt(leaf) | 1n); // V, L2Ptr [55:12]
    machine.poke(level1 + 4 * 8, 0x9000_0001n);
    machine.poke(level1 + 5 * 8, at(1, 50) | 1n); // beyond the OAS
    writeContext(machine, leaf + 7 * 64, 7);
    machine.writeSTE(SID, stage1STE(level1, { cdMax: leafBits + 3, fmt }));
    expect(machine.outcome(SID, 0x1000, "read", { ssid })).toBe(pageOf(7));
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 0 })).toBe("C_BAD_SUBSTREAMID"); // V=0
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 4 * 2 ** leafBits })).toBe("F_CD_FETCH");
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 5 * 2 ** leafBits })).toBe("C_BAD_SUBSTREAMID");
  });

  test("a level 1 CD that the bus refuses is F_CD_FETCH with its address and the SubstreamID", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage1STE(0x9000_0000, { cdMax: 8, fmt: 1 }));
    machine.outcome(SID, 0, "read", { ssid: 70 });
    expect(machine.events()).toEqual([[0x09n | at(1, 11) | at(70, 12) | at(SID, 32), 0n, 0n, 0x9000_0008n]]);
  });

  test("in nested mode lies at IPAs, level 1 and leaf alike", () => {
    const machine = new Machine();
    const [level1, leaf, stage2] = [machine.allocate(), machine.allocate(), machine.allocate()];
    machine.poke(level1, 0x2_0001n); // leaf at IPA 0x2_0000
    machine.poke(level1 + 8, 0x3_0001n); // a leaf that stage 2 does not map
    machine.writeCD(contextDescriptor(0x5_0000), leaf);
    machine.map(stage2, 0x1_0000, level1, S2_OPEN);
    machine.map(stage2, 0x2_0000, leaf, S2_OPEN);
    machine.writeSTE(SID, nestedSTE(stage1STE(0x1_0000, { cdMax: 7, fmt: 1 }), stage2STE(stage2)));
    expect(machine.read(SID, 0x1000, { ssid: 0 })).toMatchObject({ fault: { stage: 2, class: "TTD", ipa: 0x5_0000 } });
    expect(machine.read(SID, 0, { ssid: 64 })).toMatchObject({ fault: { stage: 2, class: "CD", ipa: 0x3_0000 } });
  });

  test("in nested mode a leaf beyond 52 bits is out of range: no fault carries an address of more", () => {
    const machine = new Machine();
    const [level1, stage2] = [machine.allocate(), machine.allocate()];
    machine.poke(level1, at(1, 52) | 1n);
    machine.poke(level1 + 8, at(0xffff_ffff_fff, 12) | 1n);
    machine.poke(level1 + 16, at(1, 51) | 1n);
    machine.map(stage2, 0x1_0000, level1, S2_OPEN);
    machine.writeSTE(SID, nestedSTE(stage1STE(0x1_0000, { cdMax: 8, fmt: 1 }), stage2STE(stage2)));
    expect(machine.outcome(SID, 0, "read", { ssid: 0 })).toBe("C_BAD_SUBSTREAMID");
    expect(machine.outcome(SID, 0, "read", { ssid: 64 })).toBe("C_BAD_SUBSTREAMID");
    expect(machine.read(SID, 0, { ssid: 128 })).toMatchObject({ fault: { stage: 2, class: "CD", ipa: 2 ** 51 } });
  });
});

describe("S1DSS", () => {
  function outcomes(dss: number) {
    const machine = new Machine();
    const cds = machine.allocate();
    for (const ssid of [0, 1]) writeContext(machine, cds + ssid * 64, ssid);
    machine.writeSTE(SID, stage1STE(cds, { cdMax: 1, dss }));
    expect(machine.outcome(SID, 0x1000, "read", { ssid: 1 })).toBe(pageOf(1)); // whatever S1DSS is
    return [machine.outcome(SID, 0x1000), machine.outcome(SID, 0x1000, "read", { ssid: 0 })];
  }

  test.each([
    ["0: traffic without a SubstreamID is disabled", 0, ["F_STREAM_DISABLED", pageOf(0)]],
    ["1: it bypasses stage 1", 1, [0x1000, pageOf(0)]],
    ["2: it uses CD 0, which is then closed to SubstreamID 0", 2, [pageOf(0), "F_STREAM_DISABLED"]],
    ["3: reserved, as 0", 3, ["F_STREAM_DISABLED", pageOf(0)]],
  ])("%s", (_, dss, expected) => {
    expect(outcomes(dss)).toEqual(expected);
  });

  test("a disabled stream's record has the StreamID only", () => {
    const machine = new Machine();
    machine.writeSTE(SID, stage1STE(machine.allocate(), { cdMax: 1, dss: 2 }));
    machine.outcome(SID, 0x1000, "read", { ssid: 0 });
    expect(machine.events()).toEqual([[0x06n | at(SID, 32), 0n, 0n, 0n]]);
  });
});

test("a SubstreamID is refused where substreams are off, and S1CDMax ignored where they do not exist", () => {
  const machine = new Machine();
  writeContext(machine, machine.allocate(), 0);
  machine.writeSTE(SID, stage1STE(machine.allocate()));
  expect(machine.outcome(SID, 0, "read", { ssid: 0 })).toBe("C_BAD_SUBSTREAMID");
  const none = new Machine({ ids: { idr1: (10 << 21) | (7 << 16) | 16 } }); // SSIDSIZE 0
  const cd = none.allocate();
  writeContext(none, cd, 0);
  none.writeSTE(SID, stage1STE(cd, { cdMax: 5, fmt: 1 }));
  expect(none.outcome(SID, 0x1000)).toBe(pageOf(0));
  expect(none.outcome(SID, 0x1000, "read", { ssid: 0 })).toBe("C_BAD_SUBSTREAMID");
});
