// One seed for each rule that only a host can break: STE and Stream table of a model without a host around it.
// What is said names the rule and the ID register's field, and no value of stage 2 or of the Stream table.
// Source: IHI 0070G.b §5.2.2 (SteIllegal), §7.3.3, §7.3.4.

import { describe, expect, test } from "vitest";
import type { Access } from "../../../src/backends/smmuv3/smmu.ts";
import { diagnoseRaw } from "../../support/raw-fault.ts";
import { EVENT_QUEUE, IDS, Machine, OFFSET, STREAM_TABLE } from "../../support/smmuv3-machine.ts";
import { at, contextDescriptor, type Doublewords, stage1STE, stage2STE } from "../../support/smmuv3-tables.ts";

const STREAM = 8;
const SECRET = 0x4abc_d000;
const S1 = stage1STE(SECRET);
const S2 = stage2STE(SECRET);

/** Bits over the whole structure, as the manual counts them. */
function flipped(ste: Doublewords, bits: bigint): Doublewords {
  const words: Doublewords = [...ste];
  words.forEach((word, index) => {
    words[index] = word ^ BigInt.asUintN(64, bits >> BigInt(64 * index));
  });
  return words;
}

interface HostSeed {
  readonly ids?: Partial<typeof IDS>;
  readonly ste: Doublewords;
  readonly prepare?: (machine: Machine) => void;
  readonly streamID?: number;
  readonly rule: string;
  readonly section?: string;
  readonly structure?: string;
  readonly fields?: Readonly<Record<string, bigint>>;
  readonly summary: string;
}

const IDR0 = IDS.idr0;
const ATS = 2 ** 10;

