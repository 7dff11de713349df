// What every backend must do for the arbiter: one suite over a factory, run on the simulated backend always, and on a
// native one where there is hardware. The subject looks into the hardware where that is possible.

import { beforeEach, describe, expect, test } from "vitest";
import type { AddressSpaceHandle, Backend, PartHandle } from "../../src/backends/backend.ts";
import type { FaultRecord } from "../../src/backends/faults.ts";
import type { GuestMapping, GuestMemoryFile } from "../../src/backends/guest-memory.ts";
import { type DeviceID, type GroupID, virtualStreamID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../src/backends/vste.ts";

/** A backend and the means to see what it did. */
export interface ContractSubject {
  readonly backend: Backend;
  /** Two devices with groups of their own and one StreamID each, behind one IOMMU. */
  readonly single: HostDevice;
  readonly other: HostDevice;
  /** A group of several devices behind the same IOMMU. */
  readonly group: GroupID;
  /** The 8 doublewords of a device's STE. */
  ste(device: DeviceID): readonly bigint[];
  /** Every member of a group. */
  members(group: GroupID): readonly DeviceID[];
  /** How an 8-byte read of the device ends; "ok" or anything else. */
  read(device: DeviceID, iova: number): Promise<string>;
  /** Guest memory, zeroed, with the number of those who hold it. */
  file(bytes: number): GuestMemoryFile & { readonly references: number; poke(offset: number, value: bigint): void };
  /** Lets faults arrive. */
  settle(): Promise<void>;
}

const BASE = 0x4000_0000;
const BYTES = 2 ** 21;
const CONTEXT = BASE + 0x1_0000;
// V=1, Config 0b101, S1CIR=S1COR=WB, S1CSH=ISH (IHI 0070 §5.2).
const TRANSLATE = checkVSTE(0xbn | BigInt(CONTEXT), 0xd4n);
const CFGI_CD_ALL = 0x06n;
const NSNH_ALL = 0x30n;

const configOf = (ste: readonly bigint[]): number => (ste[0]! & 1n ? Number((ste[0]! >> 1n) & 7n) : -1);
/** S2VMID [143:128]. */
const vmidOf = (ste: readonly bigint[]): number => Number(ste[2]! & 0xffffn);
/** S2TTB [247:196], address[55:4]. */
const tableOf = (ste: readonly bigint[]): bigint => ste[3]! & 0x00ff_ffff_ffff_fff0n;

/** What a subject has of hardware: a kernel that is played moves no data, and no kernel shows its STEs. */
export interface ContractMeans {
  readonly movesData: boolean;
  readonly previewsSTE: boolean;
}

const ALL_MEANS: ContractMeans = { movesData: true, previewsSTE: true };

export function backendContract(
  name: string,
  make: () => Promise<ContractSubject>,
  { movesData, previewsSTE }: ContractMeans = ALL_MEANS,
): void {
  describe(`the backend contract, ${name}`, () => {
    let subject: ContractSubject;
    let backend: Backend;
    let single: HostDevice;
    let file: ReturnType<ContractSubject["file"]>;
    let space: AddressSpaceHandle;
    let part: PartHandle;
    beforeEach(async () => {
      subject = await make();
      ({ backend, single } = subject);
      file = subject.file(BYTES);
      space = await backend.createAddressSpace();
      await backend.map(space, [mapping()]);
      part = await backend.createPart(space, single.iommu);
    });

    function mapping(change: Partial<GuestMapping> = {}): GuestMapping {
      return { ipa: BASE, bytes: BYTES, file, offset: 0, readable: true, writable: true, ...change };
    }

    const bind = (device: HostDevice, to: PartHandle, name = 0x30, vste = TRANSLATE): Promise<void> =>
      backend.bindGuestStage({ device: device.id, part: to, virtualStreamID: virtualStreamID(name), vste });
    const config = (device: HostDevice = single): number => configOf(subject.ste(device.id));

    describe("after each verb the STE decodes to the row of the stage table", () => {
      test("attach with bypass 0b110, with abort 0b000; detach 0b101", async () => {
        expect(config()).toBe(0b101);
        await backend.attach(single.group, part, "bypass");
        expect(config()).toBe(0b110);
        await backend.detach(single.group);
        expect(config()).toBe(0b101);
        await backend.attach(single.group, part, "abort");
        expect(config()).toBe(0b000);
      });

      test("blocked 0b000 from every stage, nobody's, and back to the host's 0b101", async () => {
        await backend.block(single.group);
        expect(config()).toBe(0b000);
        await backend.detach(single.group);
        expect(config()).toBe(0b101);
        await backend.attach(single.group, part, "bypass");
        await bind(single, part);
        await backend.block(single.group);
        expect(config()).toBe(0b000);
        expect(await subject.read(single.id, BASE)).not.toBe("ok");
        await backend.destroyPart(part); // nothing of the owner is needed any more
        await backend.detach(single.group);
        expect(config()).toBe(0b101);
        part = await backend.createPart(space, single.iommu);
        await backend.attach(single.group, part, "abort");
      });

      test("a reset leaves stage and name as they were", async () => {
        await backend.attach(single.group, part, "bypass");
        await bind(single, part);
        const before = subject.ste(single.id);
        expect(await backend.reset(single.id)).toEqual({ kind: "done" });
        expect(subject.ste(single.id)).toEqual(before);
      });

      test("from every attached stage to every other", async () => {
        await backend.attach(single.group, part, "abort");
        const verbs = {
          bypass: [() => backend.setPlainStage(single.group, part, "bypass"), 0b110],
          abort: [() => backend.setPlainStage(single.group, part, "abort"), 0b000],
          nested: [() => bind(single, part), 0b111],
        } as const;
        for (const [from, [go]] of Object.entries(verbs)) {
          for (const [to, [then, expected]] of Object.entries(verbs)) {
            await go();
            await then();
            expect([from, to, config()]).toEqual([from, to, expected]);
          }
        }
      });

      test("nested carries the guest's table, its attributes, and the host's stage 2 and VMID", async () => {
        await backend.attach(single.group, part, "bypass");
        const plain = subject.ste(single.id);
        await bind(single, part);
        const nested = subject.ste(single.id);
        expect(nested[0]).toBe(0xfn | BigInt(CONTEXT));
        expect(nested[1]! & 0xffn).toBe(0xd4n);
        expect(nested.slice(2)).toEqual(plain.slice(2));
        expect(vmidOf(nested)).toBeGreaterThan(0);
      });

      test("every member of a group is set alike", async () => {
        const all = () => subject.members(subject.group).map((id) => configOf(subject.ste(id)));
        const every = (value: number) => subject.members(subject.group).map(() => value);
        await backend.attach(subject.group, part, "abort");
        expect(all()).toEqual(every(0b000));
        await backend.setPlainStage(subject.group, part, "bypass");
        expect(all()).toEqual(every(0b110));
        await backend.detach(subject.group);
        expect(all()).toEqual(every(0b101));
      });
    });

    describe.runIf(previewsSTE)("what a preview says is what a bind installs", () => {
      test.each([
        ["translate", TRANSLATE],
        ["bypass", BYPASS_VSTE],
        ["abort", ABORT_VSTE],
      ])("%s", async (stage, vste) => {
        guestTables();
        await backend.attach(single.group, part, "bypass");
        const before = subject.ste(single.id);
        const { hostSTE, wouldFault } = backend.previewStage(single.id, part, vste);
        expect(subject.ste(single.id)).toEqual(before);
        expect(wouldFault).toEqual([]);
        if (stage === "translate") await bind(single, part);
        else await backend.setPlainStage(single.group, part, stage === "bypass" ? "bypass" : "abort");
        expect(subject.ste(single.id)).toEqual(hostSTE);
      });
    });

    describe.runIf(movesData)("memory", () => {
      // biome-ignore lint/suspicious/noDuplicateTestHooks: this describe is another one
      beforeEach(() => backend.attach(single.group, part, "bypass"));

      test("what is mapped after the part was made is reached, and what is not is not", async () => {
        await backend.map(space, [mapping({ ipa: 0x8000_0000, bytes: 4096 })]);
        expect(await subject.read(single.id, 0x8000_0000)).toBe("ok");
        expect(await subject.read(single.id, 0x8000_1000)).not.toBe("ok");
      });

      test("a page that is unmapped faults at once, though the TLB had it", async () => {
        await backend.map(space, [
          mapping({ ipa: 0x8000_0000, bytes: 4096 }),
          mapping({ ipa: 0x8000_1000, bytes: 4096 }),
        ]);
        expect(await subject.read(single.id, 0x8000_0000)).toBe("ok");
        expect(await subject.read(single.id, 0x8000_1000)).toBe("ok");
        await backend.unmap(space, [{ ipa: 0x8000_0000, bytes: 4096 }]);
        expect(await subject.read(single.id, 0x8000_0000)).not.toBe("ok");
        expect(await subject.read(single.id, 0x8000_1000)).toBe("ok");
      });

      test("a block that is unmapped faults at every address of it", async () => {
        for (const offset of [0, 0x1000, BYTES - 8]) expect(await subject.read(single.id, BASE + offset)).toBe("ok");
        await backend.unmap(space, [{ ipa: BASE, bytes: BYTES }]);
        for (const offset of [0, 0x1000, BYTES - 8])
          expect(await subject.read(single.id, BASE + offset)).not.toBe("ok");
      });

      test("many pages that are unmapped at once are gone too", async () => {
        const pages = Array.from({ length: 200 }, (_, index) =>
          mapping({ ipa: 0x8000_0000 + index * 8192, bytes: 4096 }),
        );
        await backend.map(space, pages);
        for (const { ipa } of pages) expect(await subject.read(single.id, ipa)).toBe("ok");
        await backend.unmap(space, pages);
        for (const { ipa } of pages) expect(await subject.read(single.id, ipa)).not.toBe("ok");
      });

      test("an unmapped page is gone for nested DMA as well: what combined both stages is invalidated", async () => {
        guestTables();
        await bind(single, part);
        expect(await subject.read(single.id, 0)).toBe("ok");
        await backend.map(space, [mapping({ ipa: 0x8000_0000, bytes: 4096 })]);
        expect(await subject.read(single.id, 0x1000)).toBe("ok"); // stage 1 leads to 0x8000_0000
        await backend.unmap(space, [{ ipa: 0x8000_0000, bytes: 4096 }]);
        expect(await subject.read(single.id, 0x1000)).not.toBe("ok");
        expect(await subject.read(single.id, 0)).toBe("ok");
      });

      test("mappings of several sizes are taken out together", async () => {
        const mappings = [mapping({ ipa: 0x8000_0000, bytes: 4096 }), mapping({ ipa: 0x8020_0000 })];
        await backend.map(space, mappings);
        await backend.unmap(space, mappings);
        expect(await subject.read(single.id, 0x8020_0000)).not.toBe("ok");
        expect(await subject.read(single.id, BASE)).toBe("ok");
      });

      test("the backend lets go of a file with its last mapping", async () => {
        const before = file.references;
        const more = subject.file(8192);
        await backend.map(space, [mapping({ ipa: 0x8000_0000, bytes: 4096, file: more })]);
        await backend.map(space, [mapping({ ipa: 0x8000_1000, bytes: 4096, file: more, offset: 4096 })]);
        expect(more.references).toBeGreaterThan(1);
        await backend.unmap(space, [
          { ipa: 0x8000_0000, bytes: 4096 },
          { ipa: 0x8000_1000, bytes: 4096 },
        ]);
        expect([more.references, file.references]).toEqual([1, before]);
      });
    });

    /** 4 KiB granule, 39 bits: IOVA 0 → the file's 0x10_0000, IOVA 0x1000 → IPA 0x8000_0000. DDI 0487 D8.3; §5.4. */
    function guestTables(): void {
      const at = (offset: number): bigint => BigInt(BASE + offset);
      const leaf = 0x443n | (1n << 11n); // page, AP[1], AF, nG
      file.poke(0x2_0000, at(0x3_0000) | 3n);
      file.poke(0x3_0000, at(0x4_0000) | 3n);
      file.poke(0x4_0000, at(0x10_0000) | leaf);
      file.poke(0x4_0008, 0x8000_0000n | leaf);
      // T0SZ 25, EPD1, V, IPS 48 bits, AA64, R, A, ASID 1
      file.poke(0x1_0000, 25n | (1n << 30n) | (1n << 31n) | (5n << 32n) | (1n << 41n) | (3n << 45n) | (1n << 48n));
      file.poke(0x1_0008, at(0x2_0000));
    }

    describe("names", () => {
      const cfgi = (name: number) => {
        const dword0 = CFGI_CD_ALL | (BigInt(name) << 32n);
        return { opcode: Number(CFGI_CD_ALL), dword0, dword1: 0n };
      };

      test.runIf(movesData)("an invalidation by virtual StreamID reaches the device of that name", async () => {
        await backend.attach(single.group, part, "abort");
        guestTables();
        await bind(single, part, 0x30);
        expect(await subject.read(single.id, 0)).toBe("ok");
        file.poke(0x1_0000, 0n);
        await backend.invalidate([part], [{ opcode: Number(NSNH_ALL), dword0: NSNH_ALL, dword1: 0n }]);
        expect(await subject.read(single.id, 0)).toBe("ok"); // the CD is cached still
        await backend.invalidate([part], [cfgi(0x31)]);
        expect(await subject.read(single.id, 0)).toBe("ok"); // another's name
        await backend.invalidate([part], [cfgi(0x30)]);
        expect(await subject.read(single.id, 0)).not.toBe("ok");
      });

      test("detaching forgets the name: another device may have it", async () => {
        const { other } = subject;
        await backend.attach(single.group, part, "abort");
        await backend.attach(other.group, part, "abort");
        await bind(single, part, 0x30);
        await backend.detach(single.group);
        await bind(other, part, 0x30);
        expect(config(other)).toBe(0b111);
        await backend.attach(single.group, part, "abort");
        await backend.setVirtualStreamID(single.id, part, virtualStreamID(0x31));
        await backend.setVirtualStreamID(single.id, part, undefined);
      });

      test.runIf(movesData)("faults carry the name the device had when they happened", async () => {
        const seen: FaultRecord[] = [];
        backend.onFault((notice) => {
          if (notice.kind === "fault") seen.push(notice.fault);
        });
        await backend.attach(single.group, part, "bypass");
        await backend.setVirtualStreamID(single.id, part, virtualStreamID(0x30));
        await subject.read(single.id, 0);
        await backend.setVirtualStreamID(single.id, part, virtualStreamID(0x31));
        await subject.read(single.id, 0);
        await backend.detach(single.group);
        await subject.settle();
        expect(seen.map(({ device, virtualStreamID: name }) => [device, name])).toEqual([
          [single.id, 0x30],
          [single.id, 0x31],
        ]);
      });
    });

    describe("VMIDs and tables", () => {
      test.runIf(movesData)(
        "two parts on one IOMMU never share them, be they of one address space or of two",
        async () => {
          const { other } = subject;
          const second = await backend.createPart(space, single.iommu);
          await backend.attach(single.group, part, "bypass");
          await backend.attach(other.group, second, "bypass");
          const [a, b] = [subject.ste(single.id), subject.ste(other.id)];
          expect(vmidOf(a)).not.toBe(vmidOf(b));
          expect(tableOf(a)).not.toBe(tableOf(b));
          expect(await subject.read(other.id, BASE)).toBe("ok"); // the part made last has the mappings too
        },
      );

      test.runIf(movesData)("a part that is gone leaves nothing for the next with its VMID", async () => {
        await backend.attach(single.group, part, "bypass");
        expect(await subject.read(single.id, BASE)).toBe("ok");
        const vmid = vmidOf(subject.ste(single.id));
        await backend.detach(single.group);
        await backend.destroyPart(part);
        const empty = await backend.createAddressSpace();
        const next = await backend.createPart(empty, single.iommu);
        await backend.attach(single.group, next, "bypass");
        if (vmidOf(subject.ste(single.id)) === vmid) expect(await subject.read(single.id, BASE)).not.toBe("ok");
        expect(await subject.read(single.id, BASE)).not.toBe("ok");
      });

      test("everything taken down in order gives every file back", async () => {
        await backend.attach(single.group, part, "bypass");
        await backend.detach(single.group);
        await backend.destroyPart(part);
        await backend.destroyAddressSpace(space);
        expect(file.references).toBe(1);
        await backend.detach(single.group); // nothing is attached: no error
      });
    });

    test("explaining an access tells the fault that it would have, and neither makes it nor shows the host", async () => {
      const heard: unknown[] = [];
      backend.onFault((notice) => heard.push(notice));
      await backend.attach(single.group, part, "abort");
      await bind(single, part);
      const ask = {
        device: single.id,
        streamIndex: 0,
        substreamID: undefined,
        access: "read",
        privileged: false,
      } as const;
      const before = structuredClone(backend.counters());
      const { end, steps, writes } = backend.explain({ ...ask, iova: 0n, showsHost: false });
      expect(end).toMatchObject({ kind: "abort", fault: { type: "C_BAD_CD" }, recorded: true }); // the memory is zeroes
      expect(steps.find(({ structure }) => structure === "CD")).toMatchObject({ ipa: BigInt(CONTEXT), pa: undefined });
      expect([...steps, ...writes].filter(({ pa }) => pa !== undefined)).toEqual([]);
      expect(backend.counters()).toEqual(before);
      await subject.settle();
      expect(heard).toEqual([]);
    });

    test("it answers when it is asked whether it is there, and closing lets go of the files", async () => {
      await expect(backend.ping()).resolves.toBeUndefined();
      await backend.close();
      expect(file.references).toBe(1);
    });
  });
}
