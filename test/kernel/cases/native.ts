// The built daemon on the kernel's own SMMUv3, driven over gRPC: what the cases before this one showed of the kernel is held
// against what clients get. One daemon for all, because it takes long to start in there; the last two cases end it.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { type BrokerSession, Stage1Mode, StageState } from "../../../src/client/client.ts";
import { doublewordsOf, takeFaults, VIRTUAL_STREAM_IDS } from "../guest/broker-guest.ts";
import { Edu } from "../guest/edu.ts";
import { driverOf } from "../guest/edu-devices.ts";
import { end, restart, running, startVmm, withClient, withGuest } from "../guest/native-daemon.ts";
import {
  ASID,
  CD,
  FIRST_IOVA,
  GuestRam,
  RAM,
  READ_ONLY,
  READ_WRITE,
  setPage,
  textAt,
  write64,
  writeTables,
  writeText,
} from "../guest/nested.ts";
import type { GuestMachine, KernelCase } from "../kernel-case.ts";

const SOURCE = 0x10_0000;
const TARGET = 0x20_0000;
const PAGE = 0x1000;
/** AF [10] of a descriptor. Source: Arm DDI 0487 D8.3. */
const ACCESS_FLAG = 1n << 10n;
/** One past what IDR5.OAS=0b100 lets tables lead to: 44 bits. */
const BEYOND_OUTPUT = 1n << 44n;
/** From the order of a DMA to its transfer, in edu. */
const EDU_DELAY_MS = 100;
/** Daemons that are killed until one is gone before its device's DMA. */
const KILLS_MAX = 3;
/** From the beginning of a transfer: well beyond edu's delay. */
const LATER_MS = 500;

async function bindAbort(session: BrokerSession, device: string): Promise<void> {
  const { state } = (
    await session.bindGuestStage({
      device,
      virtualStreamId: VIRTUAL_STREAM_IDS[0],
      fields: { mode: Stage1Mode.STAGE1_MODE_ABORT },
    })
  ).device!;
  assert.equal(state, StageState.STAGE_STATE_GUEST_ABORT);
}

const page = (ramOffset: number, attributes: bigint): bigint => BigInt(RAM.ipa + ramOffset) + attributes;

/** The first device may write the page that the text is in, and has other words to write there. */
async function aimed(ram: number, edu: Edu): Promise<void> {
  setPage(ram, 0, page(SOURCE, READ_ONLY));
  setPage(ram, 1, page(TARGET, READ_WRITE));
  writeText(ram, SOURCE, "new.");
  writeText(ram, TARGET, "old.");
  await edu.read(FIRST_IOVA, 4);
  edu.beginWrite(FIRST_IOVA + PAGE + 8, 4);
  await pause(LATER_MS);
  assert.equal(textAt(ram, TARGET + 8, 4), "new.", "DMA did not work before");
}

/** Ends the daemon while the device's DMA is on its way, and starts it again. `landed`: the DMA did, within LATER_MS. */
async function killDaemonUnder(machine: GuestMachine, edu: Edu, ram: number) {
  const { address } = machine.devices[0]!;
  writeTables(ram);
  const killed = await running(machine);
  const vmm = await startVmm(killed, ram, address);
  await aimed(ram, edu);
  edu.beginWrite(FIRST_IOVA + PAGE, 4);
  const began = performance.now();
  await killed.kill();
  const diedMs = Math.round(performance.now() - began);
  await pause(LATER_MS);
  const landed = textAt(ram, TARGET, 4) !== "old.";
  if (!landed) {
    await edu.write(FIRST_IOVA + PAGE, 4);
    assert.equal(textAt(ram, TARGET, 4), "old.");
  }
  vmm.kill("SIGKILL");
  await restart(killed);
  // Its session was restored, and has the resume window and its grace to come back.
  await withClient(machine, async (client) => {
    const free = StageState.STAGE_STATE_DEFAULT_DOMAIN;
    while ((await client.getDevice(`devices/${address}`)).state !== free) await pause(LATER_MS);
  });
  return { diedMs, landed };
}

