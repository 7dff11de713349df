import * as http2 from "node:http2";
import * as net from "node:net";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { Channel } from "../../../src/client/channel.ts";
import { fromServiceError, fromStatus } from "../../../src/client/error.ts";
import { type Plain, plain, type Sendable, wire } from "../../../src/client/plain.ts";
import type { iommubroker } from "../../../src/server/rpc/codec.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { NVME, VIRTUAL_IOMMU_ID } from "../../support/fake-core.ts";
import { LIMITS, type RpcServer, refusal, serve, settled } from "../../support/rpc-server.ts";

type Answer = Plain<iommubroker.v1.StreamInvalidationsResponse>;
type Batch = Sendable<iommubroker.v1.IStreamInvalidationsRequest>;

const NAME = `virtualIommus/${VIRTUAL_IOMMU_ID}`;
const SESSION = "00000000-0000-4000-8000-000000000001";
const ALL = [{ tlbiNhAll: {} }];
/** CMD_TLBI_NH_ALL, then CMD_TLBI_NH_ASID of ASID 7 (§4.4: opcodes 0x10 and 0x11, ASID [63:48]). */
const RAW = Buffer.from("1000000000000000000000000000000011000000000007000000000000000000", "hex");
const RAW_DOUBLEWORDS = [
  { dword0: 0x10n, dword1: 0n },
  { dword0: 0x7_0000_0000_0011n, dword1: 0n },
];

/** A stream in a test's hands. */
function open(server: RpcServer, token: string, deadlineMs?: number) {
  const channel = new Channel(server.target, {});
  onTestFinished(() => channel.close());
  const call = channel.bidiStream(BROKER.streamInvalidations, token, deadlineMs);
  const answers: Answer[] = [];
  let wake = (): void => undefined;
  call.on("data", (message: iommubroker.v1.StreamInvalidationsResponse) => {
    answers.push(plain(message));
    wake();
  });
  const ended = new Promise<ReturnType<typeof fromServiceError> | undefined>((resolve) => {
    call.on("error", (error: grpc.ServiceError) => resolve(fromServiceError(error)));
    call.on("status", ({ code }: grpc.StatusObject) => code === grpc.status.OK && resolve(undefined));
  });
  return {
    call,
    ended,
    answers,
    send: (batch: Batch) => call.write(wire<iommubroker.v1.IStreamInvalidationsRequest>(batch)),
    async answered(count: number): Promise<readonly Answer[]> {
      while (answers.length < count) await new Promise<void>((resolve) => void (wake = resolve));
      return answers;
    },
  };
}

/** Core's invalidate in a test's hands: each batch waits until it is let go. */
function held(server: RpcServer) {
  const begun: (() => void)[] = [];
  const { invalidate } = server.core.virtualIommus;
  server.core.virtualIommus.invalidate = async (session, name, commands, gate) => {
    await new Promise<void>((resolve) => void begun.push(resolve));
    gate?.requireOpen();
    return await invalidate(session, name, commands);
  };
  return { begun, until: (count: number) => expect.poll(() => begun.length, { interval: 2 }).toBe(count) };
}

