// The kernel's own interface, called directly: when these fail, the daemon cannot be blamed.

import assert from "node:assert/strict";
import { Edu } from "../guest/edu.ts";
import { allocateVirtualIommu, destroyObject } from "../guest/iommufd.ts";
import { Refused } from "../guest/native.ts";
import { RAM, textAt, withNestParent, writeText } from "../guest/nested.ts";
import { withDevices } from "../guest/session.ts";
import type { KernelCase } from "../kernel-case.ts";

export const iommufdCases: readonly KernelCase[] = [
  {
    name: "both devices bind to one iommufd and get IDs of their own",
    run: async ({ devices }) => {
      await withDevices(devices, ({ bound }) => {
        const [first, second] = bound;
        assert.ok(first!.deviceID > 0 && second!.deviceID > 0);
        assert.notEqual(first!.deviceID, second!.deviceID);
      });
    },
  },
  {
    name: "a device that is bound cannot be bound to a second iommufd, and can when the first is closed",
    run: async ({ devices }) => {
      await withDevices(devices.slice(0, 1), async () => {
        await assert.rejects(
          withDevices(devices.slice(0, 1), () => undefined),
          Refused,
        );
      });
      await withDevices(devices.slice(0, 1), ({ bound }) => assert.equal(bound.length, 1));
    },
  },
  {
    name: "the hardware's registers are those of an SMMUv3 with two stages, 44-bit output and 16-bit StreamIDs",
    run: async ({ devices }) => {
      await withDevices(devices, ({ bound }) => {
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
    run: async ({ devices }) => {
      await withNestParent(devices.slice(0, 1), ({ bound, iommufd, nestParent }) => {
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
          writeText(ram, from, `stage 2 of ${index}; not this`);
          using edu = Edu.ofNode(fd);
          await edu.read(RAM.ipa + from, 12);
          await edu.write(RAM.ipa + to, 12);
          assert.equal(textAt(ram, to - 4, 20), `\0\0\0\0stage 2 of ${index}\0\0\0\0`);
        }
      }),
  },
  {
    name: "DMA to an address that stage 2 does not map changes nothing",
    run: ({ devices }) =>
      withNestParent(devices.slice(0, 1), async ({ bound, ram }) => {
        writeText(ram, 0, "keep");
        using edu = Edu.ofNode(bound[0]!.fd);
        await edu.read(RAM.ipa + 0x1000, 4);
        await edu.write(RAM.ipa + RAM.bytes, 4);
        await edu.write(RAM.ipa - 0x1000, 4);
        assert.equal(textAt(ram, 0, 4), "keep");
      }),
  },
];
