import { beforeEach, describe, expect, test } from "vitest";
import { MSIS_MAX, MsiDoorbell } from "../../../src/backends/sim/msi-doorbell.ts";
import type { SimulatedDma } from "../../../src/backends/simulator-control.ts";
import { MemoryMap } from "../../../src/backends/smmuv3/memory.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { AssertionFailure } from "../../../src/spec/assert.ts";
import { GuestTables } from "../../support/guest-tables.ts";
import { attach, bind, detach, FAR, type Guest, guest, NIC, NVME, SMMU0, SMMU1, testHost } from "../../support/host.ts";

/** Linux on Arm: MSI_IOVA_BASE, MSI_IOVA_LENGTH; the register of an ITS is 0x40 into its second 64 KiB frame. */
const WINDOW = 0x0800_0000;
const WINDOW_BYTES = 0x10_0000;
const TRANSLATER = WINDOW + 0x1_0040;
const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;

let host: ReturnType<typeof testHost>;
let vmm: Guest;
beforeEach(async () => {
  host = testHost();
  vmm = await guest(host, { iommus: [SMMU0, SMMU1] });
});

const write = (iova: number, ...data: number[]): SimulatedDma => ({
  ...WHERE,
  kind: "write",
  iova: BigInt(iova),
  data: Uint8Array.from(data),
});
const read = (iova: number, bytes: number): SimulatedDma => ({ ...WHERE, kind: "read", iova: BigInt(iova), bytes });
const ends = async (...accesses: SimulatedDma[]) => (await host.backend.dma(NVME, accesses)).map(({ end }) => end);
const msis = (id = NVME) => host.backend.msis(id).msis;

describe("with stage 1 in bypass", () => {
  beforeEach(() => attach(host, vmm, NVME, "bypass"));

  test("a write to the window is an MSI with its StreamID, data and IPA, and no memory changes", async () => {
    expect(await ends(write(TRANSLATER, 0xfe, 0xff, 0xff, 0xff), write(WINDOW, 1, 0, 0, 0))).toEqual(["ok", "ok"]);
    expect(msis()).toEqual([
      { sequence: 1, streamID: 0x100, data: 0xffff_fffe, ipa: TRANSLATER },
      { sequence: 2, streamID: 0x100, data: 1, ipa: WINDOW },
    ]);
    expect(vmm.file.data.every((byte) => byte === 0)).toBe(true);
  });

  test("the window leads to the doorbell page by page, and to nothing but it", async () => {
    const { doorbell } = host.backend.msis(NVME);
    expect(doorbell).toMatchObject({ ipa: WINDOW, bytes: WINDOW_BYTES });
    const at = (ipa: number) => ({ ...WHERE, iova: BigInt(ipa), access: "write" as const });
    const answers = await host.backend.translate(NVME, [
      at(WINDOW),
      at(WINDOW + WINDOW_BYTES - 4),
      at(WINDOW - 4),
      at(WINDOW + WINDOW_BYTES),
    ]);
    expect(answers.map(({ end, ipa, pa, pageBytes }) => [end, ipa, pa, pageBytes])).toEqual([
      ["ok", WINDOW, doorbell.pa, 4096],
      ["ok", WINDOW + WINDOW_BYTES - 4, doorbell.pa + WINDOW_BYTES - 4, 4096],
      ["abort", undefined, 0, 0],
      ["abort", undefined, 0, 0],
    ]);
    expect(answers[2]!.fault).toMatchObject({ type: "F_TRANSLATION", stage: 2, class: "IN" });
  });

  test("a reset of the device forgets what it sent, and counting begins anew", async () => {
    await ends(write(WINDOW, 1, 0, 0, 0), write(WINDOW, 2, 0, 0, 0));
    expect(await host.backend.reset(NVME)).toEqual({ kind: "done" });
    expect(host.backend.msis(NVME)).toMatchObject({ total: 0, msis: [] });
    await ends(write(WINDOW, 3, 0, 0, 0));
    expect(msis()).toEqual([{ sequence: 1, streamID: 0x100, data: 3, ipa: WINDOW }]);
  });

  test("a read is a bus error without an event", async () => {
    expect(await ends(read(TRANSLATER, 4), read(TRANSLATER, 8))).toEqual(["bus-error", "bus-error"]);
    expect(host.backend.counters().iommus[0]).toMatchObject({ eventsRecorded: 0 });
  });

  test.each([
    ["one byte", TRANSLATER, [1]],
    ["half a word", TRANSLATER, [1, 2]],
    ["two words", TRANSLATER, [1, 2, 3, 4, 5, 6, 7, 8]],
    ["a word at an odd half", TRANSLATER + 2, [1, 2, 3, 4]],
    ["a word across pages", WINDOW + 0xffe, [1, 2, 3, 4]],
  ] as const)("%s is no MSI but a bus error", async (_, iova, data) => {
    expect(await ends(write(iova, ...data))).toEqual(["bus-error"]);
    expect(msis()).toEqual([]);
  });

  test("the oldest go out when the log is full, and the count tells", async () => {
    await host.backend.dma(
      NVME,
      Array.from({ length: MSIS_MAX + 2 }, (_, index) => write(TRANSLATER, index % 256, Math.floor(index / 256), 0, 0)),
    );
    const { msis: kept, total } = host.backend.msis(NVME);
    expect([kept.length, total]).toEqual([MSIS_MAX, MSIS_MAX + 2]);
    expect(kept[0]).toMatchObject({ sequence: 3, data: 2 });
    expect(kept.at(-1)).toMatchObject({ sequence: MSIS_MAX + 2, data: MSIS_MAX + 1 });
    expect(host.backend.counters().devices).toMatchObject([{ device: NVME, msis: MSIS_MAX + 2 }]);
  });

  test("each device has its own, behind either SMMU", async () => {
    await attach(host, vmm, NIC, "bypass");
    await attach(host, vmm, FAR, "bypass");
    await host.backend.dma(NIC, [write(TRANSLATER, 7, 0, 0, 0)]);
    await host.backend.dma(FAR, [write(TRANSLATER, 9, 0, 0, 0)]);
    expect([msis(), msis(NIC), msis(FAR)]).toMatchObject([[], [{ streamID: 8, data: 7 }], [{ data: 9 }]]);
  });

  test("the next owner sees none of them", async () => {
    await ends(write(TRANSLATER, 1, 0, 0, 0));
    await detach(host, vmm, NVME);
    expect(host.backend.msis(NVME)).toMatchObject({ total: 0, msis: [] });
    await attach(host, vmm, NVME, "bypass");
    expect(host.backend.msis(NVME)).toMatchObject({ total: 0, msis: [] });
  });

  test("guest memory right beside the window is mapped and unmapped without touching it", async () => {
    const beside = { ipa: BigInt(WINDOW + WINDOW_BYTES), bytes: 4096n };
    const { addressSpace, file, session } = vmm;
    const mapping = { ...beside, source: 0, offset: 0n, readable: true, writable: true };
    const request = { addressSpace, sources: [file.path], mappings: [mapping] };
    await host.core.addressSpaces.map(session, request);
    expect(await ends(write(WINDOW + WINDOW_BYTES, 5))).toEqual(["ok"]);
    await host.core.addressSpaces.unmap(session, { addressSpace, ranges: [beside] });
    expect(await ends(write(WINDOW + WINDOW_BYTES, 5), write(TRANSLATER, 1, 0, 0, 0))).toEqual(["abort", "ok"]);
  });
});

