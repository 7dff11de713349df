// A daemon that was killed and starts again, on the kernel's own SMMUv3: its VMM goes on where it was, with memory that nobody
// but the VMM can open.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { type BrokerClient, connect, StageState } from "../../../src/client/client.ts";
import { openGuest } from "../guest/broker-guest.ts";
import type { GuestDaemon } from "../guest/daemon.ts";
import { Edu } from "../guest/edu.ts";
import { restart, running } from "../guest/native-daemon.ts";
import { FIRST_IOVA, GuestRam, RAM, READ_ONLY, READ_WRITE, setPage, textAt, writeText } from "../guest/nested.ts";
import type { KernelCase } from "../kernel-case.ts";

const SOURCE = 0x10_0000;
const TARGET = 0x20_0000;
const PAGE = 0x1000;
/** From the beginning of a transfer: edu's 100 ms and more than they can take. */
const LATER_MS = 500;

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
];
