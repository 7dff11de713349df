import type * as grpc from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { Channel } from "../../../src/client/channel.ts";
import { FaultClass, FaultGapReason, FaultStage } from "../../../src/client/client.ts";
import { fromServiceError } from "../../../src/client/error.ts";
import { plain, type Sendable } from "../../../src/client/plain.ts";
import type { iommubroker } from "../../../src/server/rpc/codec.ts";
import type { Act } from "../../../src/server/rpc/deps.ts";
import { BROKER, type UnaryMethod } from "../../../src/server/rpc/services.ts";
import { NIC, NVME } from "../../support/fake-core.ts";
import {
  BARE_FAULT,
  batchOf,
  eventBatch,
  FAULT,
  faultEvent,
  faultGap,
  resolution,
  stalled,
} from "../../support/fault-samples.ts";
import { faultsOf, invalid, LIMITS, type RpcServer, refusal, serve, settled } from "../../support/rpc-server.ts";

/** A heartbeat. */
const EMPTY = { events: [], gaps: [], resolutions: [], positions: {} };

/** A fault stream in a test's hands. */
function watch(server: RpcServer, token: string, request: Sendable<iommubroker.v1.IWatchFaultsRequest> = {}) {
  const channel = new Channel(server.target, {});
  onTestFinished(() => channel.close());
  const call = channel.serverStream(BROKER.watchFaults, request, token);
  const error = new Promise<ReturnType<typeof fromServiceError>>((resolve) => {
    call.on("error", (failure: grpc.ServiceError) => resolve(fromServiceError(failure)));
  });
  const messages = call[Symbol.asyncIterator]();
  return {
    call,
    error,
    async next() {
      const { value } = await messages.next();
      return plain<iommubroker.v1.WatchFaultsResponse>(value);
    },
  };
}

/** A fault stream that stands, and the subscription behind it. */
async function standing(server: RpcServer, request: Sendable<iommubroker.v1.IWatchFaultsRequest> = {}) {
  const session = await server.session();
  const stream = watch(server, session.token, request);
  expect(await stream.next()).toEqual(EMPTY);
  const subscription = server.core.subscriptions.at(-1);
  if (subscription === undefined) throw new Error("core was not asked for a subscription");
  return { session, stream, subscription };
}

