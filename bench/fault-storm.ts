// One device that storms beside quiet ones: what that does to the daemon's memory and to the quiet devices' readers.
// The same quiet devices in a second daemon, where nothing storms, are measured at the same time: that is the run without the
// storm, on a machine that is as busy. What the two daemons differ by before and after the storm is the control.

import { runStorm, type StormOutcome } from "../test/support/fault-storm.ts";

/** Of the memory: it has levelled off when the last quarter of the storm needs no more than so much of the one before. */
const GOALS = { latency: 1.5, growth: 1.1 };
const SIZE = { quietDevices: 10, readers: 100, stuck: 20, aloneMs: 12_000 };
const MiB = 2 ** 20;
const NAMES = { alone: "before", storm: "in the storm", again: "after" } as const;

export async function measureStorm(events: number): Promise<boolean> {
  process.env.MALLOC_ARENA_MAX ??= "1"; // as docs/faults.md advises; otherwise RSS tells of malloc's arenas
  console.log(
    `${events} faults of one device, ${SIZE.quietDevices} quiet devices of 10 faults a second, ${SIZE.readers} readers, ${SIZE.stuck} of them stuck`,
  );
  const outcome = await runStorm({ ...SIZE, events });
  const verdicts = [memory(outcome), latency(outcome), quiet(outcome), accounted(outcome, events)];
  return verdicts.every((verdict) => verdict !== "missed");
}

function memory({ resident: { after, before, quarters } }: StormOutcome): string {
  const mib = (bytes: number): string => `${(bytes / MiB).toFixed(0)} MiB`;
  const growth = (quarters.at(-1) ?? Number.NaN) / (quarters.at(-2) ?? Number.NaN);
  const verdict = growth <= GOALS.growth ? "met" : "missed";
  console.log(
    `  RSS of the daemon: ${mib(before)} before, at most ${quarters.map(mib).join(", ")} in the quarters of the storm, ${mib(after)} after;` +
      ` the last quarter ${growth.toFixed(2)} × the third, goal ≤ ${GOALS.growth} × ${verdict}`,
  );
  return verdict;
}

function latency({ calmLatencies, latencies, stormMs }: StormOutcome): string {
  console.log(`  quiet devices, model to their owners, ms (the storm took ${(stormMs / 1000).toFixed(1)} s):`);
  const ratios = (["alone", "storm", "again"] as const).map((phase) => {
    const [here, there] = [latencies[phase], calmLatencies[phase]];
    const ratio = here.p99 / there.p99;
    console.log(
      `    ${NAMES[phase].padEnd(12)} p50 ${here.p50}, p99 ${here.p99} of ${here.events}; in the calm daemon p50 ${there.p50}, p99 ${there.p99}: p99 ${ratio.toFixed(2)} ×`,
    );
    return ratio;
  });
  const [alone = Number.NaN, storm = Number.NaN, again = Number.NaN] = ratios;
  const control = Math.max(Math.abs(alone - 1), Math.abs(again - 1));
  const isTold = Math.abs(storm / GOALS.latency - 1) > control;
  const verdict = !isTold ? "INCONCLUSIVE" : storm <= GOALS.latency ? "met" : "missed";
  console.log(
    `    in the storm ${storm.toFixed(2)} × p99, goal ≤ ${GOALS.latency} × ${verdict} (control ${control.toFixed(2)})`,
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
