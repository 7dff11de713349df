// What a diagnosis says when the tables have changed since, when there is nothing to walk, and of whatever a guest writes.

import { beforeEach, describe, expect, test } from "vitest";
import type { FaultDiagnosis } from "../../../src/backends/diagnosis.ts";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import { deviceID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GUEST_BASE } from "../../support/guest-tables.ts";
import { attach, bind, detach, guest, NVME, TWO_SMMUS, testHost, turn } from "../../support/host.ts";
import { DATA, faultOf, plantTables, type Seeded, seedBed, translating } from "../../support/seeded-fault.ts";
import { at, type CdOptions, LEAF, OPEN } from "../../support/smmuv3-tables.ts";

let bed: Seeded;
beforeEach(async () => {
  bed = await seedBed();
});

function diagnose(fault: FaultRecord): FaultDiagnosis {
  return bed.host.backend.diagnose(fault);
}

async function planted(options: CdOptions & { readonly attributes?: bigint } = {}) {
  const tables = plantTables(bed.tables, options);
  await bind(bed.host, bed.vmm, NVME, tables.vste, 0x42);
  return tables;
}

const gone = (summary: string): FaultDiagnosis => ({ verdict: "no-longer-reproducible", summary });

describe("after the guest has changed its tables, without another access", () => {
  test("a page that is there now translates", async () => {
    const { levels } = await planted();
    const good = bed.tables.peek(levels[3]);
    bed.tables.poke(levels[3], 0n);
    const fault = await faultOf(bed);
    expect(diagnose(fault).verdict).toBe("reproduced");
    bed.tables.poke(levels[3], good);
    expect(diagnose(fault)).toEqual(gone("it now translates"));
  });

  test("another fault is told with its stage, level and reason", async () => {
    const { levels } = await planted();
    bed.tables.poke(levels[3], 0n);
    const fault = await faultOf(bed);
    bed.tables.poke(levels[3], BigInt(DATA) | LEAF.USER | 3n);
    const why = "descriptor.AF is 0, and neither CD.HA nor CD.AFFD is 1";
    expect(diagnose(fault)).toEqual(gone(`it now faults with F_ACCESS at stage 1 level 3: ${why}`));
  });

  test("the same event for another page of stage 2 is another fault", async () => {
    const { levels } = await planted();
    bed.tables.poke(levels[3], 0x7000_0000n | OPEN | 3n);
    const fault = await faultOf(bed);
    expect(fault).toMatchObject({ type: "F_TRANSLATION", stage: 2, ipa: 0x7000_0000 });
    bed.tables.poke(levels[3], 0x7000_1000n | OPEN | 3n);
    const why = "the page at IPA 0x70001128 is not mapped in stage 2";
    expect(diagnose(fault)).toEqual(gone(`it now faults with F_TRANSLATION at stage 2: ${why}`));
  });

  test("a fault at another level of the same type is the same fault, with the cause of now", async () => {
    const { levels } = await planted();
    bed.tables.poke(levels[3], 0n);
    const fault = await faultOf(bed);
    bed.tables.poke(levels[1], 0n);
    expect(diagnose(fault)).toMatchObject({ verdict: "reproduced", cause: { level: 1, address: BigInt(levels[1]) } });
  });

  test("a CD that was mended is legal, whatever its tables lead to", async () => {
    const { cd, cdWords, levels } = await planted({ asid: 0x1a3, abort: false });
    const fault = await faultOf(bed);
    expect(fault.type).toBe("C_BAD_CD");
    bed.tables.poke(cd, cdWords[0] | at(1, 46));
    bed.tables.poke(levels[1], 0n);
    expect(diagnose(fault)).toEqual(gone("the configuration is now legal"));
  });

  test("a CD that is missing now is told", async () => {
    await planted({ abort: false });
    const fault = await faultOf(bed);
    await bind(bed.host, bed.vmm, NVME, translating(0x7000_0000), 0x42);
    const why = "the context descriptor at IPA 0x70000000 is not mapped in stage 2";
    expect(diagnose(fault)).toEqual(gone(`it now faults with F_TRANSLATION at stage 2: ${why}`));
  });

  test("a read that does not abort any more translates", async () => {
    const { levels } = await planted();
    const last = bed.vmm.file.bytes - 4096;
    bed.tables.poke(levels[1], BigInt(GUEST_BASE + last) | 3n);
    bed.vmm.file.truncate(last);
    const fault = await faultOf(bed);
    expect(fault).toMatchObject({ type: "F_WALK_EABT", fetchAddress: GUEST_BASE + last });
    expect(diagnose(fault).verdict).toBe("reproduced");
    bed.tables.poke(levels[1], BigInt(levels[2]) | 3n);
    expect(diagnose(fault)).toEqual(gone("it now translates"));
  });

  test("a read that aborts elsewhere is another fault", async () => {
    const { levels } = await planted();
    const last = bed.vmm.file.bytes - 8192;
    bed.tables.poke(levels[1], BigInt(GUEST_BASE + last) | 3n);
    bed.vmm.file.truncate(last);
    const fault = await faultOf(bed);
    bed.tables.poke(levels[1], BigInt(GUEST_BASE + last + 4096) | 3n);
    const address = `0x${(GUEST_BASE + last + 4096).toString(16)}`;
    const why = `the read of the level 2 descriptor at IPA ${address} aborted`;
    expect(diagnose(fault)).toEqual(gone(`it now faults with F_WALK_EABT at stage 1 level 2: ${why}`));
  });

  test("a stage that was set to abort says so", async () => {
    await planted({ abort: false });
    const fault = await faultOf(bed);
    await bind(bed.host, bed.vmm, NVME, checkVSTE(1n, 0n), 0x42);
    expect(diagnose(fault)).toEqual(gone("it is now terminated without a record"));
  });

  test("a device that was detached has no tables of its guest's any more", async () => {
    await planted({ abort: false });
    const fault = await faultOf(bed);
    await detach(bed.host, bed.vmm, NVME);
    expect(diagnose(fault)).toEqual(gone("the device is no longer attached"));
  });
});

