// Late wake-ups between the two sides: whoever changes a word wakes the other a moment later, and may be held up in between.

import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { CallSlot, type KernelJob } from "../../src/os/call-slot.ts";

/** The first two words of the head: whose turn it is, and which was answered. */
const [TURN, DONE] = [0, 1];
const OPEN: KernelJob = { kind: "open", path: "/nowhere" };

function wake(slot: CallSlot, word: number): void {
  Atomics.notify(new Int32Array(slot.shared.head), word);
}

function handOver(slot: CallSlot, job: KernelJob): Promise<bigint> {
  return new Promise((resolve) => slot.handOver(job, () => resolve(slot.takeAnswer(job).result)));
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setTimeout(resolve, 0));
}

test("a wake-up for the answer before is not taken for this call's", async () => {
  const slot = new CallSlot();
  const thread = new CallSlot(slot.shared);
  const told: bigint[] = [];
  const answer = handOver(slot, OPEN).then((result) => told.push(result));
  for (let late = 0; late < 3; late++) {
    wake(slot, DONE);
    await turns(5);
  }
  expect(told).toEqual([]);
  thread.answer(-2n);
  await answer;
  expect(told).toEqual([-2n]);
});

test("a wake-up for the call before does not have the thread make it again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "call-slot-"));
  const path = join(folder, "node");
  writeFileSync(path, "");
  const slot = new CallSlot();
  const worker = new Worker(new URL("../../src/os/kernel-worker.ts", import.meta.url), { workerData: slot.shared });
  onTestFinished(async () => {
    await worker.terminate();
    rmSync(folder, { recursive: true });
  });
  const fd = Number(await handOver(slot, { kind: "open", path }));
  for (let late = 0; late < 20; late++) {
    wake(slot, TURN);
    await turns(2);
  }
  expect(await handOver(slot, OPEN)).toBe(-2n);
  expect(readdirSync("/proc/self/fd").filter((number) => opened(number) === path)).toEqual([`${fd}`]);
  closeSync(fd);
});

/** Undefined: closed since it was listed. */
function opened(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}