export const nativeCases: readonly KernelCase[] = [
  {
    name: "daemon, native: it takes the devices that nothing drives, and shows their SMMU's registers",
    run: (machine) =>
      withClient(machine, async (client) => {
        for (const { address } of machine.devices) assert.equal(driverOf(address), "vfio-pci");
        const devices = await client.listDevices();
        assert.deepEqual(
          devices.map(({ name, groupDevices, state }) => ({ name, groupDevices, state })),
          machine.devices.map(({ address }) => ({
            name: `devices/${address}`,
            groupDevices: [`devices/${address}`],
            state: StageState.STAGE_STATE_DEFAULT_DOMAIN,
          })),
        );
        const { iommus } = await client.getCapabilities();
        const [iommu, ...others] = iommus;
        assert.equal(others.length, 0);
        const { idr0, idr1, idr3, idr5, aidr } = iommu!.registers!;
        assert.deepEqual([idr0, idr1, idr3, idr5, aidr], [0x0d44_101b, 0x0273_0010, 0x1414, 0x74, 1]);
        assert.deepEqual([iommu!.nesting, iommu!.nestingReason], [true, ""]);
        assert.equal(devices[0]!.iommu, iommu!.name);
      }),
  },
  {
    name: "daemon, native: DMA of two attached devices through stage 2, from memory that was put as a descriptor",
    run: (machine) =>
      withGuest(
        machine,
        { devices: 2, initialMode: Stage1Mode.STAGE1_MODE_BYPASS },
        async ({ ram, session, devices }) => {
          for (const [index, { address }] of machine.devices.entries()) {
            const at = SOURCE + index * PAGE;
            writeText(ram, at, `stage 2 of ${index}`);
            using edu = Edu.ofAddress(address);
            await edu.read(RAM.ipa + at, 12);
            await edu.write(RAM.ipa + TARGET + index * PAGE, 12);
            assert.equal(textAt(ram, TARGET + index * PAGE, 12), `stage 2 of ${index}`);
            await edu.write(RAM.ipa + RAM.bytes, 4);
            const { state } = await session.getDevice(devices[index]!);
            assert.equal(state, StageState.STAGE_STATE_NEST_PARENT);
          }
        },
      ),
  },
  {
    name: "daemon, native: bind, DMA through both stages, an invalidation that shows a changed page, abort, unbind",
    run: (machine) =>
      withGuest(machine, { devices: 1 }, async ({ bind, devices, ram, session, virtualIommu }) => {
        const [device] = devices;
        writeText(ram, SOURCE, "first page.");
        writeText(ram, SOURCE + PAGE, "second page");
        setPage(ram, 0, page(SOURCE, READ_ONLY));
        setPage(ram, 1, page(TARGET, READ_WRITE));
        await bind(0);
        const { state, virtualStreamId } = await session.getDevice(device!);
        assert.deepEqual([state, virtualStreamId], [StageState.STAGE_STATE_GUEST_NESTED, VIRTUAL_STREAM_IDS[0]]);
        using edu = Edu.ofAddress(machine.devices[0]!.address);
        const copied = async (): Promise<string> => {
          await edu.read(FIRST_IOVA, 12);
          await edu.write(FIRST_IOVA + PAGE, 12);
          return textAt(ram, TARGET, 12);
        };
        assert.equal(await copied(), "first page.\0");
        setPage(ram, 0, page(SOURCE + PAGE, READ_ONLY));
        assert.equal(await copied(), "first page.\0", "the emulated TLB held nothing: this proves nothing");
        await session.invalidateCache(virtualIommu, [{ tlbiNhVa: { asid: ASID, address: BigInt(FIRST_IOVA) } }]);
        assert.equal(await copied(), "second page\0");
        await bindAbort(session, device!);
        writeText(ram, TARGET, "untouched!!\0");
        assert.equal(await copied(), "untouched!!\0");
        const unbound = await session.unbindGuestStage({ device });
        assert.equal(unbound.state, StageState.STAGE_STATE_NEST_PARENT);
        await edu.read(RAM.ipa + SOURCE, 12);
        await edu.write(RAM.ipa + TARGET, 12);
        assert.equal(textAt(ram, TARGET, 12), "first page.\0");
      }),
  },
  {
    name: "daemon, native: faults of two devices reach WatchFaults word for word, with the virtual StreamID of each",
    run: (machine) =>
      withGuest(machine, { devices: 2 }, async ({ bind, devices, ram, session, virtualIommu }) => {
        setPage(ram, 0, page(SOURCE, READ_ONLY));
        setPage(ram, 2, page(SOURCE, READ_WRITE - ACCESS_FLAG));
        setPage(ram, 3, BEYOND_OUTPUT + READ_WRITE);
        await bind(0);
        await bind(1);
        const watch = session.watchFaults();
        await watch.ready;
        const taken = takeFaults(watch, 6);
        using first = Edu.ofAddress(machine.devices[0]!.address);
        using second = Edu.ofAddress(machine.devices[1]!.address);
        await first.read(FIRST_IOVA + PAGE, 4);
        await second.write(FIRST_IOVA, 4);
        await first.read(FIRST_IOVA + 2 * PAGE, 4);
        await second.read(FIRST_IOVA + 3 * PAGE, 4);
        write64(ram, CD, 0n);
        const all = VIRTUAL_STREAM_IDS.map((virtualStreamId) => ({ cfgiCdAll: { virtualStreamId } }));
        await session.invalidateCache(virtualIommu, [...all, { tlbiNhAll: {} }]);
        await second.read(FIRST_IOVA, 4);
        await first.read(FIRST_IOVA, 4);
        const events = await taken;
        // Class IN; RnW is bit 35 of doubleword 1 (IHI 0070G.b §7.3.9, §7.3.13 to §7.3.16).
        assert.deepEqual(
          events.map((event) => [event.type, event.device, event.virtualStreamId, ...doublewordsOf(event)]),
          [
            ["F_TRANSLATION", devices[0], 0x123, 0x0000_0123_0000_0010n, 0x208_0000_0000n, 0x1000_1000n, 0n],
            ["F_PERMISSION", devices[1], 0x45, 0x0000_0045_0000_0013n, 0x200_0000_0000n, 0x1000_0000n, 0n],
            ["F_ACCESS", devices[0], 0x123, 0x0000_0123_0000_0012n, 0x208_0000_0000n, 0x1000_2000n, 0n],
            ["F_ADDR_SIZE", devices[1], 0x45, 0x0000_0045_0000_0011n, 0x208_0000_0000n, 0x1000_3000n, 0n],
            ["C_BAD_CD", devices[1], 0x45, 0x0000_0045_0000_000an, 0n, 0n, 0n],
            ["C_BAD_CD", devices[0], 0x123, 0x0000_0123_0000_000an, 0n, 0n, 0n],
          ],
        );
      }),
  },
  {
    name: "daemon, native: kill -9 of a VMM while its device's DMA is on its way, and another has the device next",
    run: async (machine) => {
      const { address } = machine.devices[0]!;
      using memory = new GuestRam();
      const ram = memory.fd;
      writeTables(ram);
      const vmm = await startVmm(await running(machine), ram, address);
      using edu = Edu.ofAddress(address);
      await aimed(ram, edu);
      edu.beginWrite(FIRST_IOVA + PAGE, 4);
      vmm.kill("SIGKILL");
      await pause(LATER_MS);
      assert.equal(textAt(ram, TARGET, 4), "old.");
      await edu.write(FIRST_IOVA + PAGE, 4);
      assert.equal(textAt(ram, TARGET, 4), "old.");
      await withGuest(machine, { devices: 1 }, async ({ bind, ram: own }) => {
        await bind(0);
        await aimed(own, edu);
        assert.equal(textAt(ram, TARGET, 4), "old.");
      });
      await withClient(machine, async (client) => {
        const { state, owner } = await client.getDevice(`devices/${address}`);
        assert.deepEqual([state, owner], [StageState.STAGE_STATE_DEFAULT_DOMAIN, ""]);
      });
    },
  },
  {
    name: "daemon, native: kill -9 of the daemon while a device's DMA is on its way, and another has the device next",
    run: async (machine, tell) => {
      const { address } = machine.devices[0]!;
      using edu = Edu.ofAddress(address);
      for (let attempt = 1; ; attempt += 1) {
        using memory = new GuestRam();
        const { diedMs, landed } = await killDaemonUnder(machine, edu, memory.fd);
        tell(`the daemon was gone after ${diedMs} ms`);
        assert.ok(!landed || diedMs >= EDU_DELAY_MS, `DMA landed, though the daemon was gone after ${diedMs} ms`);
        // Of a process that the kernel takes longer to end than the device needs, the DMA says nothing.
        if (landed && attempt < KILLS_MAX) continue;
        assert.ok(!landed, `each of ${KILLS_MAX} daemons lived longer than its device's DMA took`);
        await withGuest(machine, { devices: 1 }, async (next) => {
          await next.bind(0);
          await aimed(next.ram, edu);
          assert.equal(textAt(memory.fd, TARGET, 4), "old.");
        });
        return;
      }
    },
  },
  {
    name: "daemon, native: when it ends, the devices it took are driven by nothing again",
    run: async (machine) => {
      const ending = await running(machine);
      await end(ending);
      assert.deepEqual(
        machine.devices.map(({ address }) => driverOf(address)),
        [undefined, undefined],
        ending.log.slice(-12).join("\n"),
      );
    },
  },
];