describe("what no walk can show is not applicable, and the summary says why", () => {
  const change = async (changed: Partial<FaultRecord>): Promise<FaultDiagnosis> => {
    await planted({ abort: false });
    return diagnose({ ...(await faultOf(bed)), ...changed });
  };

  test("a record made while the host replaced the STE", async () => {
    const said = await change({ type: "C_BAD_STE", typeNumber: 4, transition: true });
    const summary = "it was recorded while the host replaced the STE, which was not valid at that moment";
    expect(said).toEqual({ verdict: "not-applicable", summary });
  });

  test.each([
    ["F_UUT", 0x01, "how a transaction came"],
    ["F_TLB_CONFLICT", 0x20, "what the TLB held"],
    ["F_CFG_CONFLICT", 0x21, "what the configuration caches held"],
    ["E_PAGE_REQUEST", 0x24, "a hint"],
    ["F_VMS_FETCH", 0x25, "the host's"],
    ["EVENT_0xe0", 0xe0, "no kind that can be explained"],
    ["constructor", 0xff, "no kind that can be explained"],
  ])("%s", async (type, typeNumber, why) => {
    const said = await change({ type, typeNumber });
    expect(said).toMatchObject({ verdict: "not-applicable", summary: expect.stringContaining(why) });
  });
});

test("a device with several StreamIDs is diagnosed by the STE that they all have", async () => {
  const twin = { id: "0000:03:00.0", iommu: "smmu0", group: 9, streamIDs: [0x300, 0x301] };
  const host = testHost({ config: { ...TWO_SMMUS, devices: [...TWO_SMMUS.devices, twin] } });
  const device = deviceID(twin.id);
  await attach(host, await guest(host), device, "bypass");
  const heard: FaultRecord[] = [];
  host.backend.onFault((notice) => {
    if (notice.kind === "fault") heard.push(notice.fault);
  });
  for (const streamIndex of [0, 1]) {
    const access = { iova: 0x7000_0000n, substreamID: undefined, privileged: false, streamIndex };
    await host.backend.dma(device, [{ ...access, kind: "read", bytes: 8 }]);
  }
  await turn();
  expect(heard).toHaveLength(2);
  for (const fault of heard) {
    expect(host.backend.diagnose(fault)).toMatchObject({ verdict: "reproduced", cause: { rule: "STAGE2_NOT_MAPPED" } });
  }
});

test("memory that the guest has at two IPAs is the same memory", async () => {
  const ALIAS = 0x5000_0000;
  const aliased = { ipa: BigInt(ALIAS), bytes: BigInt(bed.vmm.file.bytes), source: 0, offset: 0n };
  await bed.host.core.addressSpaces.map(bed.vmm.session, {
    addressSpace: bed.vmm.addressSpace,
    sources: [bed.vmm.file.path],
    mappings: [{ ...aliased, readable: true, writable: true }],
  });
  const last = bed.vmm.file.bytes - 4096;
  bed.vmm.file.truncate(last);
  await bind(bed.host, bed.vmm, NVME, translating(ALIAS + last), 0x42);
  const fault = await faultOf(bed);
  expect(fault.type).toBe("F_CD_FETCH");
  expect(diagnose(fault)).toMatchObject({ verdict: "reproduced", cause: { address: BigInt(ALIAS + last) } });
});