const SEEDS: Readonly<Record<string, HostSeed>> = {
  "V is 0": { ste: flipped(S1, 1n), rule: "STE_NOT_VALID", summary: "STE.V is 0" },
  "stage 1 that there is not": {
    ids: { idr0: IDR0 - 2 },
    ste: S1,
    rule: "STE_STAGE1_ABSENT",
    fields: { "IDR0.S1P": 0n },
    summary: "STE.Config asks for stage 1, and IDR0.S1P is 0",
  },
  "stage 2 that there is not": {
    ids: { idr0: IDR0 - 1 },
    ste: S2,
    rule: "STE_STAGE2_ABSENT",
    fields: { "IDR0.S2P": 0n },
    summary: "STE.Config asks for stage 2, and IDR0.S2P is 0",
  },
  "a reserved STRW": {
    ste: flipped(S1, at(1, 94)),
    rule: "STE_STRW_RESERVED",
    summary: "STE.STRW is a reserved encoding",
  },
  "a VMID of 16 bits": {
    ids: { idr0: IDR0 - 2 ** 18 },
    ste: stage2STE(SECRET, { vmid: 0x1234 }),
    rule: "STE_VMID_SIZE",
    fields: { "IDR0.VMID16": 0n },
    summary: "STE.S2VMID needs 16 bits, and IDR0.VMID16 is 0",
  },
  "EATS 1 over a stage 2 that stalls": {
    ids: { idr0: IDR0 + ATS },
    ste: flipped(S2, at(1, 92) | at(1, 185)),
    rule: "STE_ATS_STALLS",
    fields: { "STE.EATS": 1n },
    summary: "STE.EATS is 1, and stage 2 stalls",
  },
  "EATS 2 without stage 1": {
    ids: { idr0: IDR0 + ATS },
    ste: flipped(S2, at(2, 92)),
    rule: "STE_ATS_SPLIT",
    fields: { "STE.EATS": 2n, "IDR0.NS1ATS": 0n },
    summary: "STE.EATS is 2, which needs both stages, no stall of stage 2 and IDR0.NS1ATS 0",
  },
  "EATS 3 at EL2": {
    ids: { idr0: IDR0 + ATS, idr3: IDS.idr3 + 2 ** 15 },
    ste: flipped(S1, at(3, 92) | at(2, 94)),
    rule: "STE_ATS_DPT",
    fields: { "STE.EATS": 3n, "IDR3.DPT": 1n },
    summary: "STE.EATS is 3 outside EL1, or where stage 2 stalls",
  },
  // without stage 2 the pointer is judged; it is of stage 1, and so its value is told
  "a CD beyond the output size": {
    ste: stage1STE(2 ** 48),
    rule: "STE_CD_ADDRESS",
    fields: { "STE.S1ContextPtr": 1n << 48n },
    summary: "STE.S1ContextPtr 0x1000000000000 has more than 48 bits",
  },
  "a stage 2 format that there is not": {
    ste: flipped(S2, at(1, 179)),
    rule: "STE_S2_FORMAT",
    fields: { "IDR0.TTF": 2n },
    summary: "STE.S2AA64 asks for a format that IDR0.TTF does not offer",
  },
  "S2FWB with VMSAv8-32": {
    ids: { idr0: IDR0 + 4, idr3: IDS.idr3 + 2 ** 8 },
    ste: flipped(S2, at(1, 179) | at(1, 89)),
    rule: "STE_S2_FORCED_WRITEBACK",
    summary: "STE.S2FWB is 1 with STE.S2AA64 0",
  },
  "a stage 2 that stalls where nothing does": {
    ids: { idr0: IDR0 + 2 ** 24 },
    ste: flipped(S2, at(1, 185)),
    rule: "STE_S2_STALL",
    fields: { "IDR0.STALL_MODEL": 1n },
    summary: "STE.S2S is 1, and IDR0.STALL_MODEL is 1: nothing stalls",
  },
  "a stage 2 that does not stall where everything does": {
    ids: { idr0: IDR0 + 2 ** 25 },
    ste: S2,
    rule: "STE_S2_STALL_FORCED",
    fields: { "IDR0.STALL_MODEL": 2n },
    summary: "STE.S2S is 0, and IDR0.STALL_MODEL is 2: everything stalls",
  },
  "a big-endian stage 2 where tables are little-endian": {
    ids: { idr0: IDR0 + 2 ** 22 },
    ste: flipped(S2, at(1, 180)),
    rule: "STE_S2_ENDIAN",
    fields: { "IDR0.TTENDIAN": 2n },
    summary: "STE.S2ENDI is a byte order that IDR0.TTENDIAN does not offer",
  },
  "S2HA without HTTU": {
    ste: flipped(S2, at(1, 184)),
    rule: "STE_S2_ACCESS_FLAG",
    fields: { "IDR0.HTTU": 0n },
    summary: "STE.S2HA or STE.S2HD is 1, and IDR0.HTTU is 0",
  },
  "S2HD without dirty state": {
    ids: { idr0: IDR0 + 2 ** 6 },
    ste: flipped(S2, at(3, 183)),
    rule: "STE_S2_DIRTY_STATE",
    fields: { "IDR0.HTTU": 1n },
    summary: "STE.S2HD is 1, and IDR0.HTTU 1 has no dirty state",
  },
  "S2HAFT without S2HA": {
    ids: { idr0: IDR0 + 3 * 2 ** 6 },
    ste: flipped(S2, at(1, 187)),
    rule: "STE_S2_TABLE_ACCESS_FLAG",
    fields: { "IDR0.HTTU": 3n },
    summary: "STE.S2HAFT is 1, and STE.S2HA is 0",
  },
  "a reserved granule of stage 2": {
    ste: stage2STE(SECRET, { tg: 3 }),
    rule: "STE_S2_GRANULE",
    summary: "STE.S2TG is reserved, or a granule that IDR5 does not offer",
  },
  "a stage 2 table beyond S2PS": {
    ste: stage2STE(2 ** 40, { ps: 0 }),
    rule: "STE_S2_TABLE_ADDRESS",
    summary: "STE.S2TTB is outside the effective STE.S2PS",
  },
  "a start of stage 2 that does not fit": {
    ste: stage2STE(SECRET, { t0sz: 40 }),
    rule: "STE_S2_START",
    summary: "STE.S2T0SZ, STE.S2SL0 and STE.S2TG do not fit together",
  },
  "a StreamID beyond the Stream table": {
    streamID: 256,
    ste: S1,
    rule: "STREAM_OUT_OF_TABLE",
    section: "§7.3.3",
    structure: "Stream table",
    summary: "the StreamID is beyond the Stream table",
  },
  "a first level of the Stream table that is empty": {
    prepare: (machine) => {
      // FMT [17:16] 1, SPLIT [10:6] 8, LOG2SIZE 8; the L1STD is where the linear table was
      machine.poke(STREAM_TABLE, 0n);
      machine.smmu.write32(OFFSET.CR0, 0);
      machine.smmu.write32(OFFSET.STRTAB_BASE_CFG, 0x1_0208);
      machine.smmu.write32(OFFSET.CR0, 0b1101);
    },
    ste: S1,
    rule: "L1STD_INVALID",
    section: "§7.3.3",
    structure: "L1STD",
    summary: "the first level of the Stream table does not lead to this StreamID",
  },
  "a Stream table where there is no memory": {
    prepare: (machine) => {
      machine.smmu.write32(OFFSET.CR0, 0);
      machine.smmu.write64(OFFSET.STRTAB_BASE, 0x1000_0000n);
      machine.smmu.write32(OFFSET.CR0, 0b1101);
    },
    ste: S1,
    rule: "STE_FETCH_ABORTED",
    section: "§7.3.4",
    summary: "the read of the STE aborted",
  },
};

