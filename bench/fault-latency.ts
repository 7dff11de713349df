// How long a fault takes to its readers at 1,000 faults a second, four every 4 ms: from FaultEvent.time, when the daemon took the
// record off the SMMU's queue, to the decoded event in the reader's process, by the same machine's clock. It includes the wait
// for a batch (timing.fault_batch_ms), encoding, gRPC and the socket, the reader's turn and its decoder, and up to 1 ms
// because FaultEvent.time has whole milliseconds. It does not include the turn between the fault and its being taken.

import { setTimeout as pause } from "node:timers/promises";
import { CountingProcess, openAll, quantileOf, tellAll } from "../test/support/fault-counting.ts";
import {
  type FaultHost,
  faultRequest,
  observerStream,
  ownerStream,
  startFaultHost,
} from "../test/support/fault-devices.ts";

const PER_SECOND = 1000;
/** Faults of one call: a call for each would cost the daemon more than they do. */
const PER_CALL = 4;
const SECONDS = 10;
const READER_PROCESSES = 5;
const ROUNDS = 2;
const PHASE = "measured";

export async function measureLatency(counts: readonly number[]): Promise<void> {
  console.log(
    `\nfrom model to reader at ${PER_SECOND} faults a second, ms, with the defaults (FaultEvent.time to the decoded event)`,
  );
  const host = await startFaultHost(1, {});
  try {
    let through = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const readers of counts) through = await measure(host, readers, through);
    }
  } finally {
    await host.stop();
  }
}

/** @returns the device's last number */
async function measure(host: FaultHost, readers: number, first: number): Promise<number> {
  const device = host.devices[0]!;
  const processes = Array.from({ length: Math.min(readers, READER_PROCESSES) }, () => new CountingProcess());
  try {
    const after = { [device.name]: first };
    const observers = Array.from({ length: readers - 1 }, () => observerStream(host, { after }));
    await openAll(processes, [ownerStream(host, device, { after }), ...observers]);
    let through = first + (await fault(host, 1));
    await tellAll(processes, { kind: "phase", phase: PHASE });
    const began = performance.now();
    through += await fault(host, SECONDS);
    const rate = (through - first) / ((performance.now() - began) / 1000 + 1);
    await tellAll(processes, { kind: "until", device: device.name, through });
    const reports = await Promise.all(processes.map((each) => each.report()));
    const histograms = reports.flatMap(({ latencies }) => Object.values(latencies[PHASE] ?? {}));
    const [p50, p99] = [0.5, 0.99].map((part) => quantileOf(histograms, part).toFixed(1));
    console.log(
      `  ${String(readers).padStart(3)} readers: p50 ${p50}, p99 ${p99} (${rate.toFixed(0)} faults a second came)`,
    );
    return through;
  } finally {
    await Promise.all(processes.map((each) => each.stop()));
  }
}

/** As many a second as wanted, whatever a call takes. @returns how many */
async function fault(host: FaultHost, seconds: number): Promise<number> {
  const device = host.devices[0]!;
  const request = faultRequest(device, PER_CALL);
  const began = performance.now();
  const wanted = (seconds * PER_SECOND) / PER_CALL;
  const calls: Promise<void>[] = [];
  while (calls.length < wanted) {
    const due = Math.min(wanted, ((performance.now() - began) / 1000) * (PER_SECOND / PER_CALL));
    while (calls.length < due) calls.push(host.fault(device, request));
    await pause(1);
  }
  await Promise.all(calls);
  return calls.length * PER_CALL;
}
