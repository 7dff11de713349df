// The kernel's own interface, called directly: when these fail, the daemon cannot be blamed.

import assert from "node:assert/strict";
import { closeSync, readSync, writeSync } from "node:fs";
import { memfd } from "../../support/memfd.ts";
import { Edu } from "../guest/edu.ts";
import {
  allocateAddressSpace,
  allocateNestParent,
  allocateVirtualIommu,
  attachDevice,
  destroyObject,
  mapFile,
} from "../guest/iommufd.ts";
import { Refused } from "../guest/native.ts";
import { type IommufdSession, withDevices } from "../guest/session.ts";
import type { GuestDevice, KernelCase } from "../kernel-case.ts";

const RAM_BYTES = 64 * 2 ** 20;
const RAM_IPA = 0x4000_0000;

interface Nested extends IommufdSession {
  readonly ram: number;
  readonly nestParent: number;
}

/** Guest RAM from a memfd at RAM_IPA, a nesting parent over it, and the devices attached to that. */
function withNestParent<T>(devices: readonly GuestDevice[], use: (nested: Nested) => T): T {
  return withDevices(devices, (session) => {
    const { bound, iommufd } = session;
    const ram = memfd(RAM_BYTES);
    const ioas = allocateAddressSpace(iommufd);
    mapFile(iommufd, { ioas, file: ram, start: 0, bytes: RAM_BYTES, ipa: RAM_IPA });
    const nestParent = allocateNestParent(iommufd, bound[0]!.deviceID, ioas);
    for (const { fd } of bound) attachDevice(fd, nestParent);
    const result = use({ ...session, ram, nestParent });
    if (result instanceof Promise) void result.finally(() => closeSync(ram)).catch(() => undefined);
    else closeSync(ram);
    return result;
  });
}

function bytesAt(file: number, offset: number, bytes: number): string {
  const buffer = Buffer.alloc(bytes);
  readSync(file, buffer, 0, bytes, offset);
  return buffer.toString("latin1");
}

export const iommufdCases: readonly KernelCase[] = [
  {
    name: "both devices bind to one iommufd and get IDs of their own",
    run: ({ devices }) => {
      withDevices(devices, ({ bound }) => {
        const [first, second] = bound;
        assert.ok(first!.deviceID > 0 && second!.deviceID > 0);
        assert.notEqual(first!.deviceID, second!.deviceID);
      });
    },
  },
  {
    name: "a device that is bound cannot be bound to a second iommufd, and can when the first is closed",
    run: ({ devices }) => {
      withDevices(devices.slice(0, 1), () => {
        assert.throws(() => withDevices(devices.slice(0, 1), () => undefined), Refused);
      });
      withDevices(devices.slice(0, 1), ({ bound }) => assert.equal(bound.length, 1));
    },
  },
  {
    name: "the hardware's registers are those of an SMMUv3 with two stages, 44-bit output and 16-bit StreamIDs",
    run: ({ devices }) => {
      withDevices(devices, ({ bound }) => {
        for (const { info } of bound) {
          assert.equal(info.type, 2); // IOMMU_HW_INFO_TYPE_ARM_SMMUV3
          assert.deepEqual(info.idr, [0x0d44_101b, 0x0273_0010, 0, 0x1414, 0, 0x74]);
        }
      });
    },
  },
  {
    name: "a nesting parent over guest memory from a memfd takes both devices",
    run: ({ devices }) => withNestParent(devices, ({ nestParent }) => assert.ok(nestParent > 0)),
  },
  {
    name: "a virtual SMMUv3 is had on a nesting parent, which cannot be destroyed before it",
    run: ({ devices }) => {
      withNestParent(devices.slice(0, 1), ({ bound, iommufd, nestParent }) => {
        const virtualIommu = allocateVirtualIommu(iommufd, bound[0]!.deviceID, nestParent);
        assert.throws(() => destroyObject(iommufd, nestParent), { code: "EBUSY" });
        destroyObject(iommufd, virtualIommu);
      });
    },
  },
  {
    name: "DMA of each device through stage 2 reads and writes the guest's memory, and only where it is sent",
    run: ({ devices }) =>
      withNestParent(devices, async ({ bound, ram }) => {
        for (const [index, { fd }] of bound.entries()) {
          const [from, to] = [0x10_0000 + 0x1_0000 * index, 0x20_0000 + 0x1_0000 * index];
          writeSync(ram, Buffer.from(`stage 2 of ${index}; not this`, "latin1"), 0, 22, from);
          const edu = new Edu(fd);
          await edu.read(RAM_IPA + from, 12);
          await edu.write(RAM_IPA + to, 12);
          edu.close();
          assert.equal(bytesAt(ram, to - 4, 20), `\0\0\0\0stage 2 of ${index}\0\0\0\0`);
        }
      }),
  },
  {
    name: "DMA to an address that stage 2 does not map changes nothing",
    run: ({ devices }) =>
      withNestParent(devices.slice(0, 1), async ({ bound, ram }) => {
        writeSync(ram, Buffer.from("keep"), 0, 4, 0);
        const edu = new Edu(bound[0]!.fd);
        await edu.read(RAM_IPA + 0x1000, 4);
        await edu.write(RAM_IPA + RAM_BYTES, 4);
        await edu.write(RAM_IPA - 0x1000, 4);
        edu.close();
        assert.equal(bytesAt(ram, 0, 4), "keep");
      }),
  },
];