describe("WatchFaults", () => {
  test("first says with an empty message that the subscription stands", async () => {
    const server = await serve();
    await standing(server);
    expect(server.core.argsOf("faults.subscribe")).toMatchObject([{ devices: [], resumeAfter: new Map() }]);
  });

  test("passes on what to watch and where to resume, 64 bits wide", async () => {
    const server = await serve();
    const devices = ["devices/0000:01:00.0", "devices/0000:02:00.0"];
    await standing(server, { devices, resumeAfter: { "devices/0000:01:00.0": 2n ** 64n - 1n } });
    expect(server.core.argsOf("faults.subscribe")).toMatchObject([
      { devices: [NVME, NIC], resumeAfter: new Map([[NVME, 2n ** 64n - 1n]]) },
    ]);
  });

  test("shows every field of a fault as it was recorded", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push(eventBatch(2 ** 53 - 1));
    expect(await stream.next()).toEqual({
      events: [
        {
          sequence: 2n ** 53n - 1n,
          device: "devices/0000:01:00.0",
          virtualStreamId: 8,
          substreamId: 0xf_ffff,
          type: "F_TRANSLATION",
          typeNumber: 0x10,
          stage: FaultStage.FAULT_STAGE_2,
          class: FaultClass.FAULT_CLASS_TTD,
          inputAddress: 2n ** 64n - 1n,
          ipa: 2n ** 52n - 4096n,
          fetchAddress: 0x40n,
          read: true,
          instruction: false,
          privileged: true,
          transition: false,
          record: Buffer.from(FAULT.record),
          time: { seconds: 1_700_000_000n, nanos: 250_000_000 },
          hostOnly: false,
        },
      ],
      gaps: [],
      resolutions: [],
      positions: {},
    });
  });

  test("leaves out what an event does not carry", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push(batchOf(faultEvent(1, BARE_FAULT)));
    const [event] = (await stream.next()).events;
    expect(event).toMatchObject({ stage: 0, class: 0 });
    const optional = ["virtualStreamId", "substreamId", "inputAddress", "ipa", "fetchAddress"];
    for (const key of [...optional, "read", "instruction", "privileged"]) {
      expect(event, key).not.toHaveProperty(key);
    }
  });

  test.each([
    ["CD", 1, FaultClass.FAULT_CLASS_CD, FaultStage.FAULT_STAGE_1],
    ["IN", 2, FaultClass.FAULT_CLASS_IN, FaultStage.FAULT_STAGE_2],
  ] as const)("shows class %s of stage %i", async (faultClass, stage, expectedClass, expectedStage) => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push(batchOf(faultEvent(1, { class: faultClass, stage })));
    expect((await stream.next()).events).toMatchObject([{ class: expectedClass, stage: expectedStage }]);
  });

  test("shows a page request, the host's faults and what waits as what they are", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    const pageRequest = {
      address: 2n ** 64n - 4096n,
      groupIndex: 511,
      last: true,
      read: true,
      write: false,
      execute: true,
      privileged: false,
    };
    subscription.push(batchOf(stalled(1, { type: "PAGE_REQUEST", pageRequest }), faultEvent(2, { hostOnly: true })));
    const { events } = await stream.next();
    expect(events).toMatchObject([
      { hostOnly: false, pageRequest, pending: { responseToken: "answer-1", stag: 0xffff } },
      { hostOnly: true },
    ]);
    expect(events[1]).not.toHaveProperty("pending");
    expect(events[1]).not.toHaveProperty("pageRequest");
  });

  test("reports gaps with their reason, and what was suppressed", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    const device = "devices/0000:01:00.0";
    const kinds = [
      { type: "F_TRANSLATION", page: 2n ** 64n - 4096n, count: 2 ** 53 - 1, first: 5, last: 9 },
      { type: undefined, page: undefined, count: 1, first: 6, last: 6 },
    ];
    subscription.push({
      ...batchOf(
        faultGap({ device: NIC, first: 1, last: 1, count: 0, reason: "hardware-overflow" }),
        faultGap({ device: NIC, first: 2, last: 4, count: 3, reason: "released" }),
        faultGap({ first: 5, last: 9, count: 5, reason: "rate-limit", suppressed: kinds }),
        faultGap({ first: 10, last: 4096, count: 0, reason: "restart" }),
      ),
      gaps: [faultGap({ first: 3, last: 4, count: 2, reason: "ring-overrun" })],
    });
    const nic = "devices/0000:02:00.0";
    const Reason = FaultGapReason;
    expect((await stream.next()).gaps).toEqual([
      { device, first: 3n, last: 4n, count: 2n, reason: Reason.FAULT_GAP_REASON_RING_OVERRUN, suppressed: [] },
      {
        device: nic,
        first: 1n,
        last: 1n,
        count: 0n,
        reason: Reason.FAULT_GAP_REASON_HARDWARE_OVERFLOW,
        suppressed: [],
      },
      { device: nic, first: 2n, last: 4n, count: 3n, reason: Reason.FAULT_GAP_REASON_RELEASED, suppressed: [] },
      {
        device,
        first: 5n,
        last: 9n,
        count: 5n,
        reason: Reason.FAULT_GAP_REASON_RATE_LIMIT,
        suppressed: [
          { type: "F_TRANSLATION", page: 2n ** 64n - 4096n, count: 2n ** 53n - 1n, first: 5n, last: 9n },
          { type: "", count: 1n, first: 6n, last: 6n },
        ],
      },
      { device, first: 10n, last: 4096n, count: 0n, reason: Reason.FAULT_GAP_REASON_RESTART, suppressed: [] },
    ]);
  });

  test.each([
    ["answered", 1],
    ["timed-out", 2],
    ["owner-gone", 3],
    ["stage-changed", 4],
  ] as const)("tells that what waited was %s", async (outcome, expected) => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push(batchOf(resolution(2 ** 53 - 1, { outcome })));
    expect((await stream.next()).resolutions).toEqual([
      {
        device: "devices/0000:01:00.0",
        sequence: 2n ** 53n - 1n,
        outcome: expected,
        time: { seconds: 1_700_000_000n, nanos: 250_000_000 },
      },
    ]);
  });

  test("sends the events of the types that were asked for, diagnosed where that was asked for", async () => {
    const server = await serve();
    server.core.faults.diagnose = ({ sequence }) => ({ verdict: "not-applicable", summary: `of ${sequence}` });
    const { stream, subscription } = await standing(server, { types: ["C_BAD_CD", "PAGE_REQUEST"], diagnose: true });
    subscription.push(eventBatch(1)); // passed over, without a message
    subscription.push(batchOf(faultEvent(2), faultEvent(3, { type: "C_BAD_CD" })));
    expect((await stream.next()).events).toMatchObject([{ sequence: 3n, diagnosis: { summary: "of 3" } }]);
  });

  test("sends an empty message after each stretch of silence, at the server's pace by default", async () => {
    const server = await serve({ heartbeatMs: 20 });
    const { stream } = await standing(server);
    for (const beat of [1, 2, 3]) expect(await stream.next(), `beat ${beat}`).toEqual(EMPTY);
  });

  test("tells in heartbeats how far the stream has come, and not while something of it is still to be sent", async () => {
    const server = await serve({ heartbeatMs: 20 });
    const { stream, subscription } = await standing(server);
    subscription.where = new Map([
      [NVME, 7],
      [NIC, 0],
    ]);
    expect(await stream.next()).toEqual({
      ...EMPTY,
      positions: { "devices/0000:01:00.0": 7n, "devices/0000:02:00.0": 0n },
    });
  });

  test("that is diagnosed lets others have their turn after every few walks", async () => {
    const server = await serve();
    let made = 0;
    const turns: number[] = [];
    server.core.faults.diagnose = ({ sequence }) => {
      made += 1;
      if (made % 8 === 1) setImmediate(() => turns.push(made));
      return { verdict: "not-applicable", summary: `of ${sequence}` };
    };
    const { stream, subscription } = await standing(server, { diagnose: true });
    subscription.push(eventBatch(...Array.from({ length: 24 }, (_, index) => index + 1)));
    for (let seen = 0; seen < 24; ) seen += (await stream.next()).events.length;
    expect(turns).toEqual([8, 16, 24]);
  });

  test("with a filter heartbeats come, however much is sent", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server, { heartbeatMs: 100, types: ["C_BAD_CD"] });
    const feeding = setInterval(() => subscription.push(batchOf(faultEvent(1, { type: "C_BAD_CD" }))), 10);
    onTestFinished(() => clearInterval(feeding));
    subscription.where = new Map([[NIC, 3]]);
    let message = await stream.next();
    while (message.events.length > 0) message = await stream.next();
    expect(message).toEqual({ ...EMPTY, positions: { "devices/0000:02:00.0": 3n } });
  });

  test("takes the client's own heartbeat", async () => {
    const server = await serve();
    const { stream } = await standing(server, { heartbeatMs: 100 });
    expect(await stream.next()).toEqual(EMPTY);
  });

  test.each([
    ["a malformed device", { devices: ["devices/a", "b"] }, ["devices[1]"]],
    ["a malformed device to resume", { resumeAfter: { b: 1n } }, ['resume_after["b"]']],
    ["a type in other letters", { types: ["F_TRANSLATION", "c_bad_cd"] }, ["types[1]"]],
    ["33 types", { types: Array.from({ length: 33 }, () => "C_BAD_CD") }, ["types"]],
    ["a device named twice", { devices: ["devices/a", "devices/a"] }, ["devices[1]"]],
    ["a heartbeat too fast", { heartbeatMs: 99 }, ["heartbeat_ms"]],
    ["a heartbeat of more than an hour", { heartbeatMs: 3_600_001 }, ["heartbeat_ms"]],
    [
      "all of them",
      { devices: ["a"], resumeAfter: { b: 1n }, heartbeatMs: 1 },
      ["devices[0]", 'resume_after["b"]', "heartbeat_ms"],
    ],
  ])("refuses %s", async (_what, request, paths) => {
    const server = await serve();
    const error = await watch(server, (await server.session()).token, request).error;
    expect([error.codeName, error.reason]).toEqual(["INVALID_ARGUMENT", "ARGUMENT_INVALID"]);
    expect(error.fields.map(({ path }) => path)).toEqual(paths);
    expect(server.core.subscriptions).toEqual([]);
  });

  test("needs a token", async () => {
    const server = await serve();
    expect((await watch(server, "nobody").error).codeName).toBe("UNAUTHENTICATED");
  });

  test("of another's device is refused with core's reason", async () => {
    const server = await serve();
    server.core.faults.subscribe = () => {
      throw new BrokerError("not_owner", "the device is not yours", { device: "x" });
    };
    const error = await watch(server, (await server.session()).token).error;
    expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", "NOT_OWNER"]);
  });

  test("ends with LEASE_EXPIRED when the session ends", async () => {
    const server = await serve();
    const { session, stream } = await standing(server);
    server.core.expire(session.token);
    const error = await stream.error;
    expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", "LEASE_EXPIRED"]);
  });

  test("ends with UNAVAILABLE when the daemon drains, and lets go of the subscription", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    await server.handle.drain();
    expect((await stream.error).reason).toBe("DRAINING");
    expect(subscription.isClosed).toBe(true);
    expect(server.ended.at(-1)).toMatchObject({ method: "WatchFaults", grpcType: "server_stream", code: 14 });
  });

  test("lets go of the subscription when the client leaves", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    const closed = new Promise<void>((resolve) => {
      const close = subscription.close.bind(subscription);
      subscription.close = () => {
        close();
        resolve();
      };
    });
    stream.call.cancel();
    await closed;
    expect(server.ended.at(-1)).toMatchObject({ method: "WatchFaults", code: 1 });
  });

  test("ends with INTERNAL when core fails, and counts the bug", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.next = () => Promise.reject(new TypeError("bug"));
    subscription.push(eventBatch(1));
    expect((await stream.error).reason).toBe("INTERNAL_BUG");
    expect(server.bugs.map(({ error }) => error)).toEqual([new TypeError("bug")]);
  });
});

