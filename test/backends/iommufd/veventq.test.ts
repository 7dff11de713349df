// What a vEVENTQ gives, as Linux 7.3 gave it for QEMU's SMMUv3 (records with the virtual StreamID 0x123), and what it loses.

import { expect, test } from "vitest";
import type { FaultNotice } from "../../../src/backends/faults.ts";
import { deviceID, virtualStreamID } from "../../../src/backends/ids.ts";
import { VEVENTQ_DEPTH } from "../../../src/backends/iommufd/part.ts";
import { READ_FAILURES_MAX } from "../../../src/backends/iommufd/queue-reader.ts";
import { QUIET_MS } from "../../../src/backends/iommufd/rare-notice.ts";
import { IOMMUFD_VEVENT_HEADER } from "../../../src/backends/iommufd/structs.ts";
import { VirtualEventQueue } from "../../../src/backends/iommufd/veventq.ts";
import { FakeIommufd } from "../../support/fake-iommufd.ts";
import { fakeDevice, fakeSmmu } from "../../support/fake-iommufd-machine.ts";
import { ManualClock } from "../../support/host.ts";
import { nativeWorld } from "../../support/native-world.ts";

const F_TRANSLATION = [0x0000_0123_0000_0010n, 0x0000_0208_0000_0000n, 0x0000_0000_1010_0000n, 0n];
const F_PERMISSION = [0x0000_0123_0000_0013n, 0x0000_0200_0000_0000n, 0x0000_0000_1000_2000n, 0n];
const C_BAD_CD = [0x0000_0123_0000_000an, 0n, 0n, 0n];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function bound(name = 0x123) {
  const world = await nativeWorld();
  const { part } = await world.part();
  await world.backend.attach(world.group(1), part, "bypass");
  await world.bind(1, part, name);
  return { world, part };
}

test("events arrive decoded, with the device of their name and the record as it was", async () => {
  const { world } = await bound();
  for (const words of [F_TRANSLATION, F_PERMISSION, C_BAD_CD]) world.raise(1, words);
  await turn();
  const device = world.device(1).id;
  const common = { device, virtualStreamID: 0x123, pending: undefined, hostOnly: false };
  expect(world.records()).toMatchObject([
    { ...common, type: "F_TRANSLATION", stage: 1, class: "IN", read: true, inputAddress: 0x1010_0000n, ipa: undefined },
    { ...common, type: "F_PERMISSION", stage: 1, read: false, inputAddress: 0x1000_2000n },
    { ...common, type: "C_BAD_CD", stage: undefined, inputAddress: undefined },
  ]);
  const [first] = world.records();
  const view = new DataView(first!.record.buffer, first!.record.byteOffset, 32);
  expect([0, 8, 16, 24].map((at) => view.getBigUint64(at, true))).toEqual(F_TRANSLATION);
});

test("an event of a name that nobody has any more is nobody's", async () => {
  const { world } = await bound(0x124);
  world.raise(1, F_TRANSLATION);
  await turn();
  expect(world.faults).toEqual([]);
});

test("an event of before a change of name, or of before the detach, is told under the old name", async () => {
  const { world, part } = await bound();
  await world.backend.setPlainStage(world.group(1), part, "abort");
  world.raise(1, F_TRANSLATION);
  await world.backend.setVirtualStreamID(world.device(1).id, part, virtualStreamID(0x124));
  expect(world.records().map(({ virtualStreamID: name }) => name)).toEqual([0x123]);
  const again = [0x0000_0124_0000_0010n, ...F_TRANSLATION.slice(1)];
  world.raise(1, again);
  await world.backend.detach(world.group(1));
  expect(world.records().map(({ virtualStreamID: name }) => name)).toEqual([0x123, 0x124]);
});

test("a full queue loses events, and says so once, behind those that it kept", async () => {
  const { world } = await bound();
  for (let count = 0; count < VEVENTQ_DEPTH + 12; count += 1) world.raise(1, F_PERMISSION);
  await world.backend.reset(world.device(1).id); // reads all there is
  expect(world.records()).toHaveLength(VEVENTQ_DEPTH);
  expect(world.faults.at(-1)).toEqual({ kind: "overflow", devices: [world.device(1).id] });
  expect(world.faults.filter(({ kind }) => kind === "overflow")).toHaveLength(1);
  expect(world.notices).toMatchObject([{ level: "warn", facts: { devices: world.device(1).id } }]);
  world.raise(1, C_BAD_CD);
  await turn();
  expect(world.faults.at(-1)).toMatchObject({ kind: "fault", fault: { type: "C_BAD_CD" } });
  expect(world.faults.filter(({ kind }) => kind === "overflow")).toHaveLength(1);
});

/** A queue whose reads give what is put here. */
class Script extends FakeIommufd {
  readonly reads: (Uint8Array | number)[] = [];
  listener: () => void = () => {};
  stops = 0;

