// A daemon that was killed and starts again, on the kernel's own SMMUv3: its VMM goes on where it was, with memory that nobody
// but the VMM can open.

import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import {
  BrokerCallError,
  type BrokerClient,
  type BrokerSession,
  connect,
  Stage1Mode,
  StageState,
} from "../../../src/client/client.ts";
import { openGuest, VIRTUAL_STREAM_IDS } from "../guest/broker-guest.ts";
import type { GuestDaemon } from "../guest/daemon.ts";
import { Edu } from "../guest/edu.ts";
import { restart, running } from "../guest/native-daemon.ts";
import { CD, FIRST_IOVA, GuestRam, RAM, READ_ONLY, READ_WRITE, setPage, textAt, writeText } from "../guest/nested.ts";
import type { KernelCase } from "../kernel-case.ts";

const SOURCE = 0x10_0000;
const TARGET = 0x20_0000;
const PAGE = 0x1000;
/** From the beginning of a transfer: edu's 100 ms and more than they can take. */
const LATER_MS = 500;

/** A tick of the daemon comes by in it many times, however busy the machine. */
const WAIT_MS = 20_000;

/** The device is nobody's, and the answer to who wants it has the kernel's reason. */
async function isHeld(session: BrokerSession, device: string, virtualIommu: string | undefined): Promise<void> {
  assert.equal((await session.getDevice(device)).state, StageState.STAGE_STATE_RELEASING);
  const refused = await session.attachDevice({ device, virtualIommu }).catch((error: unknown) => error);
  assert.ok(refused instanceof BrokerCallError, String(refused));
  assert.deepEqual([refused.reason, refused.metadata.errno], ["DEVICE_RELEASING", "EINVAL"]);
}

/** What a client of this process does for as long as the function runs; what fails comes with what the daemon said last. */
async function asClient<T>({ target, log }: GuestDaemon, use: (client: BrokerClient) => Promise<T>): Promise<T> {
  const client = connect(target);
  try {
    return await use(client);
  } catch (error) {
    const why = error instanceof Error ? error.stack : error;
    throw new Error(`${why}\nthe daemon's last lines:\n${log.slice(-12).join("\n")}`);
  } finally {
    client.close();
  }
}

export const restartCases: readonly KernelCase[] = [
  {
    name: "daemon, native: killed and started again, its VMM resumes, presents its memory, and DMA works as before",
    run: async (machine) => {
      const { address } = machine.devices[0]!;
      const killed = await running(machine);
      using memory = new GuestRam();
      const ram = memory.fd;
      using edu = Edu.ofAddress(address);
      const written = async (text: string): Promise<string> => {
        writeText(ram, SOURCE, text);
        writeText(ram, TARGET, "old.");
        await edu.read(FIRST_IOVA, 4);
        await edu.write(FIRST_IOVA + PAGE, 4);
        return textAt(ram, TARGET, 4);
      };
      const token = await asClient(killed, async (client) => {
        const { bind, session } = await openGuest(client, { name: "guest", ram, addresses: [address] });
        setPage(ram, 0, BigInt(RAM.ipa + SOURCE) + READ_ONLY);
        setPage(ram, 1, BigInt(RAM.ipa + TARGET) + READ_WRITE);
        await bind(0);
        assert.equal(await written("one."), "one.");
        return session.token;
      });
      await killed.kill();
      await pause(LATER_MS);
      assert.equal(await written("two."), "old.");
      await restart(killed);
      await asClient(await running(machine), async (client) => {
        const { session, holdings } = await client.resumeSession(token);
        const { state } = await session.getDevice(`devices/${address}`);
        assert.equal(state, StageState.STAGE_STATE_GUEST_NESTED);
        assert.equal(await written("thr."), "old.", "DMA arrived before its memory was presented");
        const { ticket } = await client.putMemory({ fd: ram, label: "again" });
        const [addressSpace] = holdings.addressSpaces;
        const presented = await session.presentMemory({ addressSpace, label: "guest-RAM", ticket });
        assert.deepEqual(presented.missingMemory, []);
        assert.equal(await written("four"), "four");
        await session.close();
      });
    },
  },
  {
    name: "daemon, native: killed with the node of one of two devices handed out, its VMM keeps its session and the other device, and gets this one again once it has closed the node",
    run: async (machine) => {
      const [held, kept] = machine.devices.map(({ address }) => ({ address, device: `devices/${address}` }));
      const killed = await running(machine);
      using memory = new GuestRam();
      const ram = memory.fd;
      const written = async (edu: Edu, text: string): Promise<string> => {
        writeText(ram, SOURCE, text);
        writeText(ram, TARGET, "old.");
        await edu.read(FIRST_IOVA, 4);
        await edu.write(FIRST_IOVA + PAGE, 4);
        return textAt(ram, TARGET, 4);
      };
      const { files, token } = await asClient(killed, async (client) => {
        const addresses = [held!.address, kept!.address];
        const { bind, session } = await openGuest(client, { name: "guest", ram, addresses });
        setPage(ram, 0, BigInt(RAM.ipa + SOURCE) + READ_ONLY);
        setPage(ram, 1, BigInt(RAM.ipa + TARGET) + READ_WRITE);
        await bind(0);
        await bind(1);
        return { ...(await session.openDevice(held!.device)), token: session.token };
      });
      await killed.kill();
      await restart(killed);
      await asClient(await running(machine), async (client) => {
        const { session, holdings } = await client.resumeSession(token);
        assert.deepEqual(
          holdings.devices.map(({ device }) => device),
          [kept!.device],
        );
        const [virtualIommu] = holdings.virtualIommus;
        await isHeld(session, held!.device, virtualIommu);
        const { ticket } = await client.putMemory({ fd: ram, label: "again" });
        await session.presentMemory({ addressSpace: holdings.addressSpaces[0], label: "guest-RAM", ticket });
        using other = Edu.ofAddress(kept!.address);
        assert.equal(await written(other, "one."), "one.");
        using first = Edu.ofAddress(held!.address);
        assert.equal(await written(first, "hold"), "hold", "a held device does not stay attached as it was");
        for (const { fd } of files) closeSync(fd);
        await session.attachDevice({ device: held!.device, virtualIommu, waitMs: WAIT_MS });
        const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(RAM.ipa + CD) };
        const shared = { s1Cir: 1, s1Cor: 1, s1Csh: 3 };
        const [virtualStreamId] = VIRTUAL_STREAM_IDS;
        await session.bindGuestStage({ device: held!.device, virtualStreamId, fields: { ...fields, ...shared } });
        assert.equal(await written(first, "two."), "two.");
        assert.equal(await written(other, "thr."), "thr.");
        await session.close();
      });
    },
  },
];
