// A client's invalidations by unary calls, over one stream a batch at a time, and over one stream with batches sent ahead. CPU is
// the daemon's alone; times are from the client's call to its answer.

import type { BrokerSession } from "../../src/client/client.ts";
import { cpuNanoseconds } from "../process-usage.ts";
import { quantile } from "../quantiles.ts";
import { commandBytes, type Figure, timed } from "./figures.ts";

/** Batches on their way at a time, where a VMM does not wait for each. */
const AHEAD = 16;

export interface Client {
  readonly session: BrokerSession;
  readonly virtualIommu: string;
  /** The daemon's. */
  readonly pid: number;
}

export async function measureWays(client: Client, rounds: number): Promise<readonly Figure[]> {
  const { pid, session, virtualIommu } = client;
  const stream = session.streamInvalidations(virtualIommu);
  const figures: Figure[] = [];
  for (const count of [1, 64, 1024]) {
    const raw = commandBytes(count);
    const commands = Array.from({ length: count }, (_, index) => ({ raw: raw.subarray(16 * index, 16 * index + 16) }));
    const some = count > 64 ? Math.ceil(rounds / 8) : rounds;
    const what = `invalidate-${count}`;
    figures.push(
      await measureCalls(pid, `unary ${what}`, some, () => session.invalidateCache(virtualIommu, commands)),
      await measureCalls(pid, `stream ${what}`, some, () => stream.invalidate(raw)),
    );
    const together = () => Promise.all(Array.from({ length: AHEAD }, () => stream.invalidate(raw)));
    const { cpu, p50, p99 } = await measureCalls(pid, "", Math.ceil(some / AHEAD), together);
    figures.push({ name: `ahead ${what}`, cpu: cpu / AHEAD, p50: p50 / AHEAD, p99: p99 / AHEAD }); // of each
  }
  await stream.close();
  return figures;
}

export async function measureCalls(
  pid: number,
  name: string,
  rounds: number,
  act: () => Promise<unknown>,
): Promise<Figure> {
  await timed(Math.ceil(rounds / 2), act); // until both sides are compiled
  const from = cpuNanoseconds(pid);
  const took = await timed(rounds, act);
  const cpu = (cpuNanoseconds(pid) - from) / rounds;
  return { name, cpu, p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}
