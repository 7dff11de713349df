import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import { type FaultChannel, FaultChannels } from "../../../src/server/core/fault-channels.ts";
import { faultOf, wordsOf } from "../../support/faults.ts";
import { ManualClock, NIC, NVME, TEST_LIMITS, turn } from "../../support/host.ts";

let clock: ManualClock;
let firsts: DeviceID[];
beforeEach(() => {
  clock = new ManualClock();
  firsts = [];
});

function channelsOf(limits: Partial<typeof TEST_LIMITS> = {}): FaultChannels {
  return new FaultChannels({
    limits: { ...TEST_LIMITS, ...limits },
    clock,
    alarms: clock,
    journal: { durable: async () => {} },
    onFirst: ({ device }) => firsts.push(device),
    onDurable: () => {},
  });
}

function event(channels: FaultChannels, channel: FaultChannel): void {
  const sequence = channels.number(channel);
  const fault = faultOf(channel.device);
  channels.append(channel, { kind: "event", sequence, wallMs: 0, fault, response: undefined });
}

const readable = ({ feed }: FaultChannel): string[] => (feed.next(0).run?.segment.entries ?? []).map(wordsOf);

test("a device's channel is told of once, and gone with the device", () => {
  const channels = channelsOf();
  expect(channels.find(NVME)).toBeUndefined();
  const channel = channels.of(NVME);
  expect([channels.of(NVME) === channel, channels.find(NVME) === channel, firsts]).toEqual([true, true, [NVME]]);
  event(channels, channel);
  channels.delete(channel);
  expect([channels.find(NVME), channels.held]).toEqual([undefined, 0]);
});

describe("a segment", () => {
  test("is closed when the turn is over, where no time is set", async () => {
    const channels = channelsOf();
    const channel = channels.of(NVME);
    event(channels, channel);
    expect(readable(channel)).toEqual([]);
    await turn();
    expect(readable(channel)).toEqual([`${NVME}#1`]);
    expect(clock.alarms).toBe(0);
  });

  test("is closed with those of the other devices by one alarm", async () => {
    const channels = channelsOf({ faultBatchMs: 5 });
    const both = [channels.of(NVME), channels.of(NIC)];
    for (const channel of both) event(channels, channel);
    await turn();
    expect(clock.alarms).toBe(1);
    clock.advance(5);
    expect(both.map(readable)).toEqual([[`${NVME}#1`], [`${NIC}#1`]]);
  });
});

test("a run of held-back events is told 100 ms after it began, or before what comes next", () => {
  const channels = channelsOf();
  const channel = channels.of(NVME);
  const suppress = (): void => channels.suppress(channel, faultOf(NVME), channels.number(channel));
  suppress();
  clock.advance(60);
  suppress();
  clock.advance(39);
  expect(channels.held).toBe(0);
  clock.advance(1);
  expect([channels.held, channels.suppressed, channel.feed.last]).toEqual([1, 2, 2]);
  suppress();
  channels.tellRun(channel);
  expect([channels.held, channel.feed.last, clock.alarms]).toEqual([2, 3, 0]);
  channels.tellRun(channel);
  expect(channels.held).toBe(2);
});
