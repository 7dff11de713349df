import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { DeviceID } from "../../../src/backends/ids.ts";
import type { CallGate } from "../../../src/server/core/call-gate.ts";
import type { DeviceView } from "../../../src/server/core/views.ts";
import {
  attach,
  detach,
  Failures,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  SMMU0,
  type TestHost,
  TRIPLE,
  testHost,
  turn,
} from "../../support/host.ts";

let host: TestHost;
let failures: Failures;
let owner: Guest;
let first: Guest;
let second: Guest;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  owner = await guest(host, { name: "owner" });
  first = await guest(host, { name: "first" });
  second = await guest(host, { name: "second" });
  await attach(host, owner, NVME);
});

/** A call that a test ends. */
class Call implements CallGate {
  #listener: (error: BrokerError) => void = () => {};
  requireOpen(): void {}
  onOver(listener: (error: BrokerError) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  }
  end(): void {
    this.#listener(new BrokerError("call_over", "nobody waits any more"));
  }
}

function waits(who: Guest, device: DeviceID = NVME, waitMs = 5000, gate?: CallGate): Promise<DeviceView> {
  const { session, virtualIommu } = who;
  const request = { device, virtualIommu, initial: "abort", expectedGeneration: undefined, waitMs } as const;
  return host.core.stages.attach(session, request, gate);
}

const ownerOf = (device: DeviceID): string | undefined => host.core.devices.get(device).owner?.displayName;
const waiters = (): number => host.core.devices.get(NVME).waiters;

describe("standing in line for a device", () => {
  test("it is handed over when its owner leaves, first come first served", async () => {
    const told: string[] = [];
    const one = waits(first).then(() => told.push("first"));
    await turn();
    const two = waits(second).then(() => told.push("second"));
    await turn();
    expect([told, waiters(), host.core.census().waiters]).toEqual([[], 2, 2]);
    await detach(host, owner, NVME);
    await one;
    expect([told, ownerOf(NVME), waiters()]).toEqual([["first"], "first", 1]);
    await detach(host, first, NVME);
    await two;
    expect([told, ownerOf(NVME), waiters()]).toEqual([["first", "second"], "second", 0]);
  });

  test("a lease that lapses hands over too", async () => {
    const { session } = first;
    const waiting = waits(first, NVME, 60_000);
    await turn();
    host.clock.advance(9999);
    host.core.sessions.renew(session);
    host.clock.advance(1);
    await host.core.reapExpired();
    expect((await waiting).owner?.displayName).toBe("first");
  });

  test("one that is free is had at once, and nobody stands in line", async () => {
    expect((await waits(first, NIC)).owner?.displayName).toBe("first");
    expect(host.clock.alarms).toBe(0);
  });

  test("whoever does not wait does not overtake", async () => {
    const waiting = waits(first);
    await turn();
    const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
    failures.before = async (verb) => {
      if (verb === "detach") await held;
    };
    const leaving = detach(host, owner, NVME);
    await turn();
    const rash = refusal(() => attach(host, second, NVME)); // it is the next in the group's queue, not in its line
    await turn();
    goOn();
    const error = await rash;
    expect([error.code, error.message]).toEqual([
      "device_owned",
      `device ${NVME} is promised to a session that waits for it: set wait_ms to stand in line`,
    ]);
    await leaving;
    expect((await waiting).owner?.displayName).toBe("first");
  });

  test("when the wait is over it is told who has it, and how long it waited", async () => {
    const waiting = refusal(() => waits(first, NVME, 700));
    await turn();
    host.clock.advance(699);
    await turn();
    expect(waiters()).toBe(1);
    host.clock.advance(1);
    const error = await waiting;
    expect(error.code).toBe("device_owned");
    expect(error.facts).toMatchObject({ owner: "owner", waited_ms: 700, state: "guest-abort" });
    expect([waiters(), host.clock.alarms]).toEqual([0, 0]);
  });

  test("a wait above the limit is refused and names it", async () => {
    const error = await refusal(() => waits(first, NVME, 60_001));
    expect([error.code, error.fields.map(({ path }) => path)]).toEqual(["argument_invalid", ["wait_ms"]]);
    expect(error.message).toContain("limits.attach_wait_max_ms (60000)");
  });

  test("one more than may wait is refused by the limit's name", async () => {
    host = testHost({ limits: { waitersPerGroupMax: 1 } });
    owner = await guest(host, { name: "owner" });
    first = await guest(host, { name: "first" });
    second = await guest(host, { name: "second" });
    await attach(host, owner, NVME);
    const waiting = waits(first);
    await turn();
    const error = await refusal(() => waits(second));
    expect([error.code, error.facts.limit]).toEqual(["limit_reached", "waiters_per_group_max"]);
    await detach(host, owner, NVME);
    await waiting;
  });
});

describe("a waiter that gives up leaves its place to the next", () => {
  test("because its call is over", async () => {
    const call = new Call();
    const one = refusal(() => waits(first, NVME, 5000, call));
    await turn();
    const two = waits(second);
    await turn();
    call.end();
    expect((await one).code).toBe("call_over");
    await detach(host, owner, NVME);
    expect((await two).owner?.displayName).toBe("second");
  });

  test("because its session was closed", async () => {
    const one = refusal(() => waits(first));
    await turn();
    const two = waits(second);
    await turn();
    await host.core.sessions.close(first.session);
    expect((await one).code).toBe("lease_expired");
    await detach(host, owner, NVME);
    expect((await two).owner?.displayName).toBe("second");
  });

  test("because its own attach fails when its turn comes", async () => {
    const one = refusal(() => waits(first));
    await turn();
    const two = waits(second);
    await turn();
    failures.fail("attach");
    await detach(host, owner, NVME);
    expect((await one).code).toBe("backend_failed");
    expect((await two).owner?.displayName).toBe("second");
  });
});

test("two of one session for two devices of a group come in together", async () => {
  await attach(host, owner, TRIPLE[0]!);
  const both = Promise.all([waits(first, TRIPLE[0]), waits(first, TRIPLE[1])]);
  await turn();
  await detach(host, owner, TRIPLE[0]!);
  expect((await both).map(({ attached, owner: who }) => [attached, who?.displayName])).toEqual([
    [true, "first"],
    [true, "first"],
  ]);
});

test("whoever waits for a device that disappears is told so", async () => {
  const waiting = refusal(() => waits(first));
  await turn();
  await host.core.simulator?.removeDevice(owner.session, NVME);
  expect((await waiting).code).toBe("device_unknown");
});

test("a fence is as good when the turn comes as it was before", async () => {
  const { session, virtualIommu } = first;
  const request = { device: NVME, virtualIommu, initial: "abort", expectedGeneration: 1n, waitMs: 5000 } as const;
  const waiting = refusal(() => host.core.stages.attach(session, request));
  await turn();
  await detach(host, owner, NVME);
  expect((await waiting).code).toBe("fenced");
});

test("all of a line behind one SMMU come to their turn, in order", async () => {
  host = testHost({ limits: { sessionsMax: 8, waitersPerGroupMax: 4 } });
  owner = await guest(host, { name: "owner", iommus: [SMMU0] });
  await attach(host, owner, NVME);
  const order: string[] = [];
  const waiting: Promise<unknown>[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    const who = await guest(host, { name });
    const done = waits(who).then(async () => {
      order.push(name);
      await detach(host, who, NVME);
    });
    waiting.push(done);
    await turn();
  }
  await detach(host, owner, NVME);
  await Promise.all(waiting);
  expect(order).toEqual(["a", "b", "c", "d"]);
});