test("a reader that does not read leaves the batches with core, and gets them all once it reads", async () => {
  const server = await serve();
  const session = await server.session();
  const stream = watch(server, session.token);
  await stream.next();
  const subscription = server.core.subscriptions.at(-1)!;
  // 2,000 batches of 100 events of about 150 bytes: far more than the transport's windows and buffers hold.
  const total = 2000;
  const events = Array.from({ length: 100 }, (_, index) => index + 1);
  for (let pushed = 0; pushed < total; pushed++) subscription.push(eventBatch(...events));
  const taken = await settled(() => subscription.taken);
  expect(taken).toBeLessThan(total / 2);
  let received = 0;
  while (received < total) received += (await stream.next()).events.length / events.length;
  expect([received, subscription.taken]).toEqual([total, total]);
});

describe("ListFaults", () => {
  test("passes on what is asked, and gives the page as core has it", async () => {
    const server = await serve();
    const session = await server.session();
    const asked: unknown[] = [];
    server.core.faults.list = (id, request) => {
      asked.push(id, request);
      return { events: [stalled(9), faultEvent(8)], nextPageToken: "older" };
    };
    const request = { devices: ["devices/0000:01:00.0"], types: ["C_BAD_CD"], pageSize: 5, pageToken: "p" };
    const page = await unary(server, BROKER.listFaults, request, session.token);
    expect(asked).toEqual([
      session.name.slice("sessions/".length),
      { devices: [NVME], types: ["C_BAD_CD"], pageSize: 5, pageToken: "p" },
    ]);
    expect(page).toMatchObject({
      events: [{ sequence: 9n, pending: { responseToken: "answer-9" } }, { sequence: 8n }],
      nextPageToken: "older",
    });
    expect(page.events[0]).not.toHaveProperty("diagnosis");
  });

  test.each([
    [0, 100],
    [1000, 1000],
    [2 ** 32 - 1, 1000],
  ])("takes a page size of %i for %i", async (pageSize, expected) => {
    const server = await serve();
    await unary(server, BROKER.listFaults, { pageSize }, (await server.session()).token);
    expect(server.core.argsOf("faults.list")).toMatchObject([{ pageSize: expected }]);
  });

  test("asks for fewer where so many do not fit a message", async () => {
    const server = await serve({ limits: { ...LIMITS, messageBytesMax: 65_536 } });
    const sizes: number[] = [];
    server.core.faults.list = (_session, { pageSize }) => {
      sizes.push(pageSize);
      const events = Array.from({ length: pageSize }, (_, index) => faultEvent(pageSize - index));
      return { events, nextPageToken: `after ${pageSize}` };
    };
    const session = await server.session();
    const page = await unary(server, BROKER.listFaults, { pageSize: 1000 }, session.token);
    expect(sizes).toEqual([1000, 500, 250]);
    expect([page.events.length, page.nextPageToken]).toEqual([250, "after 250"]);
  });

  test("diagnoses on request", async () => {
    const server = await serve();
    server.core.faults.list = () => ({ events: [faultEvent(1)], nextPageToken: "" });
    const page = await unary(server, BROKER.listFaults, { diagnose: true }, (await server.session()).token);
    expect(page.events).toMatchObject([{ diagnosis: { verdict: 4 } }]); // OVER_BUDGET: the fake has none
  });

  test("refuses every field that is wrong, and needs a session", async () => {
    const server = await serve();
    const { token } = await server.session();
    const request = { devices: ["x"], types: ["y"], pageToken: "z".repeat(1025) };
    expect(await faultsOf(unary(server, BROKER.listFaults, request, token))).toEqual(
      invalid("devices[0]", "types[0]", "page_token"),
    );
    expect((await refusal(unary(server, BROKER.listFaults, {}, undefined))).reason).toBe("UNAUTHENTICATED");
  });
});