  constructor() {
    super({ devices: [fakeDevice(1, fakeSmmu())] });
  }

  override onReadable(_fd: number, listener: () => void): () => void {
    this.listener = listener;
    return () => {
      this.listener = () => {};
      this.stops += 1;
    };
  }

  override readNow(_fd: number, into: Uint8Array): number {
    const next = this.reads.shift() ?? 0;
    if (typeof next === "number") return next;
    into.set(next);
    return next.length;
  }

  event(sequence: number): Uint8Array {
    const bytes = new Uint8Array(40);
    bytes.set(IOMMUFD_VEVENT_HEADER.create({ flags: 0, sequence }));
    C_BAD_CD.forEach((word, index) => {
      new DataView(bytes.buffer).setBigUint64(8 + 8 * index, word, true);
    });
    return bytes;
  }
}

function scripted() {
  const kernel = new Script();
  const heard: FaultNotice["kind"][] = [];
  const notices: unknown[] = [];
  const names = new Map([[virtualStreamID(0x123), deviceID("nic")]]);
  const owner = { names, objects: new Map(), nameOf: () => undefined };
  const parts = { kernel, fd: 5, owner, deliver: ({ kind }: FaultNotice) => void heard.push(kind) };
  const clock = new ManualClock();
  const nowMs = () => clock.monotonicMs();
  const queue = new VirtualEventQueue({ ...parts, nowMs, onNotice: (notice) => void notices.push(notice) });
  return { clock, kernel, heard, notices, queue };
}

test("a gap in the sequence is a loss; the step from 2^31 - 1 to 0 is none", () => {
  const { heard, kernel, queue } = scripted();
  for (const sequence of [2 ** 31 - 2, 2 ** 31 - 1, 0, 1, 3]) kernel.reads.push(kernel.event(sequence));
  queue.drain();
  expect(heard).toEqual(["fault", "fault", "fault", "fault", "overflow", "fault"]);
});

test("a read that fails is told, and ends the turn", () => {
  const { heard, kernel, notices } = scripted();
  kernel.reads.push(-5, kernel.event(0));
  kernel.listener();
  expect([heard, notices]).toMatchObject([[], [{ level: "error", facts: { errno: "EIO" } }]]);
});

test("a guest that loses events at will fills no log: a line a minute, with how many were left out; each loss is told", () => {
  const { clock, heard, kernel, notices, queue } = scripted();
  const lost = IOMMUFD_VEVENT_HEADER.create({ flags: 1, sequence: 0 });
  const lose = (times: number): void => {
    for (let count = 0; count < times; count += 1) kernel.reads.push(lost);
    queue.drain();
  };
  lose(1000);
  expect(notices).toMatchObject([{ level: "warn", facts: { devices: "nic" } }]);
  clock.advance(QUIET_MS - 1);
  lose(1);
  expect(notices).toHaveLength(1);
  clock.advance(1);
  lose(2);
  expect(notices).toHaveLength(2);
  expect(notices[1]).toMatchObject({ facts: { devices: "nic", left: 1000 } });
  expect(heard).toEqual(Array.from({ length: 1003 }, () => "overflow"));
});

test("a queue that fails again and again is watched no more, and told once as lost", () => {
  const { heard, kernel, notices, queue } = scripted();
  for (let count = 0; count < 2 * READ_FAILURES_MAX; count += 1) kernel.reads.push(-5);
  for (let count = 0; count < 2 * READ_FAILURES_MAX; count += 1) kernel.listener();
  queue.drain();
  expect(kernel.reads).toHaveLength(READ_FAILURES_MAX);
  expect(heard).toEqual(["overflow"]);
  expect(notices).toMatchObject([
    { level: "error", message: expect.stringContaining("cannot be read") },
    { level: "error", message: expect.stringContaining("read no more"), facts: { errno: "EIO", devices: "nic" } },
  ]);
  queue.stop();
  expect(kernel.stops).toBe(1);
});

test("failures with a read that succeeds between them do not end the watching", () => {
  const { heard, kernel } = scripted();
  for (let sequence = 0; sequence < 2 * READ_FAILURES_MAX; sequence += 1) {
    kernel.reads.push(-5, kernel.event(sequence));
    kernel.listener();
    kernel.listener();
  }
  expect(kernel.stops).toBe(0);
  expect(heard).toEqual(Array.from({ length: 2 * READ_FAILURES_MAX }, () => "fault"));
});

test("a storm leaves turns to others: what is left is read when the kernel tells again", () => {
  const { heard, kernel } = scripted();
  for (let sequence = 0; sequence < 40; sequence += 1) kernel.reads.push(kernel.event(sequence));
  kernel.listener();
  expect(heard).toHaveLength(16);
  kernel.listener();
  expect(heard).toHaveLength(32);
});
