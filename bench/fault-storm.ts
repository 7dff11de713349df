// One device that storms beside quiet ones: what that does to the daemon's memory and to the quiet devices' readers.
// The quiet devices are measured alone before and after the storm: what these two differ by is what the machine does.

import { runStorm, type StormOutcome } from "../test/support/fault-storm.ts";

const GOALS = { latency: 1.5, growthBytes: 128 * 2 ** 20 };
const SIZE = { quietDevices: 10, readers: 100, stuck: 20, aloneMs: 15_000 };
const MiB = 2 ** 20;

export async function measureStorm(events: number): Promise<boolean> {
  console.log(
    `${events} faults of one device, ${SIZE.quietDevices} quiet devices of 50 faults a second, ${SIZE.readers} readers, ${SIZE.stuck} of them stuck`,
  );
  const outcome = await runStorm({ ...SIZE, events });
  const verdicts = [memory(outcome), latency(outcome), quiet(outcome), accounted(outcome, events)];
  return verdicts.every((verdict) => verdict !== "missed");
}

function memory({ resident: { after, before, peak } }: StormOutcome): string {
  const verdict = peak - before <= GOALS.growthBytes ? "met" : "missed";
  const [first, most, last] = [before, peak, after].map((bytes) => `${(bytes / MiB).toFixed(0)} MiB`);
  console.log(
    `  RSS of the daemon: ${first} before, ${most} at most, ${last} after; goal ≤ ${GOALS.growthBytes / MiB} MiB more ${verdict}`,
  );
  return verdict;
}

function latency({ latencies: { again, alone, storm }, stormMs }: StormOutcome): string {
  const told = ({ p50, p99 }: { readonly p50: number; readonly p99: number }): string => `p50 ${p50}, p99 ${p99} ms`;
  console.log(`  the storm took ${(stormMs / 1000).toFixed(1)} s`);
  console.log(
    `  quiet devices, model to reader: alone ${told(alone)}; in the storm ${told(storm)}; alone again ${told(again)}`,
  );
  const ratio = storm.p99 / ((alone.p99 + again.p99) / 2);
  const control = Math.abs(alone.p99 / again.p99 - 1);
  const isTold = Math.abs(ratio / GOALS.latency - 1) > control;
  const verdict = !isTold ? "INCONCLUSIVE" : ratio <= GOALS.latency ? "met" : "missed";
  console.log(
    `  p99 in the storm ${ratio.toFixed(2)} × alone, goal ≤ ${GOALS.latency} × ${verdict} (the two alone differ by ${control.toFixed(2)})`,
  );
  return verdict;
}

function quiet({ quietEvents, quietPerReader }: StormOutcome): string {
  const lost = quietPerReader.map(({ delivered, recorded }) => recorded - delivered).reduce((a, b) => a + b, 0);
  const verdict = lost === 0 ? "met" : "missed";
  console.log(
    `  quiet devices: ${quietEvents} faults, ${lost} lost of the deliveries to ${quietPerReader.length} readers; goal 0 ${verdict}`,
  );
  return verdict;
}

function accounted({ recorded, quietEvents, stormPerReader, stuckPerReader }: StormOutcome, events: number): string {
  const all = [...stormPerReader, ...stuckPerReader];
  const isWhole = all.every(({ delivered, other, overrun, suppressed }) => {
    return other === 0 && delivered + suppressed + overrun === events;
  });
  const verdict = isWhole && recorded === events + quietEvents ? "met" : "missed";
  for (const [name, shares] of [
    ["a reader", stormPerReader],
    ["a stuck reader, afterwards", stuckPerReader],
  ] as const) {
    const range = (of: (share: (typeof all)[number]) => number): string => {
      const values = shares.map(of);
      return `${Math.min(...values)}-${Math.max(...values)}`;
    };
    console.log(
      `  the storm at ${name}: ${range(({ delivered }) => delivered)} delivered + ${range(({ suppressed }) => suppressed)} suppressed` +
        ` + ${range(({ overrun }) => overrun)} overrun = ${range((each) => each.delivered + each.suppressed + each.overrun)}`,
    );
  }
  console.log(`  delivered + suppressed + gaps = ${events} at each of ${all.length} readers ${verdict}`);
  return verdict;
}
