import { beforeEach, describe, expect, test } from "vitest";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { GuestTables } from "../../support/guest-tables.ts";
import { attach, bind, type Guest, guest, NVME, type TestHost, testHost } from "../../support/host.ts";
import { at, contextDescriptor } from "../../support/smmuv3-tables.ts";

let host: TestHost;
let vmm: Guest;
let tables: GuestTables;
beforeEach(async () => {
  host = testHost();
  vmm = await guest(host);
  tables = new GuestTables(vmm.file);
  await attach(host, vmm, NVME);
});

const show = (ssid = 0) => host.core.simulator!.structures(vmm.session, NVME, 0, ssid);
/** V, Config 0b101, S1Fmt [5:4], S1CDMax [63:59], S1DSS 2 (§5.2). */
const translate = (pointer: number, fmt = 0, max = 0) =>
  checkVSTE(0xbn | at(fmt, 4) | BigInt(pointer) | at(max, 59), 0xd6n);
const CDS = [3, 70].map((asid) => contextDescriptor(0x4000_0000, { asid }));

describe("the context descriptor that is shown", () => {
  test("the only one", async () => {
    const cd = tables.allocate(64);
    tables.writeCD(CDS[0]!, cd);
    await bind(host, vmm, NVME, translate(cd), 0x30);
    expect(show().cd).toEqual(CDS[0]);
    expect(show(1).cd).toEqual([]);
  });

  test("one of a linear table", async () => {
    const table = tables.allocate(4 * 64);
    tables.writeCD(CDS[0]!, table + 3 * 64);
    await bind(host, vmm, NVME, translate(table, 0, 2), 0x30);
    expect(show(3).cd).toEqual(CDS[0]);
    expect(show(0).cd).toEqual(new Array(8).fill(0n));
    expect(show(4).cd).toEqual([]);
  });

  test.each([
    [1, 64],
    [2, 1024],
  ])("one of a two-level table, S1Fmt %d", async (fmt, leafCDs) => {
    const l1 = tables.allocate(4096);
    const leaf = tables.allocate(leafCDs * 64);
    tables.poke(l1 + 8, BigInt(leaf) | 1n);
    tables.writeCD(CDS[1]!, leaf + 6 * 64);
    await bind(host, vmm, NVME, translate(l1, fmt, 12), 0x30);
    expect(show(leafCDs + 6).cd).toEqual(CDS[1]);
    expect(show(6).cd).toEqual([]); // L1CD.V is 0
  });

  test("none where the pointer leads to no memory, or memory that is gone", async () => {
    await bind(host, vmm, NVME, translate(0x7000_0000), 0x30);
    expect(show().cd).toEqual([]);
    const l1 = tables.allocate(4096);
    await bind(host, vmm, NVME, translate(0x7000_0000, 1, 12));
    expect(show().cd).toEqual([]);
    await bind(host, vmm, NVME, translate(l1));
    vmm.file.truncate(4096);
    expect(show().cd).toEqual([]);
  });

  test("none while stage 1 is not the guest's", () => {
    expect(show()).toMatchObject({ cd: [], ste: [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n], streamID: 0x100 });
  });
});

test("registers are shown by name and offset, the wide ones whole", () => {
  const registers = new Map(show().registers.map(({ name, offset, value }) => [name, { offset, value }]));
  expect(registers.get("IDR1")).toEqual({ offset: 0x4, value: 0x0273_0510n });
  expect(registers.get("CR0ACK")).toEqual({ offset: 0x24, value: 0b1101n });
  expect(registers.get("EVENTQ_BASE")!.value & 0x1fn).toBe(10n); // LOG2SIZE
  expect(registers.get("STRTAB_BASE")!.value >> 6n).toBeGreaterThanOrEqual(2n ** 25n); // host RAM, at 0x8000_0000
});
