import { beforeEach, describe, expect, test } from "vitest";
import type { DeviceID } from "../../../src/backends/ids.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import type { Priority } from "../../../src/server/core/policy.ts";
import type { SessionNotice } from "../../../src/server/core/session-notices.ts";
import type { DeviceView } from "../../../src/server/core/views.ts";
import {
  attach,
  bind,
  detach,
  Failures,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  steConfig,
  type TestHost,
  testHost,
  turn,
} from "../../support/host.ts";
import { rule } from "../../support/policy.ts";

const TRANSLATE = checkVSTE(0x4000_000bn, 0xd4n); // V=1, Config 0b101, S1ContextPtr 0x4000_0000 (§5.2)
const GRACE_MS = 500;

let host: TestHost;
let failures: Failures;
let loser: Guest;
let urgent: Guest;
/** What the policy says of each uid. */
let ranks: Map<number, Priority>;
let heard: SessionNotice[];

beforeEach(async () => {
  failures = new Failures();
  ranks = new Map();
  host = testHost({ wrap: failures.wrap });
  loser = await guestOf("loser", { priority: 1, mayPreempt: false });
  urgent = await guestOf("urgent", { priority: 2, mayPreempt: true });
  await attach(host, loser, NVME, "bypass");
  await attach(host, loser, NIC);
  await bind(host, loser, NVME, TRANSLATE, 0x30);
  heard = [];
  host.core.sessions.onNotice(loser.session, (notice) => heard.push(notice));
});

async function guestOf(name: string, rank: Priority): Promise<Guest> {
  const uid = 1001 + ranks.size;
  setRank(uid, rank);
  return await guest(host, { name, uid });
}

function setRank(uid: number, rank: Priority): void {
  ranks.set(uid, rank);
  const rules = [...ranks].map(([each, its]) => rule(`uid ${each}`, { who: [{ fact: "uid", oneOf: [each] }], ...its }));
  host.core.permissions.replace({ rules: [...rules, rule("anybody else")] });
}

function preempts(who: Guest, waitMs = 0, device: DeviceID = NVME): Promise<DeviceView> {
  const { session, virtualIommu } = who;
  const request = { device, virtualIommu, initial: "abort", expectedGeneration: undefined } as const;
  return host.core.stages.attach(session, { ...request, waitMs, preempt: true });
}

const outcomes = (): string[] =>
  host.events.flatMap((event) => (event.type === "preemptionEnded" ? [event.outcome] : []));

describe("taking a device from a session of lower priority", () => {
  test("its owner is told first, and keeps it for the grace period", async () => {
    const taking = preempts(urgent);
    await turn();
    expect(heard).toEqual([
      {
        kind: "preempted",
        device: NVME,
        deadlineMs: GRACE_MS,
        by: "urgent",
        reason: "a session of higher priority asked for the device",
      },
    ]);
    host.clock.advance(GRACE_MS - 1);
    await turn();
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-nested", owner: { displayName: "loser" } });
    host.clock.advance(1);
    expect((await taking).owner?.displayName).toBe("urgent");
    expect(outcomes()).toEqual(["taken"]);
  });

  test("then it is aborted, reset and released before the other one has it; the loser's other device stays", async () => {
    const before = failures.calls.length;
    const generation = host.core.devices.get(NVME).generation;
    const taking = preempts(urgent);
    await turn();
    host.clock.advance(GRACE_MS);
    await taking;
    expect(failures.calls.slice(before)).toEqual(["setPlainStage", "reset", "detach", "createPart", "attach"]);
    expect(host.core.devices.get(NVME).generation).toBe(generation + 3);
    expect(host.core.devices.get(NIC)).toMatchObject({ attached: true, owner: { displayName: "loser" } });
    expect(steConfig(host, NVME)).toBe(0b000);
  });

  test("an owner that leaves by itself hands over at once", async () => {
    const taking = preempts(urgent);
    await turn();
    await detach(host, loser, NVME);
    expect((await taking).owner?.displayName).toBe("urgent");
    expect([outcomes(), host.clock.alarms]).toEqual([["handed_over"], 0]);
    host.clock.advance(10 * GRACE_MS);
    await turn();
    expect(host.core.devices.get(NVME).owner?.displayName).toBe("urgent");
  });

  test("it passes those who merely wait", async () => {
    const patient = await guest(host, { name: "patient" });
    const { session, virtualIommu } = patient;
    const request = { device: NVME, virtualIommu, initial: "abort", expectedGeneration: undefined } as const;
    const waiting = host.core.stages.attach(session, { ...request, waitMs: 5000 });
    await turn();
    const taking = preempts(urgent);
    await turn();
    host.clock.advance(GRACE_MS);
    expect((await taking).owner?.displayName).toBe("urgent");
    await detach(host, urgent, NVME);
    expect((await waiting).owner?.displayName).toBe("patient");
  });

  test("a free device is simply attached", async () => {
    await detach(host, loser, NVME);
    expect((await preempts(urgent)).owner?.displayName).toBe("urgent");
    expect(heard).toEqual([]);
  });
});

describe("is refused", () => {
  test.each<[string, Priority, string]>([
    ["without may_preempt", { priority: 9, mayPreempt: false }, "grants no may_preempt"],
    ["by equal priority", { priority: 1, mayPreempt: true }, "priority 1 is not above the owner's, 1"],
  ])("%s", async (_name, rank, why) => {
    setRank(1002, rank); // the urgent one's uid
    const error = await refusal(() => preempts(urgent));
    expect(error.code).toBe("policy_denied");
    expect(error.message).toContain(why);
    expect([heard, host.core.devices.get(NVME).waiters, host.clock.alarms]).toEqual([[], 0, 0]);
  });

  test("where no policy ranks anybody", async () => {
    host = testHost();
    loser = await guest(host, { name: "loser" });
    urgent = await guest(host, { name: "urgent" });
    await attach(host, loser, NVME);
    expect((await refusal(() => preempts(urgent))).code).toBe("policy_denied");
  });
});

describe("the owner keeps the device", () => {
  test("when whoever asked for it waited less than the grace period", async () => {
    const taking = refusal(() => preempts(urgent, GRACE_MS - 1));
    await turn();
    host.clock.advance(GRACE_MS - 1);
    expect((await taking).code).toBe("device_owned");
    host.clock.advance(10 * GRACE_MS);
    await turn();
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-nested", owner: { displayName: "loser" } });
    expect(outcomes()).toEqual(["called_off"]);
  });

  test("when whoever asked for it is gone", async () => {
    const taking = refusal(() => preempts(urgent));
    await turn();
    await host.core.sessions.close(urgent.session);
    expect((await taking).code).toBe("lease_expired");
    host.clock.advance(GRACE_MS);
    await turn();
    expect(host.core.devices.get(NVME).state).toBe("guest-nested");
    expect(outcomes()).toEqual(["called_off"]);
  });

  test("when it cannot be aborted; whoever asked is told why", async () => {
    failures.fail("setPlainStage");
    const taking = refusal(() => preempts(urgent));
    await turn();
    host.clock.advance(GRACE_MS);
    const error = await taking;
    expect([error.code, error.message]).toEqual([
      "backend_failed",
      "the device could not be taken from its owner: setPlainStage fails on purpose",
    ]);
    expect(host.core.devices.get(NVME)).toMatchObject({ state: "guest-nested", owner: { displayName: "loser" } });
    expect(outcomes()).toEqual(["failed"]);
  });
});