describe("RespondToFault", () => {
  test.each([
    [1, "retry"],
    [2, "abort"],
    [3, "terminate"],
    [4, "success"],
    [5, "invalid"],
    [6, "failure"],
  ])("action %i is %s", async (action, answer) => {
    const server = await serve();
    const { token } = await server.session();
    expect(await unary(server, BROKER.respondToFault, { responseToken: "t", action }, token)).toEqual({
      device: "devices/0000:01:00.0",
      sequence: 2n ** 53n - 1n,
    });
    expect(server.core.argsOf("faults.respond")).toEqual([{ token: "t", answer }]);
  });

  test("is answered again by its request_id, and answers the device once", async () => {
    const server = await serve();
    const { token } = await server.session();
    const request = { requestId: "r", responseToken: "t", action: 1 };
    const first = await unary(server, BROKER.respondToFault, request, token);
    expect(await unary(server, BROKER.respondToFault, request, token)).toEqual(first);
    expect(server.core.asked.filter(({ verb }) => verb === "faults.respond")).toHaveLength(1);
    const other = await refusal(unary(server, BROKER.respondToFault, { ...request, action: 2 }, token));
    expect(other.reason).toBe("REQUEST_CONFLICT");
  });

  test("refuses every field that is wrong", async () => {
    const server = await serve();
    const { token } = await server.session();
    const wrong = invalid("response_token", "action");
    expect(await faultsOf(unary(server, BROKER.respondToFault, {}, token))).toEqual(wrong);
    const long = { responseToken: "t".repeat(257), action: 7 };
    expect(await faultsOf(unary(server, BROKER.respondToFault, long, token))).toEqual(wrong);
    expect(server.core.asked.filter(({ verb }) => verb === "faults.respond")).toEqual([]);
  });

  test("of what waits no longer is refused with core's words", async () => {
    const server = await serve();
    server.core.faults.respond = async () => {
      throw new BrokerError("fault_not_pending", "no such token waits", {});
    };
    const session = await server.session();
    const error = await refusal(unary(server, BROKER.respondToFault, { responseToken: "t", action: 1 }, session.token));
    expect([error.codeName, error.reason]).toEqual(["FAILED_PRECONDITION", "FAULT_NOT_PENDING"]);
  });

  test("is told to the audit with what it was about, and without the token", async () => {
    const acts: Act[] = [];
    const hooks = { onStart: () => {}, onCall: () => {}, onBug: () => {}, onAct: (act: Act) => acts.push(act) };
    const server = await serve({ hooks });
    const { token } = await server.session();
    await unary(server, BROKER.respondToFault, { responseToken: "secret", action: 2, requestId: "r" }, token);
    const act = acts.find(({ verb }) => verb === "RespondToFault");
    expect(act).toMatchObject({
      requestID: "r",
      subjects: ["devices/0000:01:00.0"],
      reason: `abort for fault ${2 ** 53 - 1}`,
      code: 0,
    });
    expect(JSON.stringify(act)).not.toContain("secret");
  });
});

async function unary<Req, ReqInput, Res, ResInput>(
  server: RpcServer,
  method: UnaryMethod<Req, ReqInput, Res, ResInput>,
  request: Sendable<ReqInput>,
  token: string | undefined,
) {
  const channel = new Channel(server.target, {});
  onTestFinished(() => channel.close());
  return await channel.unary(method, request, token);
}
