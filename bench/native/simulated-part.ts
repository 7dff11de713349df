// The same ways on this host, over the simulated backend: what a batch costs there is the model's work and the way to it.

import { startBroker } from "../../examples/support/broker-process.ts";
import { connect } from "../../src/client/client.ts";
import { DEVICE, startGuest } from "../rpc-guest.ts";
import type { Figure } from "./figures.ts";
import { measureWays } from "./ways.ts";

const REPETITIONS = 3;
const ROUNDS = 1200;

export async function measureSimulated(): Promise<readonly Figure[]> {
  const broker = await startBroker();
  const client = connect(broker.target);
  try {
    const { session } = await startGuest(await client.openSession({ displayName: "bench" }), broker.memoryRoot);
    const { virtualIommu } = await session.getDevice(DEVICE);
    const figures: Figure[] = [];
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      figures.push(...(await measureWays({ session, virtualIommu, pid: broker.process.pid! }, ROUNDS)));
    }
    await session.close();
    return figures;
  } finally {
    client.close();
    await broker.stop();
  }
}