describe("with stage 1 the guest's", () => {
  const VA = 0x1000;
  let tables: GuestTables;
  let root: number;
  beforeEach(async () => {
    await attach(host, vmm, NVME);
    tables = new GuestTables(vmm.file);
    root = tables.root("4K");
    const cd = tables.cd("4K", root);
    await bind(host, vmm, NVME, checkVSTE(0xbn | BigInt(cd), 0xd4n), 0x30);
  });

  test("the guest's own address of the window is where the device writes", async () => {
    tables.map("4K", root, VA, WINDOW + 0x1_0000);
    expect(await ends(write(VA + 0x40, 0x21, 0x43, 0, 0))).toEqual(["ok"]);
    expect(msis()).toEqual([{ sequence: 1, streamID: 0x100, data: 0x4321, ipa: TRANSLATER }]);
  });

  test("a window that stage 1 does not map is an F_TRANSLATION of stage 1, at the IPA as well", async () => {
    const answers = await host.backend.translate(NVME, [{ ...WHERE, iova: BigInt(TRANSLATER), access: "write" }]);
    expect(answers[0]!.fault).toMatchObject({ type: "F_TRANSLATION", stage: 1, class: "IN" });
    expect(await ends(write(TRANSLATER, 1, 0, 0, 0))).toEqual(["abort"]);
    expect(msis()).toEqual([]);
  });

  test("page tables and descriptors in it are refused by S2PTW: it is Device memory to stage 2 (§5.2)", async () => {
    const fault = async () => {
      const [answer] = await host.backend.translate(NVME, [{ ...WHERE, iova: BigInt(VA), access: "write" }]);
      return answer!.fault;
    };
    tables.poke(root, BigInt(WINDOW + 0x5000) | 3n);
    expect(await fault()).toMatchObject({ type: "F_PERMISSION", stage: 2, class: "TTD" });
    await bind(host, vmm, NVME, checkVSTE(0xbn | BigInt(WINDOW), 0xd4n));
    expect(await fault()).toMatchObject({ type: "F_PERMISSION", stage: 2, class: "CD", ipa: WINDOW });
  });

  test("under abort nothing reaches it", async () => {
    tables.map("4K", root, VA, WINDOW);
    await bind(host, vmm, NVME, checkVSTE(1n, 0n));
    expect(await ends(write(VA, 1, 0, 0, 0))).toEqual(["abort"]);
    expect(msis()).toEqual([]);
  });
});

test("a message from a device that is not attached, or to an address elsewhere, is a bug of the caller", () => {
  const doorbell = new MsiDoorbell(new MemoryMap());
  expect(() => doorbell.ring(NVME, 8, doorbell.base, new Uint8Array(4))).toThrow(AssertionFailure);
  doorbell.begin(NVME);
  expect(() => doorbell.ring(NVME, 8, doorbell.base - 4, new Uint8Array(4))).toThrow(AssertionFailure);
});
