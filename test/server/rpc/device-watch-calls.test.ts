import type * as grpc from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { Channel } from "../../../src/client/channel.ts";
import { DeviceChangeKind, DeviceWatchMark, StageState } from "../../../src/client/client.ts";
import { fromServiceError } from "../../../src/client/error.ts";
import { plain, type Sendable } from "../../../src/client/plain.ts";
import type { DeviceBatch } from "../../../src/server/core/device-verbs.ts";
import type { iommubroker } from "../../../src/server/rpc/codec.ts";
import { BROKER } from "../../../src/server/rpc/services.ts";
import { DEVICE, NVME, SMMU } from "../../support/fake-core.ts";
import { type RpcServer, serve, settled } from "../../support/rpc-server.ts";

const Mark = DeviceWatchMark;
const Kind = DeviceChangeKind;

function watch(server: RpcServer, request: Sendable<iommubroker.v1.IWatchDevicesRequest> = {}, token?: string) {
  const channel = new Channel(server.target, {});
  onTestFinished(() => channel.close());
  const call = channel.serverStream(BROKER.watchDevices, request, token);
  const error = new Promise<ReturnType<typeof fromServiceError>>((resolve) => {
    call.on("error", (failure: grpc.ServiceError) => resolve(fromServiceError(failure)));
  });
  const messages = call[Symbol.asyncIterator]();
  return {
    call,
    error,
    async next() {
      const { value } = await messages.next();
      return plain<iommubroker.v1.WatchDevicesResponse>(value);
    },
  };
}

/** A stream, and the subscription of core behind it. */
async function standing(
  server: RpcServer,
  request: Sendable<iommubroker.v1.IWatchDevicesRequest> = {},
  token?: string,
) {
  const stream = watch(server, request, token);
  await expect.poll(() => server.core.watches.length).toBeGreaterThan(0);
  return { stream, subscription: server.core.watches.at(-1)! };
}

function changed(kind: DeviceBatch["changes"][number]["kind"], version = "7-1"): DeviceBatch {
  return { mark: "none", changes: [{ kind, device: DEVICE, version }], version };
}

describe("WatchDevices", () => {
  test("needs no session, and passes on what is asked for", async () => {
    const server = await serve();
    await standing(server, { pageSize: 7, resumeAfter: "1700000000000-42", iommu: "iommus/smmu0", iommuGroup: 0 });
    expect(server.core.asked.at(-1)).toMatchObject({
      verb: "devices.watch",
      args: [undefined, { pageSize: 7, resumeAfter: "1700000000000-42", iommu: SMMU, group: 0, ownedByViewer: false }],
    });
  });

  test("asks for nothing that was not asked: all devices, from the list, in pages of the default", async () => {
    const server = await serve();
    await standing(server);
    expect(server.core.asked.at(-1)?.args[1]).toMatchObject({
      pageSize: 100,
      resumeAfter: undefined,
      iommu: undefined,
      group: undefined,
    });
  });

  test("sends marks and changes with their versions", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push({ mark: "resync", changes: [], version: undefined });
    subscription.push({ ...changed("listed"), version: undefined });
    subscription.push({ mark: "synced", changes: [], version: "7-1" });
    subscription.push(changed("changed", "7-2"));
    subscription.push(changed("left", "7-3"));
    const told = [];
    for (let count = 0; count < 5; count += 1) {
      const { changes, mark, resourceVersion } = await stream.next();
      told.push([mark, resourceVersion, ...changes.map(({ kind, resourceVersion: version }) => [kind, version])]);
    }
    expect(told).toEqual([
      [Mark.DEVICE_WATCH_MARK_RESYNC, ""],
      [Mark.DEVICE_WATCH_MARK_UNSPECIFIED, "", [Kind.DEVICE_CHANGE_KIND_LISTED, "7-1"]],
      [Mark.DEVICE_WATCH_MARK_SYNCED, "7-1"],
      [Mark.DEVICE_WATCH_MARK_UNSPECIFIED, "7-2", [Kind.DEVICE_CHANGE_KIND_CHANGED, "7-2"]],
      [Mark.DEVICE_WATCH_MARK_UNSPECIFIED, "7-3", [Kind.DEVICE_CHANGE_KIND_LEFT, "7-3"]],
    ]);
  });

  test("shows a removed device as it was last known, in state LOST", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push(changed("removed"));
    const [change] = (await stream.next()).changes;
    expect([change?.kind, change?.device?.name, change?.device?.state]).toEqual([
      Kind.DEVICE_CHANGE_KIND_REMOVED,
      `devices/${NVME}`,
      StageState.STAGE_STATE_LOST,
    ]);
  });

  test("shows what a guest installed to its owner and to nobody else", async () => {
    const server = await serve();
    const owner = await server.session(); // the fake core's first session is the owner of its devices
    const other = await server.session("other");
    for (const [token, shown] of [
      [owner.token, [0x1000_000bn, 2n]],
      [other.token, []],
      [undefined, []],
    ] as const) {
      const { stream, subscription } = await standing(server, {}, token);
      subscription.push(changed("changed"));
      expect((await stream.next()).changes[0]?.device?.installedVste).toEqual(shown);
      stream.call.cancel();
      await expect.poll(() => subscription.isClosed).toBe(true);
      server.core.watches.length = 0;
    }
  });

  test("sends a heartbeat with the version when it is silent", async () => {
    const server = await serve({ heartbeatMs: 20 });
    const { stream } = await standing(server);
    expect(await stream.next()).toEqual({
      mark: Mark.DEVICE_WATCH_MARK_UNSPECIFIED,
      changes: [],
      resourceVersion: "7-41",
    });
  });

  test("takes nothing from core while its reader is behind", async () => {
    const server = await serve();
    const { stream, subscription } = await standing(server);
    subscription.push(changed("changed"));
    await stream.next();
    const many = Array.from({ length: 100 }, () => changed("changed").changes[0]!);
    for (let count = 0; count < 2000; count += 1) subscription.push({ mark: "none", changes: many, version: "7-2" });
    expect(await settled(() => subscription.taken)).toBeLessThan(1000);
  });

  test.each<[string, Sendable<iommubroker.v1.IWatchDevicesRequest>, string]>([
    ["a version that is none", { resumeAfter: "yesterday" }, "resume_after"],
    ["an IOMMU's name without its collection", { iommu: "smmu0" }, "iommu"],
    ["a heartbeat below 100 ms", { heartbeatMs: 99 }, "heartbeat_ms"],
    ["owned_by_me without a session", { ownedByMe: true }, "owned_by_me"],
  ])("%s is refused by the field's name", async (_name, request, path) => {
    const server = await serve();
    const error = await watch(server, request).error;
    expect([error.codeName, error.fields.map((field) => field.path)]).toEqual(["INVALID_ARGUMENT", [path]]);
  });

  test("a token that is none is refused", async () => {
    const server = await serve();
    expect((await watch(server, {}, "nonsense").error).codeName).toBe("UNAUTHENTICATED");
  });

  test("ends with LEASE_EXPIRED when its session does, and with UNAVAILABLE when the daemon drains", async () => {
    const server = await serve();
    const { token } = await server.session();
    const ended = await standing(server, {}, token);
    ended.subscription.close();
    expect((await ended.stream.error).reason).toBe("LEASE_EXPIRED");
    server.core.watches.length = 0;
    const drained = await standing(server);
    void server.handle.drain();
    expect((await drained.stream.error).reason).toBe("DRAINING");
    await expect.poll(() => drained.subscription.isClosed).toBe(true);
  });
});
