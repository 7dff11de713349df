import type * as grpc from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { Channel } from "../../../src/client/channel.ts";
import { FaultClass, FaultGapReason, FaultStage } from "../../../src/client/client.ts";
import { fromServiceError } from "../../../src/client/error.ts";
import { plain, type Sendable } from "../../../src/client/plain.ts";
import type { FaultBatch } from "../../../src/server/core/fault-verbs.ts";
import type { iommubroker } from "../../../src/server/rpc/codec.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { NIC, NVME } from "../../support/fake-core.ts";
import { type RpcServer, serve, settled } from "../../support/rpc-server.ts";

const FAULT: FaultRecord = {
  device: NVME,
  virtualStreamID: virtualStreamID(8),
  substreamID: 0xf_ffff,
  type: "F_TRANSLATION",
  typeNumber: 0x10,
  stage: 2,
  class: "TTD",
  inputAddress: 2n ** 64n - 1n,
  ipa: 2 ** 52 - 4096,
  fetchAddress: 0x40,
  read: true,
  instruction: false,
  privileged: true,
  transition: false,
  record: Uint8Array.from({ length: 32 }, (_, index) => index),
};

function batch(...sequences: number[]): FaultBatch {
  return { events: sequences.map((sequence) => ({ sequence, wallMs: 1_700_000_000_250, fault: FAULT })), gaps: [] };
}

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
  expect(await stream.next()).toEqual({ events: [], gaps: [] });
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
    subscription.push(batch(2 ** 53 - 1));
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
        },
      ],
      gaps: [],
    });
  });

  test("leaves out what an event does not carry", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    const bare = {
      ...FAULT,
      virtualStreamID: undefined,
      substreamID: undefined,
      stage: undefined,
      class: undefined,
      inputAddress: undefined,
      ipa: undefined,
      fetchAddress: undefined,
      read: undefined,
      instruction: undefined,
      privileged: undefined,
    };
    subscription.push({ events: [{ sequence: 1, wallMs: 0, fault: bare }], gaps: [] });
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
    const fault = { ...FAULT, class: faultClass, stage };
    subscription.push({ events: [{ sequence: 1, wallMs: 0, fault }], gaps: [] });
    expect((await stream.next()).events).toMatchObject([{ class: expectedClass, stage: expectedStage }]);
  });

  test("reports gaps with their reason", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push({
      events: [],
      gaps: [
        { device: NVME, first: 3, last: 9, reason: "ring-overrun" },
        { device: NIC, first: 1, last: 1, reason: "hardware-overflow" },
        { device: NIC, first: 2, last: 4, reason: "released" },
      ],
    });
    expect((await stream.next()).gaps).toEqual([
      { device: "devices/0000:01:00.0", first: 3n, last: 9n, reason: FaultGapReason.FAULT_GAP_REASON_RING_OVERRUN },
      {
        device: "devices/0000:02:00.0",
        first: 1n,
        last: 1n,
        reason: FaultGapReason.FAULT_GAP_REASON_HARDWARE_OVERFLOW,
      },
      { device: "devices/0000:02:00.0", first: 2n, last: 4n, reason: FaultGapReason.FAULT_GAP_REASON_RELEASED },
    ]);
  });

  test("sends an empty message after each stretch of silence, at the server's pace by default", async () => {
    const server = await serve({ heartbeatMs: 20 });
    const { stream } = await standing(server);
    for (const beat of [1, 2, 3]) expect(await stream.next(), `beat ${beat}`).toEqual({ events: [], gaps: [] });
  });

  test("takes the client's own heartbeat", async () => {
    const server = await serve();
    const { stream } = await standing(server, { heartbeatMs: 100 });
    expect(await stream.next()).toEqual({ events: [], gaps: [] });
  });

  test.each([
    ["a malformed device", { devices: ["devices/a", "b"] }, ["devices[1]"]],
    ["a malformed device to resume", { resumeAfter: { b: 1n } }, ['resume_after["b"]']],
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
    subscription.push(batch(1));
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
  for (let pushed = 0; pushed < total; pushed++) subscription.push(batch(...events));
  const taken = await settled(() => subscription.taken);
  expect(taken).toBeLessThan(total / 2);
  let received = 0;
  while (received < total) received += (await stream.next()).events.length / events.length;
  expect([received, subscription.taken]).toEqual([total, total]);
});
