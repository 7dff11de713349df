// Stage 1 of a guest's over stage 2 of the host's, called directly: what the daemon's cases are to be held against.

import assert from "node:assert/strict";
import { readSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { BrokerError } from "../../../src/backends/errors.ts";
import { checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import { Chance } from "../../oracle/chance.ts";
import { Edu } from "../guest/edu.ts";
import { allocateNested, destroyObject, invalidate, receiveMSI } from "../guest/iommufd.ts";
import { eventfd, Refused } from "../guest/native.ts";
import {
  ABORT,
  ASID,
  FIRST_IOVA,
  MSI_WINDOW,
  mapMsiWindow,
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
const TLBI_NH_ALL = 0x10n;
/** Guests' STEs that are tried. */
const STES = 200;

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
  {
    name: "a device's MSI goes through the guest's stage 1: without its page there it is F_TRANSLATION, with it it arrives",
    run: ({ devices }) =>
      withVirtualSmmu(devices.slice(0, 1), [0x123], async (session) => {
        const { bind, bound, events, iommufd, keep, ram, virtualIommu } = session;
        const { fd } = bound[0]!;
        bind(0, STAGE1);
        const counter = keep(eventfd());
        receiveMSI(fd, counter);
        using edu = Edu.ofNode(fd);
        edu.interrupt();
        assert.equal(await countOf(counter), 0n);
        // GITS_TRANSLATER is at 0x40 of its page (IHI 0069, 12.19); a write, class IN (§7.3.13).
        assert.deepEqual(events(), [[0x0000_0123_0000_0010n, 0x200_0000_0000n, BigInt(MSI_WINDOW) + 0x40n, 0n]]);
        mapMsiWindow(ram);
        invalidate(iommufd, virtualIommu, [[TLBI_NH_ALL, 0n]]);
        edu.interrupt();
        assert.equal(await countOf(counter), 1n);
        bind(0, ABORT);
        edu.interrupt();
        assert.equal(await countOf(counter), 0n);
        assert.deepEqual(events(), []);
      }),
  },
  {
    name: "the kernel takes what the broker makes of a guest's STE, and refuses the STEs that the broker refuses",
    run: ({ devices, trials }, tell) =>
      withVirtualSmmu(devices.slice(0, 1), [0x123], ({ bound, iommufd, virtualIommu }) => {
        const { deviceID } = bound[0]!;
        const seen = { taken: 0, refused: 0 };
        for (let index = 0; index < STES; index += 1) {
          const ste = randomSTE(new Chance((trials.seed << 32n) ^ BigInt(index)));
          const broker = checked(ste);
          // Reserved values of Config are abort to the architecture and to the broker; the kernel wants 0b000 for that.
          const words = broker === undefined ? ste : ([broker.dword0, broker.dword1] as const);
          const kernel = refusal(() => destroyObject(iommufd, allocateNested(iommufd, deviceID, virtualIommu, words)));
          seen[kernel === undefined ? "taken" : "refused"] += 1;
          const printed = ste.map((word) => `0x${word.toString(16)}`).join(" ");
          const whole = `seed ${trials.seed}, STE ${index} ${printed}: ${kernel ?? "the kernel takes it"}`;
          assert.equal(broker === undefined, kernel !== undefined, whole);
        }
        assert.ok(seen.taken >= STES / 10 && seen.refused >= STES / 10, JSON.stringify(seen));
        tell(`seed ${trials.seed}: ${seen.taken} STEs taken, ${seen.refused} refused`);
      }),
  },
];

/** What an eventfd has counted since it was read last; it is given time for what is on its way. */
async function countOf(counter: number): Promise<bigint> {
  const bytes = new Uint8Array(8);
  for (let looks = 0; looks < 20; looks += 1) {
    await pause(10);
    try {
      readSync(counter, bytes);
      return new DataView(bytes.buffer).getBigUint64(0, true);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
  return 0n;
}

/** Up to three bits away from one that both take. */
function randomSTE(chance: Chance): readonly [bigint, bigint] {
  let [low, high] = chance.pick([...STAGE1], [0x9n, 0n], [0x1n, 0n]);
  for (let flips = chance.below(4); flips > 0; flips -= 1) {
    if (chance.oneIn(2)) low = (low ?? 0n) ^ (1n << BigInt(chance.below(64)));
    else high = (high ?? 0n) ^ (1n << BigInt(chance.below(64)));
  }
  return [low ?? 0n, high ?? 0n];
}

/** Undefined: the broker refuses it. */
function checked(ste: readonly [bigint, bigint]): VSTE | undefined {
  try {
    return checkVSTE(...ste);
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

function refusal(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}
