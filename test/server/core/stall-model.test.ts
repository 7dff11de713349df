// A guest whose VMM asked for stalls, and one whose VMM did not, on the same host: from the registers to the DMA.
// Source: IHI 0070G.b §6.3.1 (STALL_MODEL), §5.2 (S1STALLD), §5.4 (CD.S), §5.5.

import { beforeEach, describe, expect, test } from "vitest";
import { deviceID, virtualStreamID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { virtualRegisters } from "../../../src/server/core/capability.ts";
import { GuestTables } from "../../support/guest-tables.ts";
import {
  attach,
  bind,
  type Guest,
  guest,
  refusal,
  SMMU0,
  type TestHost,
  TWO_SMMUS,
  testHost,
} from "../../support/host.ts";
import { contextDescriptor } from "../../support/smmuv3-tables.ts";

const DSP = deviceID("dsp");
/** CD.S, bit 44. */
const CD_S = 1n << 44n;
const [FIRST, SECOND] = TWO_SMMUS.iommus;
/** STALL_MODEL [25:24] 0; STALL_MAX [31:16] 16. */
const CONFIG = {
  iommus: [
    { id: FIRST!.id, registers: { ...FIRST!.registers, idr0: FIRST!.registers.idr0! & ~(3 << 24), idr5: 0x0010_0075 } },
    SECOND!,
  ],
  devices: [{ id: DSP, iommu: "smmu0", group: 0, streamIDs: [0x20], stall: true }],
};

let host: TestHost;
let vmm: Guest;
beforeEach(async () => {
  host = testHost({ config: CONFIG });
  vmm = await guest(host);
});

/** What a guest is shown by itself, with other bits of IDR0[25:24] and IDR5[31:16]. */
function shown(stallModel: number, stallMax: number) {
  const { registers } = virtualRegisters(host.backend.inventory.iommus()[0]!.registers!);
  return {
    ...registers,
    idr0: (registers.idr0 & ~(3 << 24)) | (stallModel << 24),
    idr5: (registers.idr5 & 0xffff) | (stallMax << 16),
  };
}

async function asking(stallModel: number, stallMax: number): Promise<Guest> {
  const virtual = await host.core.virtualIommus.create(vmm.session, {
    addressSpace: vmm.addressSpace,
    iommus: [SMMU0],
    registers: shown(stallModel, stallMax),
  });
  return { ...vmm, virtualIommu: virtual.id };
}

/** Binds a CD with S=1 and no page mapped; tells how a transaction ends, and S1STALLD (91) of the host's STE. */
async function bound(to: Guest): Promise<{ readonly end: string; readonly s1stalld: bigint }> {
  await attach(host, to, DSP);
  const tables = new GuestTables(vmm.file);
  const cd = tables.allocate(64);
  tables.writeCD(contextDescriptor(tables.root("4K"), { extra0: CD_S }), cd);
  const vste = checkVSTE(0xbn | BigInt(cd), 0xd4n);
  await bind(host, to, DSP, vste, 7);
  const access = { iova: 0x9000n, substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
  const [outcome] = await host.backend.translate(DSP, [access]);
  const { ste } = host.backend.structures(DSP, 0, 0, undefined);
  expect(host.core.devices.get(DSP).vste).toEqual(vste); // the guest's own is what its owner is shown
  return { end: `${outcome!.end} ${outcome!.fault?.type}`, s1stalld: (ste[1]! >> 27n) & 1n };
}

describe("where nobody asked", () => {
  test("CD.S=1 is C_BAD_CD, by S1STALLD=1, as the STALL_MODEL 1 that the guest is shown has it", async () => {
    expect(await bound(vmm)).toEqual({ end: "abort C_BAD_CD", s1stalld: 1n });
  });

  test("a preview says so too", async () => {
    await attach(host, vmm, DSP);
    const tables = new GuestTables(vmm.file);
    const cd = tables.allocate(64);
    tables.writeCD(contextDescriptor(tables.root("4K"), { extra0: CD_S }), cd);
    const { preview } = await host.core.stages.bind(vmm.session, {
      device: DSP,
      vste: checkVSTE(0xbn | BigInt(cd), 0xd4n),
      virtualStreamID: virtualStreamID(7),
      validateOnly: true,
      expectedGeneration: undefined,
    });
    expect(preview!.wouldFault.map(({ eventType }) => eventType)).toEqual(["C_BAD_CD"]);
  });
});

describe("a VMM that asks for STALL_MODEL 0", () => {
  test("has its guest's device stall", async () => {
    expect(await bound(await asking(0, 16))).toEqual({ end: "stalled F_TRANSLATION", s1stalld: 0n });
  });

  test("may ask for fewer stalls than the host has, and for no more", async () => {
    const error = await refusal(() => asking(0, 17));
    expect(error).toMatchObject({ code: "registers_unfit", facts: { fields: "IDR5.STALL_MAX" } });
    await asking(0, 1);
  });

  test("may say what it would be shown anyway", async () => {
    expect(await bound(await asking(1, 0))).toEqual({ end: "abort C_BAD_CD", s1stalld: 1n });
  });
});
