// A guest's device with an ATC, from its bind to its detach: what is cached, and what makes it go.

import { beforeEach, describe, expect, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GUEST_BASE, GuestTables } from "../../support/guest-tables.ts";
import {
  attach,
  bind,
  detach,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  type TestHost,
  TWO_SMMUS,
  testHost,
} from "../../support/host.ts";
import { OPEN } from "../../support/smmuv3-tables.ts";

/** IDR0.ATS [10] and PRI [16], IDR1.PRIQS [15:11] 8. */
const ATS = 0x1_0400;
const PRIQS = 0x4000;
const NAME = 0x30;
const VA = 0x5000;
const [PAGE_A, PAGE_B] = [GUEST_BASE + 0x10_0000, GUEST_BASE + 0x10_1000];
/** Without write: AP[2]. */
const READ_ONLY = OPEN | 0x80n;

function config(device: { ats?: boolean; pri?: boolean }) {
  const [first] = TWO_SMMUS.iommus;
  const registers = { ...first!.registers, idr0: first!.registers.idr0! | ATS, idr1: first!.registers.idr1! | PRIQS };
  const devices = TWO_SMMUS.devices
    .filter(({ iommu }) => iommu === "smmu0")
    .map((one) => (one.id === NVME ? { ...one, ...device } : one));
  return { iommus: [{ id: "smmu0", registers }], devices };
}

let host: TestHost;
let vmm: Guest;
let tables: GuestTables;
let leaf: number;
let cd: number;

async function start(device: { ats?: boolean; pri?: boolean }): Promise<void> {
  host = testHost({ config: config(device) });
  vmm = await guest(host);
  await attach(host, vmm, NVME, "abort");
  tables = new GuestTables(vmm.file);
  const root = tables.root("4K");
  leaf = tables.map("4K", root, VA, PAGE_A);
  cd = tables.cd("4K", root);
  vmm.file.data.fill(0xaa, PAGE_A - GUEST_BASE, PAGE_A - GUEST_BASE + 4096);
  vmm.file.data.fill(0xbb, PAGE_B - GUEST_BASE, PAGE_B - GUEST_BASE + 4096);
}

/** V, Config 0b101, the CD; EATS in [93:92], S1CIR, S1COR, S1CSH. */
const vste = (eats: bigint) => checkVSTE(0xbn | BigInt(cd), 0xd4n | (eats << 28n));

async function read(iova = VA): Promise<string> {
  const access = { iova: BigInt(iova), substreamID: undefined, privileged: false, streamIndex: 0 } as const;
  const [outcome] = await host.backend.dma(NVME, [{ ...access, kind: "read", bytes: 1 }]);
  return outcome!.end === "ok" ? outcome!.data[0]!.toString(16) : outcome!.end;
}

async function write(iova = VA): Promise<string> {
  const access = { iova: BigInt(iova), substreamID: undefined, privileged: false, streamIndex: 0 } as const;
  const [outcome] = await host.backend.dma(NVME, [{ ...access, kind: "write", data: Uint8Array.of(0xcc) }]);
  return outcome!.end;
}

/** Points the page elsewhere and invalidates the SMMU's TLB: CMD_TLBI_NH_ALL. */
async function remap(to: number): Promise<void> {
  tables.poke(leaf, BigInt(to) | OPEN | 3n);
  await invalidate(0x10n, 0n);
}

async function invalidate(lo: bigint, hi: bigint): Promise<void> {
  await host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, [{ dword0: lo, dword1: hi }]);
}

describe("a guest that turns ATS on", () => {
  beforeEach(async () => {
    await start({ ats: true });
    await bind(host, vmm, NVME, vste(1n), NAME);
  });

  test("has its device served by the ATC until CMD_ATC_INV names the page under the virtual StreamID", async () => {
    expect(await read()).toBe("aa");
    await remap(PAGE_B);
    expect(await read()).toBe("aa"); // the SMMU knows better, the device does not ask
    await invalidate((BigInt(NAME) << 32n) | 0x40n, 0x6000n); // another page
    expect(await read()).toBe("aa");
    await invalidate((BigInt(NAME) << 32n) | 0x40n, BigInt(VA));
    expect(await read()).toBe("bb");
  });

  test("has it emptied by CMD_ATC_INV of everything", async () => {
    expect(await read()).toBe("aa");
    await remap(PAGE_B);
    await invalidate((BigInt(NAME) << 32n) | 0x40n, 52n);
    expect(await read()).toBe("bb");
  });

  test("sees host STEs with EATS 1", () => {
    const { ste } = host.backend.structures(NVME, 0, 0, undefined);
    expect((ste[1]! >> 28n) & 3n).toBe(1n);
    expect(ste[0]! & 0xfn).toBe(0xfn);
  });

  test("has the ATC emptied by a reset of the device, which stays bound and asks anew", async () => {
    expect(await read()).toBe("aa");
    await remap(PAGE_B);
    await host.core.stages.reset(vmm.session, { device: NVME, expectedGeneration: undefined });
    expect(await read()).toBe("bb");
    expect(await write()).toBe("ok");
  });

  test("has the ATC emptied by a bind that keeps ATS on", async () => {
    expect(await read()).toBe("aa");
    await remap(PAGE_B);
    await bind(host, vmm, NVME, vste(1n), NAME);
    expect(await read()).toBe("bb");
  });

  test("and by one that turns it off, after which the device sends untranslated transactions", async () => {
    expect(await read()).toBe("aa");
    await bind(host, vmm, NVME, vste(0n), NAME);
    await remap(PAGE_B);
    expect(await read()).toBe("bb");
    await remap(PAGE_A);
    expect(await read()).toBe("aa");
  });

  test("has no permission kept that it was not granted: a write asks anew", async () => {
    tables.poke(leaf, BigInt(PAGE_A) | READ_ONLY | 3n);
    expect(await read()).toBe("aa");
    expect(await write()).toBe("abort");
    tables.poke(leaf, BigInt(PAGE_A) | OPEN | 3n);
    expect(await write()).toBe("ok");
    expect(await read()).toBe("cc");
  });

  test("gets no event for a page that is not there: the answer is the device's", async () => {
    const before = host.backend.counters().iommus[0]!.eventsRecorded;
    expect(await read(0x9000)).toBe("abort");
    expect(host.backend.counters().iommus[0]!.eventsRecorded).toBe(before);
  });

  test("cannot reach through the ATC what the host has unmapped from its memory", async () => {
    expect(await read()).toBe("aa");
    await host.core.addressSpaces.unmap(vmm.session, {
      addressSpace: vmm.addressSpace,
      ranges: [{ ipa: BigInt(GUEST_BASE), bytes: 2n ** 21n }],
    });
    expect(await read()).toBe("abort");
  });

  test("leaves nothing cached behind when the device goes back to the host", async () => {
    expect(await read()).toBe("aa");
    await detach(host, vmm, NVME);
    expect(await read()).toBe("abort");
  });
});

