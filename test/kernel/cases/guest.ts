// The guest is what the other cases take it for.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { arch, release } from "node:os";
import koffi from "koffi";
import type { KernelCase } from "../kernel-case.ts";

export const guestCases: readonly KernelCase[] = [
  {
    name: "the guest is Linux 6.17 or newer on arm64",
    run: () => {
      assert.equal(arch(), "arm64");
      const [major = 0, minor = 0] = release().split(".").map(Number);
      assert.ok(major > 6 || (major === 6 && minor >= 17), release());
    },
  },
  {
    name: "koffi calls the C library of the guest",
    run: () => {
      const getpid = koffi.load(null).func("int getpid()");
      assert.equal(getpid(), process.pid);
    },
  },
  {
    name: "the kernel has an SMMUv3 with both edu devices behind it, each alone in its group",
    run: ({ devices }) => {
      const [smmu, ...others] = readdirSync("/sys/class/iommu").filter((name) => name.startsWith("smmu3"));
      assert.deepEqual(others, []);
      const behind = readdirSync(`/sys/class/iommu/${smmu}/devices`);
      assert.equal(devices.length, 2);
      for (const { address } of devices) {
        assert.ok(behind.includes(address), `${address} is not among ${behind}`);
        assert.deepEqual(readdirSync(`/sys/bus/pci/devices/${address}/iommu_group/devices`), [address]);
      }
    },
  },
  {
    name: "every root complex in the IORT has CANWBS",
    run: () => {
      const table = readFileSync("/sys/firmware/acpi/tables/IORT");
      let at = table.readUInt32LE(40);
      let complexes = 0;
      for (let node = 0; node < table.readUInt32LE(36); node++) {
        // DEN 0049 §3.1.1: type 2, memory access flags at byte 23 of the node, CPM 1, DACS 2, CANWBS 4.
        if (table[at] === 2) {
          complexes += 1;
          assert.equal(table[at + 23], 7);
        }
        at += table.readUInt16LE(at + 1);
      }
      assert.equal(complexes, 1);
    },
  },
  {
    name: "the device nodes of iommufd and VFIO are there",
    run: ({ devices }) => {
      for (const path of ["/dev/iommu", ...devices.map(({ cdev }) => cdev)]) assert.ok(existsSync(path), path);
    },
  },
];
