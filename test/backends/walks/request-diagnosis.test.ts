// Why a device had to ask for a page, and why its translation requests and translated accesses were refused.
// Source: IHI 0070G.b §7.3.6, §7.3.8, chapter 8.

import { beforeEach, describe, expect, test } from "vitest";
import type { FaultDiagnosis } from "../../../src/backends/diagnosis.ts";
import { type FaultRecord, PAGE_REQUEST, type PageRequestFacts } from "../../../src/backends/faults.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { bind, NVME, type TestHost } from "../../support/host.ts";
import { diagnoseRaw } from "../../support/raw-fault.ts";
import {
  DATA,
  IDR,
  PAGE,
  type Planted,
  plantTables,
  READ_ONLY_IPA,
  type Seeded,
  seedBed,
  translating,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { EVENT_QUEUE, IDS, Machine, OFFSET } from "../../support/smmuv3-machine.ts";
import { at, LEAF, OPEN, stage1STE } from "../../support/smmuv3-tables.ts";

/** IDR0.ATS [10], PRI [16]; IDR1.PRIQS [15:11] 8. */
const WITH_PRI = { idr0: IDR.idr0 + 2 ** 10 + 2 ** 16, idr1: IDR.idr1 + 8 * 2 ** 11 };
/** EATS [93:92] 1. */
const FULL_ATS = at(1, 28);

let bed: Seeded;
beforeEach(async () => {
  bed = await seedBed(WITH_PRI, { ats: true, pri: true });
});

/** A request for PAGE to be read, as the host has it from the page request queue. */
function requested(change: Partial<PageRequestFacts> = {}, substreamID?: number): FaultRecord {
  const pageRequest: PageRequestFacts = {
    ...{ address: BigInt(PAGE), groupIndex: 3, last: true, read: true, write: false, execute: false },
    ...{ privileged: false, ...change },
  };
  return {
    ...{ device: NVME, virtualStreamID: undefined, substreamID, type: PAGE_REQUEST, typeNumber: 0 },
    ...{ stage: undefined, class: undefined, inputAddress: undefined, ipa: undefined, fetchAddress: undefined },
    ...{ read: undefined, instruction: undefined, privileged: undefined, transition: false, hostOnly: false },
    ...{ pending: undefined, pageRequest, record: new Uint8Array(16) },
  };
}

function diagnose(fault: FaultRecord, host: TestHost = bed.host): FaultDiagnosis {
  return host.backend.diagnose(fault);
}

async function planted(options: Parameters<typeof plantTables>[1] = {}): Promise<Planted> {
  const tables = plantTables(bed.tables, options);
  await bind(bed.host, bed.vmm, NVME, translating(tables.cd, 0n, FULL_ATS), 0x42);
  return tables;
}

describe("a page request", () => {
  test("for a page that has no descriptor is told by the descriptor", async () => {
    const { levels } = await planted();
    bed.tables.poke(levels[3], 0n);
    expect(diagnose(requested())).toEqual({
      verdict: "reproduced",
      summary: `bits 1:0 of the level 3 descriptor at IPA 0x${levels[3].toString(16)} are 0b00: it is not valid`,
      cause: {
        ...{ rule: "DESCRIPTOR_INVALID", section: "§7.3.13", structure: "stage 1 descriptor", level: 3 },
        ...{ address: BigInt(levels[3]), raw: [0n], fields: [{ name: "descriptor[1:0]", value: 0n }] },
      },
    });
  });

  test("to write a page that is there to be read is told by what forbids the write", async () => {
    await planted({ attributes: OPEN | LEAF.READ_ONLY });
    expect(diagnose(requested({ write: true }))).toMatchObject({
      verdict: "reproduced",
      summary: "descriptor.AP[2:1] is 0b11: read-only, and this is an unprivileged write",
    });
  });

  test("to write memory that was handed over read-only is told by stage 2", async () => {
    await planted({ target: READ_ONLY_IPA });
    expect(diagnose(requested({ write: true }))).toMatchObject({ cause: { rule: "STAGE2_NOT_WRITABLE" } });
  });

  test("is unprivileged without a PASID, whatever it says (§13.7)", async () => {
    await planted({ attributes: LEAF.AF | LEAF.NON_GLOBAL });
    expect(diagnose(requested({ privileged: true }))).toMatchObject({ cause: { rule: "LEAF_PRIVILEGED" } });
  });

  test("with a PASID has the privilege and the execution that it says", async () => {
    const { cd } = plantTables(bed.tables, { attributes: LEAF.AF | LEAF.NON_GLOBAL | LEAF.PXN });
    const { dword0, dword1 } = withSubstreams(cd, 0);
    await bind(bed.host, bed.vmm, NVME, checkVSTE(dword0 | at(4, 59), dword1 | FULL_ATS), 0x42);
    const first = diagnose(requested({ execute: true, privileged: true }, 0));
    expect(first).toMatchObject({ cause: { rule: "LEAF_EXECUTE_NEVER" } });
    expect(diagnose(requested({ privileged: true }, 0))).toMatchObject({ verdict: "no-longer-reproducible" });
  });

  test("whose page has come since is granted now", async () => {
    const { levels } = await planted();
    const good = bed.tables.peek(levels[3]);
    bed.tables.poke(levels[3], 0n);
    expect(diagnose(requested({ write: true })).verdict).toBe("reproduced");
    bed.tables.poke(levels[3], good);
    expect(diagnose(requested({ write: true }))).toEqual({
      verdict: "no-longer-reproducible",
      summary: "the page is now there to read and to write",
    });
  });

  test("under a configuration that is illegal is told by its rule", async () => {
    await planted({ abort: false });
    expect(diagnose(requested())).toMatchObject({ cause: { rule: "CD_ABORT_FORCED", structure: "CD" } });
  });

  test("of a stream whose ATS is off is told so, when the page itself is there", async () => {
    const { cd } = await planted();
    await bind(bed.host, bed.vmm, NVME, translating(cd), 0x42);
    expect(diagnose(requested())).toEqual({
      verdict: "reproduced",
      summary: "STE.EATS counts as 0 here",
      cause: {
        ...{ rule: "ATS_DISABLED", section: "§7.3.6", structure: "STE", level: undefined, address: undefined },
        ...{ raw: [], fields: [{ name: "STE.EATS", value: 0n }] },
      },
    });
  });

  test("of a stream that is set to abort is terminated", async () => {
    await bind(bed.host, bed.vmm, NVME, checkVSTE(1n, 0n), 0x42);
    const summary = "it is now terminated without a record";
    expect(diagnose(requested())).toEqual({ verdict: "no-longer-reproducible", summary });
  });

  test("that asks for nothing ends a PASID, and has no page", async () => {
    await planted();
    expect(diagnose(requested({ read: false }, 1))).toMatchObject({
      verdict: "not-applicable",
      summary: expect.stringContaining("PASID"),
    });
  });
});

/** ATS without a host: IDR0.ATS, and CR0.ATSCHK beside SMMUEN, EVENTQEN and CMDQEN. */
function machineWithATS(eats: bigint): Machine {
  const machine = new Machine({ ids: { idr0: IDS.idr0 + 2 ** 10 } });
  const ste = stage1STE(DATA);
  ste[1] |= eats;
  machine.writeSTE(8, ste);
  machine.smmu.write32(OFFSET.CR0, 0b1_1101);
  return machine;
}

function recordOf(machine: Machine): Uint8Array<ArrayBuffer> {
  expect(machine.smmu.read32(OFFSET.EVENTQ_PROD)).toBe(1);
  const bytes = new Uint8Array(32);
  machine.memory.readBytes(EVENT_QUEUE, bytes);
  return bytes;
}

describe("of a stream that has no ATS", () => {
  const asked = { streamID: 8, iova: 0x5000n, privileged: false } as const;
  const cause = { structure: "STE", level: undefined, address: undefined, raw: [] };
  const summary = "STE.EATS counts as 0 here";
  const fields = [{ name: "STE.EATS", value: 0n }];

  test("a translation request that was refused is told by EATS", () => {
    const machine = machineWithATS(0n);
    machine.smmu.translationRequest({ ...asked, noWrite: true, execute: false });
    const record = recordOf(machine);
    expect(diagnoseRaw(machine.smmu, 8, record)).toEqual({
      verdict: "reproduced",
      summary,
      cause: { ...cause, fields, rule: "ATS_DISABLED", section: "§7.3.6" },
    });
  });

  test("a translation request that has become an error of the configuration is told so", () => {
    const machine = machineWithATS(0n);
    machine.smmu.translationRequest({ ...asked, noWrite: true, execute: false });
    const record = recordOf(machine);
    machine.writeSTE(8, [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect(diagnoseRaw(machine.smmu, 8, record)).toEqual({
      verdict: "no-longer-reproducible",
      summary: "it now faults with C_BAD_STE: STE.V is 0",
    });
  });

  test("and one that is answered now, too", () => {
    const machine = machineWithATS(0n);
    machine.smmu.translationRequest({ ...asked, noWrite: true, execute: false });
    const record = recordOf(machine);
    machine.writeSTE(8, [
      1n | at(6, 1),
      FULL_ATS,
      1n | at(25, 32) | at(1, 38) | at(5, 48) | at(1, 51),
      0x4010_0000n,
      0n,
      0n,
      0n,
      0n,
    ]);
    expect(diagnoseRaw(machine.smmu, 8, record)).toEqual({
      verdict: "no-longer-reproducible",
      summary: "the stream's translation requests are now answered",
    });
  });

  test("a translated access that was refused is told by EATS", () => {
    const machine = machineWithATS(0n);
    machine.smmu.translate({ ...asked, access: "read", translated: true });
    const record = recordOf(machine);
    expect(diagnoseRaw(machine.smmu, 8, record)).toEqual({
      verdict: "reproduced",
      summary,
      cause: { ...cause, fields, rule: "TRANSLATED_FORBIDDEN", section: "§7.3.8" },
    });
  });
});
