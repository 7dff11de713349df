// The whole way on the real kernel: binds and invalidations of a client of the built daemon, in the virtual machine.

import { Stage1Mode } from "../../src/client/client.ts";
import { openGuest, VIRTUAL_STREAM_IDS } from "../../test/kernel/guest/broker-guest.ts";
import { running, withClient } from "../../test/kernel/guest/native-daemon.ts";
import { CD, RAM } from "../../test/kernel/guest/nested.ts";
import type { GuestMachine } from "../../test/kernel/kernel-case.ts";
import { memfd } from "../../test/support/memfd.ts";
import type { Figure } from "./figures.ts";
import type { Rounds } from "./ioctl-part.ts";
import { measureCalls, measureWays } from "./ways.ts";

/** Of one daemon: with each more of it is compiled, as in one that runs for weeks. */
const REPETITIONS = 3;

export async function measureDaemon(
  machine: GuestMachine,
  { batches, binds }: Rounds,
  tell: (figures: readonly Figure[]) => void,
): Promise<void> {
  await withClient(machine, async (client) => {
    const { pid } = await running(machine);
    const addresses = machine.devices.slice(0, 1).map(({ address }) => address);
    const guest = await openGuest(client, { name: "bench", ram: memfd(RAM.bytes), addresses });
    const { bind, devices, session, virtualIommu } = guest;
    await bind(0);
    const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(RAM.ipa + CD) };
    const request = { device: devices[0]!, virtualStreamId: VIRTUAL_STREAM_IDS[0], fields };
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      tell([await measureCalls(pid, "rpc bind", binds, () => session.bindGuestStage(request))]);
      tell(await measureWays({ session, virtualIommu, pid }, batches));
    }
    await session.close();
  });
}