describe("StreamInvalidations", () => {
  test("answers each batch under its number, in order, and names the virtual IOMMU once", async () => {
    const server = await serve();
    const stream = open(server, (await server.session()).token);
    stream.send({ virtualIommu: NAME, sequence: 2n ** 64n - 1n, commands: [...ALL, ...ALL] });
    stream.send({ sequence: 0n, commands: ALL });
    stream.send({ virtualIommu: NAME, sequence: 0n, rawCommands: RAW });
    expect(await stream.answered(3)).toEqual([
      { sequence: 2n ** 64n - 1n, executed: 2 },
      { sequence: 0n, executed: 1 },
      { sequence: 0n, executed: 2 },
    ]);
    expect(server.core.argsOf("virtualIommus.invalidate")).toEqual([VIRTUAL_IOMMU_ID, RAW_DOUBLEWORDS]);
    stream.call.end();
    expect(await stream.ended).toBeUndefined();
  });

  test.each([
    ["a bad command", { commands: [...ALL, {}] }, "commands[1]", 1],
    [
      "raw bytes of one that are too few",
      { commands: [...ALL, ...ALL, { raw: new Uint8Array(15) }] },
      "commands[2].raw",
      2,
    ],
    ["no command", {}, "commands", undefined],
    ["raw commands that are none", { rawCommands: RAW.subarray(1) }, "raw_commands", undefined],
    ["both kinds", { commands: ALL, rawCommands: RAW }, "raw_commands", undefined],
    ["another virtual IOMMU", { virtualIommu: "virtualIommus/x", commands: ALL }, "virtual_iommu", undefined],
  ])("refuses %s alone, and goes on", async (_, batch, path, index) => {
    const server = await serve();
    const stream = open(server, (await server.session()).token);
    stream.send({ virtualIommu: NAME, sequence: 1n, commands: ALL });
    stream.send({ sequence: 2n, ...batch });
    stream.send({ sequence: 3n, commands: ALL });
    const [first, refused, last] = await stream.answered(3);
    expect([first?.executed, refused?.executed, last?.executed]).toEqual([1, undefined, 1]);
    const error = fromStatus(refused!.error!);
    expect([refused?.sequence, error.reason, error.fields.map((field) => field.path)]).toEqual([
      2n,
      "ARGUMENT_INVALID",
      [path],
    ]);
    expect(refused?.commandIndex).toBe(index);
  });

  test("tells core's index of a bad command, and counts a limit that refuses a batch", async () => {
    const limits: string[] = [];
    const hooks = { onStart() {}, onCall() {}, onBug() {}, onLimit: (limit: string) => void limits.push(limit) };
    const server = await serve({ hooks });
    server.core.virtualIommus.invalidate = async () => {
      throw new BrokerError("argument_invalid", "commands[4]: no", { index: 4 });
    };
    const stream = open(server, (await server.session()).token);
    stream.send({ virtualIommu: NAME, commands: ALL });
    stream.send({ rawCommands: Buffer.concat(Array(5).fill(RAW)) }); // 10 commands, 9 are allowed
    const [bad, many] = await stream.answered(2);
    expect(bad?.commandIndex).toBe(4);
    const { code, metadata } = fromStatus(many!.error!);
    expect([code, metadata.limit]).toEqual([grpc.status.RESOURCE_EXHAUSTED, "commands_per_call_max"]);
    expect(limits).toEqual(["commands_per_call_max"]);
  });

  test("ends where the virtual IOMMU is gone, and where the first message names none", async () => {
    const server = await serve();
    const { token } = await server.session();
    const nameless = open(server, token);
    nameless.send({ commands: ALL });
    expect((await nameless.ended)?.fields.map(({ path }) => path)).toEqual(["virtual_iommu"]);
    server.core.virtualIommus.invalidate = async () => {
      throw new BrokerError("virtual_iommu_unknown", "gone");
    };
    const stream = open(server, token);
    stream.send({ virtualIommu: NAME, commands: ALL });
    expect((await stream.ended)?.reason).toBe("VIRTUAL_IOMMU_UNKNOWN");
  });

  test("ends with INVALID_ARGUMENT at bytes that are no message", async () => {
    const server = await serve();
    const { token } = await server.session();
    const client = new grpc.Client(server.target, grpc.credentials.createInsecure());
    onTestFinished(() => client.close());
    const metadata = new grpc.Metadata();
    metadata.set("iommubroker-session-token", token);
    const same = (bytes: Buffer): Buffer => bytes;
    const call = client.makeBidiStreamRequest(BROKER.streamInvalidations.path, same, same, metadata);
    const code = new Promise((resolve) => call.on("error", (error: grpc.ServiceError) => resolve(error.code)));
    call.write(Buffer.from("ff", "hex"));
    expect(await code).toBe(grpc.status.INVALID_ARGUMENT);
  });

  test("holds as many batches as its limit says, and reads no more until one is answered", async () => {
    let received = 0;
    const limits: string[] = [];
    const hooks = {
      onStart() {},
      onCall() {},
      onBug() {},
      onMessage: (call: { method: string }, direction: string) => {
        if (call.method === "StreamInvalidations" && direction === "received") received += 1;
      },
      onLimit: (limit: string) => void limits.push(limit),
    };
    const server = await serve({ hooks });
    const { begun } = held(server);
    const stream = open(server, (await server.session()).token);
    for (let batch = 0; batch < 200; batch++)
      stream.send({ virtualIommu: NAME, sequence: BigInt(batch), commands: ALL });
    stream.call.end();
    expect(await settled(() => received)).toBe(LIMITS.invalidationBatchesOutstandingMax);
    expect(limits).toEqual(["invalidation_batches_outstanding_max"]);
    const letGo = setInterval(() => begun.shift()?.(), 0);
    onTestFinished(() => clearInterval(letGo));
    const answers = await stream.answered(200);
    expect(answers.map(({ sequence }) => Number(sequence))).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect(await stream.ended).toBeUndefined();
  });

  test("carries out nothing for a client that does not read the answers", async () => {
    const server = await serve();
    const { token } = await server.session();
    const connection = http2.connect("http://localhost", {
      createConnection: () => net.connect(server.target.replace("unix:", "")),
      settings: { initialWindowSize: 64 }, // room for some answers
    });
    for (const event of ["error", "goaway"]) connection.on(event, () => undefined); // the server goes first
    const stream = connection.request({
      ":method": "POST",
      ":path": BROKER.streamInvalidations.path,
      "content-type": "application/grpc",
      te: "trailers",
      "iommubroker-session-token": token,
    });
    const message = BROKER.streamInvalidations.request.encode({ virtualIommu: NAME, rawCommands: RAW });
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
    for (let sent = 0; sent < 1000; sent++) stream.write(frame);
    const carriedOut = () => server.core.asked.filter(({ verb }) => verb === "virtualIommus.invalidate").length;
    expect(await settled(carriedOut)).toBeLessThan(100);
    expect(carriedOut()).toBeGreaterThan(1);
    connection.destroy();
  });

  test("answers all that was sent before the client half-closed, then ends with OK", async () => {
    const server = await serve();
    const { begun, until } = held(server);
    const stream = open(server, (await server.session()).token);
    for (const sequence of [1n, 2n, 3n]) stream.send({ virtualIommu: NAME, sequence, commands: ALL });
    stream.call.end();
    for (const count of [1, 2, 3]) {
      await until(count);
      begun[count - 1]!();
    }
    expect(await stream.ended).toBeUndefined();
    expect(stream.answers.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
  });

  test("ends at its deadline; a batch that waits for its turn then is not carried out", async () => {
    const server = await serve();
    const { begun, until } = held(server);
    const stream = open(server, (await server.session()).token, 300);
    for (const sequence of [1n, 2n]) stream.send({ virtualIommu: NAME, sequence, commands: ALL });
    await until(1);
    expect((await stream.ended)?.codeName).toBe("DEADLINE_EXCEEDED");
    await expect.poll(() => server.ended.length, { interval: 2 }).toBeGreaterThan(1); // OpenSession, and this
    begun[0]!();
    await settled(() => begun.length);
    expect([begun.length, server.core.argsOf("virtualIommus.invalidate"), server.bugs]).toEqual([1, [], []]);
    expect(server.ended.at(-1)).toMatchObject({ method: "StreamInvalidations", code: grpc.status.DEADLINE_EXCEEDED });
  });

  test("when the daemon drains, the batch under way is waited for and answered, and none is begun", async () => {
    const server = await serve();
    const { begun, until } = held(server);
    const { token } = await server.session();
    const [busy, idle] = [open(server, token), open(server, token)];
    idle.send({ virtualIommu: NAME, sequence: 0n, commands: ALL });
    await until(1);
    begun[0]!();
    await idle.answered(1);
    for (const sequence of [1n, 2n]) busy.send({ virtualIommu: NAME, sequence, commands: ALL });
    await until(2);
    let isDrained = false;
    const drained = server.handle.drain().then(() => {
      isDrained = true;
    });
    expect((await idle.ended)?.reason).toBe("DRAINING");
    expect(isDrained).toBe(false);
    begun[1]!();
    await drained;
    const error = await busy.ended;
    expect([error?.codeName, error?.reason]).toEqual(["UNAVAILABLE", "DRAINING"]);
    expect(busy.answers).toEqual([{ sequence: 1n, executed: 1 }]);
    expect(begun).toHaveLength(2);
  });

  test.each([
    ["is lost", { kind: "lost", reason: "lease_expired", graceMs: 0 }, "lost"],
    ["is revoked", { kind: "revoked", reason: "by hand" }, "revoked"],
    ["is claimed by another", { kind: "transferred", to: "uid:7" }, "transferred"],
    ["ends", { kind: "ended" }, undefined],
  ] as const)("ends with LEASE_EXPIRED when its session %s, in the middle of a batch", async (_, notice, reason) => {
    const server = await serve();
    const { begun, until } = held(server);
    const stream = open(server, (await server.session()).token);
    for (const sequence of [1n, 2n]) stream.send({ virtualIommu: NAME, sequence, commands: ALL });
    await until(1);
    server.core.notify(SESSION, { kind: "deviceRemoved", device: NVME });
    server.core.notify(SESSION, notice);
    const error = await stream.ended;
    expect([error?.codeName, error?.reason, error?.metadata.reason]).toEqual([
      "FAILED_PRECONDITION",
      "LEASE_EXPIRED",
      reason,
    ]);
    begun[0]!();
    await settled(() => begun.length);
    expect([stream.answers, begun.length, server.core.listeners(SESSION)]).toEqual([[], 1, 0]);
  });

  test("looks at the token again with each batch", async () => {
    const server = await serve();
    const { token } = await server.session();
    const stream = open(server, token);
    stream.send({ virtualIommu: NAME, commands: ALL });
    await stream.answered(1);
    await server.core.sessions.close(SESSION); // this core tells nobody
    stream.send({ commands: ALL });
    expect((await stream.ended)?.reason).toBe("LEASE_EXPIRED");
  });

  test("needs a token", async () => {
    const server = await serve();
    expect((await open(server, "nobody").ended)?.codeName).toBe("UNAUTHENTICATED");
  });

  test("has so many streams a session, and room again when one ends", async () => {
    const server = await serve();
    const session = await server.session();
    const [first, second] = [session.streamInvalidations(NAME), session.streamInvalidations(NAME)];
    await Promise.all([first.invalidate(ALL), second.invalidate(ALL)]);
    const { reason, metadata } = await refusal(session.streamInvalidations(NAME).invalidate(ALL));
    expect([reason, metadata.limit]).toEqual(["LIMIT_REACHED", "invalidation_streams_per_session_max"]);
    await first.close();
    const third = session.streamInvalidations(NAME);
    expect(await third.invalidate(ALL)).toBe(1);
    await Promise.all([second.close(), third.close()]);
  });
});