describe("without a guest's stage 1", () => {
  test("a device with ATS gets its translations of stage 2 by ATS, and loses them with the stage", async () => {
    await start({ ats: true });
    await bind(host, vmm, NVME, vste(1n), NAME);
    await host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: undefined });
    expect(await read(PAGE_A)).toBe("aa");
    const { ste } = host.backend.structures(NVME, 0, 0, undefined);
    expect([ste[0]! & 0xfn, (ste[1]! >> 28n) & 3n]).toEqual([0xdn, 1n]);
  });

  test("a device without ATS has EATS 0 whatever the guest writes", async () => {
    await start({});
    await bind(host, vmm, NVME, vste(1n), NAME);
    const { ste } = host.backend.structures(NVME, 0, 0, undefined);
    expect((ste[1]! >> 28n) & 3n).toBe(0n);
    expect(await read()).toBe("aa");
  });
});

describe("page requests", () => {
  test("are answered with a failure where no guest's tables are asked: the DMA ends, and the next one asks again", async () => {
    await start({ ats: true, pri: true });
    await bind(host, vmm, NVME, vste(1n), NAME);
    await host.core.stages.unbind(vmm.session, { device: NVME, expectedGeneration: undefined });
    expect(await read(0x9000)).toBe("abort");
    expect(await write(0x9000)).toBe("abort");
    expect(await read(PAGE_A)).toBe("aa");
    await host.backend.ping();
  });

  test("that wait when the host goes down end too", async () => {
    await start({ ats: true, pri: true });
    await bind(host, vmm, NVME, vste(1n), NAME);
    const pending = read(0x9000);
    await host.backend.close();
    expect(await pending).toBe("abort");
  });
});

describe("a device that does not fit its SMMU is refused", () => {
  const on = (
    registers: { idr0: number; idr1?: number; idr5?: number },
    device: { ats?: boolean; pri?: boolean; stall?: boolean },
  ) => {
    const [first] = TWO_SMMUS.iommus;
    const nic = TWO_SMMUS.devices.find(({ id }) => id === NIC)!;
    const iommus = [{ id: "smmu0", registers: { ...first!.registers, ...registers } }];
    return refusal(() => testHost({ config: { iommus, devices: [{ ...nic, ...device }] } }));
  };
  const idr0 = TWO_SMMUS.iommus[0]!.registers.idr0!;

  test.each([
    ["ats without IDR0.ATS", { idr0 }, { ats: true }, "ats needs IDR0.ATS (bit 10) of smmu0"],
    ["pri without ats", { idr0: idr0 | ATS }, { pri: true }, "pri needs ats, and IDR0.PRI (bit 16) of smmu0"],
    [
      "stall where IDR0.STALL_MODEL is 1",
      { idr0 },
      { stall: true },
      "stall needs IDR0.STALL_MODEL (bits 25:24) 0 of smmu0",
    ],
    [
      "stall of a PCI device",
      { idr0: (idr0 | ATS) & ~(3 << 24), idr5: 0x10_0075, idr1: 0x0273_4510 },
      { ats: true, stall: true },
      "a PCI device must not stall",
    ],
    ["pri without IDR0.PRI", { idr0: idr0 | 0x400 }, { ats: true, pri: true }, "IDR0.PRI (bit 16)"],
  ])("%s", async (_, registers, device, why) => {
    const error = await on(registers, device);
    expect(error).toMatchObject({ code: "argument_invalid", facts: { device: NIC } });
    expect(error.message).toContain(why);
  });
});