/** One access of the stream, and the record that comes of it. */
function recordOf(machine: Machine, streamID: number, access: Access = "read"): Uint8Array<ArrayBuffer> {
  machine.smmu.translate({ streamID, iova: 0x5128n, access, privileged: false });
  expect(machine.smmu.read32(OFFSET.EVENTQ_PROD)).toBe(1);
  const bytes = new Uint8Array(32);
  machine.memory.readBytes(EVENT_QUEUE, bytes);
  return bytes;
}

test.each(Object.entries(SEEDS))("%s is told by its rule, and shows nothing of the host's", (_, seed) => {
  const { fields = {}, ids = {}, prepare, rule, section = "§5.2.2", ste, streamID = STREAM, structure = "STE" } = seed;
  const machine = new Machine({ ids });
  machine.writeSTE(STREAM, ste);
  prepare?.(machine);
  expect(diagnoseRaw(machine.smmu, streamID, recordOf(machine, streamID))).toEqual({
    verdict: "reproduced",
    summary: seed.summary,
    cause: {
      ...{ rule, section, structure, level: undefined, address: undefined, raw: [] },
      fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
    },
  });
});

describe("stage 2's own tables", () => {
  /** Of a walk whose first stage 2 descriptor is as given; undefined: it cannot be read. */
  function diagnosed(leaf: bigint | undefined, options: { readonly ps?: number } = {}, access: Access = "read") {
    const machine = new Machine();
    const table = leaf === undefined ? 0x1000_0000 : machine.allocate();
    machine.writeSTE(STREAM, stage2STE(table, options));
    if (leaf !== undefined) machine.poke(table, leaf);
    return diagnoseRaw(machine.smmu, STREAM, recordOf(machine, STREAM, access));
  }

  const where = { structure: "stage 2", level: undefined, address: undefined, raw: [] };
  const fields = [{ name: "IPA", value: 0x5128n }];

  test("that cannot be read are told without their address", () => {
    expect(diagnosed(undefined)).toEqual({
      verdict: "reproduced",
      summary: "a table of stage 2 cannot be read, for the page at IPA 0x5128",
      cause: { ...where, fields, rule: "STAGE2_WALK_ABORTED", section: "§7.3.12" },
    });
  });

  test("that lead beyond the output size are told without the address", () => {
    expect(diagnosed(at(1, 40) | 0x7fdn, { ps: 0 })).toEqual({
      verdict: "reproduced",
      summary: "stage 2 leads the page at IPA 0x5128 out of its output size",
      cause: { ...where, fields, rule: "STAGE2_ADDRESS", section: "§3.4" },
    });
  });

  test("that do not let code be fetched are told by the IPA", () => {
    expect(diagnosed(at(2, 53) | 0x4000_04fdn, {}, "execute")).toEqual({
      verdict: "reproduced",
      summary: "the page at IPA 0x5128 is mapped in stage 2, but not for fetching",
      cause: { ...where, fields, rule: "STAGE2_NOT_EXECUTABLE", section: "§7.3.16" },
    });
  });

  test("with the Access flag clear are told by the IPA", () => {
    expect(diagnosed(0x4000_00fdn)).toEqual({
      verdict: "reproduced",
      summary: "stage 2 has the Access flag of the page at IPA 0x5128 clear",
      cause: { ...where, fields, rule: "STAGE2_ACCESS_FLAG", section: "§3.13" },
    });
  });
});

test("rules that nobody but a stage of another make can break are told of a CD too", () => {
  const machine = new Machine({ ids: { idr0: IDR0 + 2 ** 25 } }); // STALL_MODEL 2
  const cd = contextDescriptor(SECRET);
  machine.writeSTE(STREAM, stage1STE(machine.writeCD(cd)));
  expect(diagnoseRaw(machine.smmu, STREAM, recordOf(machine, STREAM))).toEqual({
    verdict: "reproduced",
    summary: "CD.S is 0, and IDR0.STALL_MODEL is 2: everything stalls",
    cause: {
      ...{ rule: "CD_STALL_FORCED", section: "§5.4.1", structure: "CD", level: undefined },
      ...{ address: undefined, raw: [] }, // reached without stage 2, so it is the host's
      fields: [
        { name: "CD.S", value: 0n },
        { name: "IDR0.STALL_MODEL", value: 2n },
      ],
    },
  });
});
