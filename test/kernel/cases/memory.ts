// What guest memory may be, on the kernel's own SMMUv3: beside memfds, files by path on tmpfs, and huge pages.

import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BrokerClient, type BrokerSession, Stage1Mode } from "../../../src/client/client.ts";
import { hugeMemfd } from "../../support/memfd.ts";
import { Edu } from "../guest/edu.ts";
import { mapShared } from "../guest/native.ts";
import { running, withClient } from "../guest/native-daemon.ts";
import type { GuestMachine, KernelCase } from "../kernel-case.ts";

const IPA = 0x4000_0000;
const BYTES = 2 ** 21;
const SOURCE = 0x1000;
const TARGET = 0x2000;
const HUGE_PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

type Source = { readonly path: string } | { readonly ticket: string };

/** The first device with this memory, through stage 2 alone, for as long as the function runs. */
async function withMemory(
  { devices }: GuestMachine,
  client: BrokerClient,
  source: Source,
  use: (edu: Edu, session: BrokerSession) => Promise<void>,
): Promise<void> {
  const device = `devices/${devices[0]!.address}`;
  const session = await client.openSession({ displayName: "guest" });
  try {
    const { name: addressSpace } = await session.createAddressSpace();
    const mapping = { ipa: BigInt(IPA), bytes: BigInt(BYTES), source: 0, readable: true, writable: true };
    await session.mapMemory({ addressSpace, sources: [source], mappings: [mapping] });
    const { iommu } = await client.getDevice(device);
    const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: [iommu] });
    await session.attachDevice({ device, virtualIommu, initialMode: Stage1Mode.STAGE1_MODE_BYPASS });
    using edu = Edu.ofAddress(devices[0]!.address);
    await use(edu, session);
  } finally {
    await session.close();
  }
}

export const memoryCases: readonly KernelCase[] = [
  {
    name: "daemon, native: DMA to and from memory that is named by its path on tmpfs",
    run: (machine) =>
      withClient(machine, async (client) => {
        const { target } = await running(machine);
        const path = join(dirname(dirname(target.replace("unix:", ""))), "memory", "guest");
        writeFileSync(path, new Uint8Array(BYTES));
        const file = openSync(path, "r+");
        writeSync(file, "by path", SOURCE);
        await withMemory(machine, client, { path }, async (edu) => {
          await edu.read(IPA + SOURCE, 8);
          await edu.write(IPA + TARGET, 8);
          const seen = new Uint8Array(7);
          readSync(file, seen, 0, 7, TARGET);
          assert.equal(Buffer.from(seen).toString(), "by path");
        });
        closeSync(file);
      }),
  },
  {
    name: "daemon, native: DMA writes to huge pages, which came as a descriptor and have no pwrite",
    run: (machine) =>
      withClient(machine, async (client) => {
        writeFileSync(HUGE_PAGES, "1");
        assert.equal(readFileSync(HUGE_PAGES, "latin1").trim(), "1", "the kernel gives no huge page");
        const fd = hugeMemfd(BYTES);
        assert(fd !== undefined, "the kernel has no hugetlbfs");
        const { buffer, unmap } = mapShared(fd, BYTES, 0);
        Buffer.from(buffer).write("huge", SOURCE);
        const { ticket } = await client.putMemory({ fd, label: "huge" });
        await withMemory(machine, client, { ticket }, async (edu) => {
          await edu.read(IPA + SOURCE, 4);
          await edu.write(IPA + TARGET, 4);
          assert.equal(Buffer.from(buffer, TARGET, 4).toString(), "huge");
        });
        unmap();
        closeSync(fd);
      }),
  },
];
