// Stage 1 of a guest's over stage 2 of the host's, called directly: what the daemon's cases are to be held against.

import assert from "node:assert/strict";
import { Edu } from "../guest/edu.ts";
import { invalidate } from "../guest/iommufd.ts";
import {
  ABORT,
  ASID,
  FIRST_IOVA,
  READ_ONLY,
  READ_WRITE,
  STAGE1,
  textAt,
  withVirtualSmmu,
  writeText,
} from "../guest/nested.ts";
import type { KernelCase } from "../kernel-case.ts";

const SOURCE = 0x10_0000;
const TARGET = 0x20_0000;
/** CMD_TLBI_NH_VA: the opcode and the ASID, then the address. Source: IHI 0070G.b §4.4. */
const TLBI_NH_VA = 0x12n + BigInt(ASID) * 2n ** 48n;

export const nestedCases: readonly KernelCase[] = [
  {
    name: "DMA through both stages lands where the guest's tables say, and a changed page is seen after CMD_TLBI_NH_VA",
    run: ({ devices }) =>
      withVirtualSmmu(devices.slice(0, 1), [0x123], async ({ bind, bound, iommufd, ram, setPage, virtualIommu }) => {
        writeText(ram, SOURCE, "first page.");
        writeText(ram, SOURCE + 0x1000, "second page");
        setPage(0, SOURCE, READ_ONLY);
        setPage(1, TARGET, READ_WRITE);
        bind(0, STAGE1);
        using edu = Edu.ofNode(bound[0]!.fd);
        await edu.read(FIRST_IOVA, 12);
        await edu.write(FIRST_IOVA + 0x1000, 12);
        assert.equal(textAt(ram, TARGET, 12), "first page.\0");
        setPage(0, SOURCE + 0x1000, READ_ONLY);
        invalidate(iommufd, virtualIommu, [[TLBI_NH_VA, BigInt(FIRST_IOVA)]]);
        await edu.read(FIRST_IOVA, 12);
        await edu.write(FIRST_IOVA + 0x1000, 12);
        assert.equal(textAt(ram, TARGET, 12), "second page\0");
      }),
  },
  {
    name: "faults of two devices behind one virtual SMMU come as records with the virtual StreamID of each",
    run: ({ devices }) =>
      withVirtualSmmu(devices, [0x123, 0x45], async ({ bind, bound, events, ram, setPage }) => {
        setPage(0, SOURCE, READ_ONLY);
        bind(0, STAGE1);
        bind(1, STAGE1);
        using first = Edu.ofNode(bound[0]!.fd);
        using second = Edu.ofNode(bound[1]!.fd);
        await first.read(FIRST_IOVA + 0x1000, 4);
        await second.write(FIRST_IOVA, 4);
        // F_TRANSLATION of a read, class IN; F_PERMISSION of a write (§7.3.13, §7.3.16).
        assert.deepEqual(events(), [
          [0x0000_0123_0000_0010n, 0x0000_0208_0000_0000n, 0x1000_1000n, 0n],
          [0x0000_0045_0000_0013n, 0x0000_0200_0000_0000n, 0x1000_0000n, 0n],
        ]);
        assert.equal(textAt(ram, SOURCE, 4), "\0\0\0\0");
      }),
  },
  {
    name: "a guest's abort stops DMA and records nothing",
    run: ({ devices }) =>
      withVirtualSmmu(devices.slice(0, 1), [0x123], async ({ bind, bound, events, ram, setPage }) => {
        writeText(ram, SOURCE, "new.");
        writeText(ram, TARGET, "old.");
        setPage(0, SOURCE, READ_ONLY);
        setPage(1, TARGET, READ_WRITE);
        bind(0, STAGE1);
        using edu = Edu.ofNode(bound[0]!.fd);
        await edu.read(FIRST_IOVA, 4);
        bind(0, ABORT);
        await edu.write(FIRST_IOVA + 0x1000, 4);
        assert.equal(textAt(ram, TARGET, 4), "old.");
        assert.deepEqual(events(), []);
        bind(0, STAGE1);
        await edu.write(FIRST_IOVA + 0x1000, 4);
        assert.equal(textAt(ram, TARGET, 4), "new.");
      }),
  },
];
