import { beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { FaultAnswer } from "../../../src/backends/faults.ts";
import type { FaultSubscription } from "../../../src/server/core/fault-verbs.ts";
import { FaultWorld } from "../../support/fault-world.ts";
import { entriesOf, wordsOf } from "../../support/faults.ts";
import { NIC, NVME, refusal, turn } from "../../support/host.ts";

const RESPONSE_MS = 10_000; // TEST_LIMITS.faultResponseMs
const all = { devices: [], resumeAfter: new Map() };

let world: FaultWorld;
let owner: string;
let other: string;
let subscription: FaultSubscription;
beforeEach(() => start());

function start(options: ConstructorParameters<typeof FaultWorld>[0] = {}): void {
  world = new FaultWorld(options);
  [owner, other] = [world.open("owner"), world.open("other")];
  world.give(NVME, owner);
  subscription = world.router.subscribe(owner, all);
}

/** The token of the event that comes next. */
async function token(): Promise<string> {
  const [event] = entriesOf(await subscription.next());
  if (event?.kind !== "event" || event.response === undefined) throw new Error("nothing waits");
  return event.response.token;
}

const told = async (): Promise<string[]> => entriesOf(await subscription.next()).map(wordsOf);
const respond = (word: string, answer: FaultAnswer, session = owner) =>
  world.router.respond(session, { token: word, answer });
const codeOf = async (act: () => unknown): Promise<string> => (await refusal(act)).code;

test("an event that waits carries a token and a deadline; a plain one does not", async () => {
  world.stall(NVME);
  world.record(NVME);
  const [waits, plain] = entriesOf(await subscription.next());
  const deadlineWallMs = world.clock.wallMs() + RESPONSE_MS;
  expect(waits).toMatchObject({ response: { token: expect.any(String), deadlineWallMs } });
  expect(plain).toMatchObject({ response: undefined });
});

describe.each([
  ["stall", "retry", "success"],
  ["stall", "abort", "invalid"],
  ["stall", "terminate", "failure"],
  ["page-request", "success", "retry"],
  ["page-request", "invalid", "abort"],
  ["page-request", "failure", "terminate"],
] as const)("a %s", (kind, right, wrong) => {
  test(`takes ${right}, once, and not ${wrong}`, async () => {
    const cookie = world.stall(NVME, kind);
    const word = await token();
    const error = await refusal(() => respond(word, wrong));
    expect([error.code, error.fields.map(({ path }) => path)]).toEqual(["argument_invalid", ["action"]]);
    expect(await respond(word, right)).toEqual({ device: NVME, sequence: 1 });
    expect(world.answers).toEqual([`${NVME} ${cookie} ${right}`]);
    expect(await told()).toEqual([`${NVME}#1 answered`]);
    expect(await codeOf(() => respond(word, right))).toBe("fault_not_pending");
    expect(world.router.census()).toMatchObject({ pending: 0, resolutions: { answered: 1 } });
  });
});

describe("a token", () => {
  test("is of no use to another session, and says nothing to it", async () => {
    world.stall(NVME);
    const word = await token();
    const [known, unknown] = [
      await refusal(() => respond(word, "abort", other)),
      await refusal(() => respond("", "abort")),
    ];
    expect([known.code, known.message]).toEqual(["fault_not_pending", unknown.message]);
    await respond(word, "abort");
  });

  test("given twice at once is good once", async () => {
    world.stall(NVME);
    const word = await token();
    const both = await Promise.allSettled([respond(word, "retry"), respond(word, "abort")]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(world.asked).toEqual([`${NVME} 1 retry`]); // hardware that reuses the name must not hear of the second
    expect(world.answers).toEqual([`${NVME} 1 retry`]);
  });

  test("stays good when the hardware could not take the answer, or the call was over before it was asked", async () => {
    world.stall(NVME);
    const word = await token();
    world.failure = new BrokerError("backend_unsupported", "no word for it");
    expect(await codeOf(() => respond(word, "terminate"))).toBe("backend_unsupported");
    const gate = {
      requireOpen: () => {
        throw new BrokerError("call_over", "cancelled");
      },
    };
    expect(await codeOf(() => world.router.respond(owner, { token: word, answer: "abort" }, gate))).toBe("call_over");
    await respond(word, "abort");
    expect(world.answers).toEqual([`${NVME} 1 abort`]);
  });
});

describe("a deadline", () => {
  test("ends a stall with an abort and a page request as invalid, each at its own", async () => {
    world.stall(NVME);
    world.clock.advance(1);
    world.stall(NVME, "page-request");
    expect(await told()).toEqual([`${NVME}#1`, `${NVME}#2`]);
    world.clock.advance(RESPONSE_MS - 2);
    await turn();
    expect(world.answers).toEqual([]);
    world.clock.advance(1);
    expect(await told()).toEqual([`${NVME}#1 timed-out`]);
    expect(world.answers).toEqual([`${NVME} 1 abort`]);
    world.clock.advance(1);
    expect(await told()).toEqual([`${NVME}#2 timed-out`]);
    expect(world.answers).toEqual([`${NVME} 1 abort`, `${NVME} 2 invalid`]);
    expect(world.clock.alarms).toBe(0);
  });

  test("that the hardware refuses is tried again a deadline later", async () => {
    world.stall(NVME);
    await token();
    world.failure = new BrokerError("backend_failed", "on purpose");
    world.clock.advance(RESPONSE_MS);
    await turn();
    expect(world.router.census().pending).toBe(1);
    world.clock.advance(RESPONSE_MS);
    expect(await told()).toEqual([`${NVME}#1 timed-out`]);
  });

  test("that passes while an answer fails ends it at once", async () => {
    world.stall(NVME);
    const word = await token();
    world.failure = new BrokerError("backend_failed", "on purpose");
    const answer = codeOf(() => respond(word, "retry"));
    world.clock.advance(RESPONSE_MS);
    expect(await answer).toBe("backend_failed");
    expect(await told()).toEqual([`${NVME}#1 timed-out`]);
  });
});

describe("the hardware ends it", () => {
  test("because the stage changed", async () => {
    const cookie = world.stall(NVME);
    const word = await token();
    world.end(NVME, cookie);
    expect(await told()).toEqual([`${NVME}#1 stage-changed`]);
    expect(await codeOf(() => respond(word, "retry"))).toBe("fault_not_pending");
  });

  test("while an answer is on its way: the answer comes to nothing", async () => {
    const cookie = world.stall(NVME);
    const word = await token();
    const answer = codeOf(() => respond(word, "retry"));
    world.end(NVME, cookie);
    expect(await answer).toBe("fault_not_pending");
    expect(await told()).toEqual([`${NVME}#1 stage-changed`]);
    expect(world.router.census().resolutions).toMatchObject({ answered: 0, "stage-changed": 1 });
  });

  test("because the owner was lost, or the device is leaving it", async () => {
    const [first, second] = [world.stall(NVME), world.stall(NVME)];
    await token();
    world.router.leave(NVME);
    world.end(NVME, first);
    expect(await told()).toEqual([`${NVME}#1 owner-gone`]);
    world.router.stay(NVME);
    world.sessions.lose(owner, "peer_died");
    world.end(NVME, second);
    expect(await told()).toEqual([`${NVME}#2 owner-gone`]);
  });

  test("because the owner's session has ended", async () => {
    const observer = world.router.subscribe(undefined, all);
    const cookie = world.stall(NVME);
    expect(entriesOf(await observer.next()).map(wordsOf)).toEqual([`${NVME}#1`]);
    world.sessions.end(owner, "closed");
    world.end(NVME, cookie);
    expect(entriesOf(await observer.next()).map(wordsOf)).toEqual([`${NVME}#1 owner-gone`]);
  });

  test("with the release: told to who knew of it, beside the gap", async () => {
    world.stall(NVME);
    await token();
    world.record(NVME);
    world.takeBack(NVME);
    const batch = await subscription.next();
    expect(batch?.gaps).toMatchObject([{ first: 2, last: 2, reason: "released" }]);
    expect(entriesOf(batch).map(wordsOf)).toEqual([`${NVME}#1 owner-gone`]);
  });

  test("and forgot it: another that waits under the same name has taken its place", async () => {
    const cookie = world.stall(NVME);
    world.waiting.clear();
    world.router.record({ kind: "ended", device: NIC, cookie }); // another device's is no matter
    const { fault } = entriesOf(await subscription.next()).find((entry) => entry.kind === "event")!;
    world.router.record({ kind: "fault", fault });
    expect(await told()).toEqual([`${NVME}#1 stage-changed`, `${NVME}#2`]);
    expect(world.router.census().pending).toBe(1);
  });
});

describe("the ring", () => {
  const RING = 8;

  test("does not push out what waits, nor does the rate limit hold it back; it goes when it is answered", async () => {
    start({ limits: { faultEventsPerSecond: 1 } });
    const late = world.router.subscribe(owner, all);
    world.stall(NVME);
    world.record(NVME, 30);
    world.stall(NVME);
    const word = await token();
    const seen: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const batch = await late.next();
      seen.push(...[...(batch?.gaps ?? []), ...entriesOf(batch)].map(wordsOf));
    }
    // 8 pass as a burst, 2 … 9, then 22 are held back. The ring's 8 places: both stalls, the gap, and the 5 latest events.
    const kept = [5, 6, 7, 8, 9].map((number) => `${NVME}#${number}`);
    expect(seen).toEqual([`${NVME}#1`, `${NVME}#2-4 ring-overrun`, ...kept, `${NVME}#10-31 rate-limit`, `${NVME}#32`]);
    await respond(word, "retry");
    await turn();
    expect(world.router.census().held).toBe(RING);
    const list = world.router.list(owner, { ...all, types: [], pageSize: 100, pageToken: "" });
    expect(list.events.map(({ sequence }) => sequence)).toEqual([32, 9, 8, 7, 6, 5]);
  });

  test("that is full of what waits refuses the next one at once, and says so", async () => {
    for (let count = 0; count < RING + 1; count += 1) world.stall(NVME);
    await turn();
    expect(world.answers).toEqual([`${NVME} ${RING + 1} abort`]);
    expect(world.router.census()).toMatchObject({ pending: RING, resolutions: { "timed-out": 1 } });
  });
});

test("a reader that knew of it is told its end, also when the ring has lost the entry that said so", async () => {
  const cookie = world.stall(NVME);
  await token();
  world.end(NVME, cookie);
  world.record(NVME, 20);
  await turn();
  const batch = await subscription.next();
  expect(batch?.gaps.map(wordsOf)).toEqual([`${NVME}#2-13 ring-overrun`]);
  expect(entriesOf(batch)[0]).toMatchObject({ kind: "resolution", sequence: 1, outcome: "stage-changed" });
});
