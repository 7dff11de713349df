import { describe, expect, onTestFinished, test } from "vitest";
import type { DeviceNews, DeviceWatch, DeviceWatchOptions } from "../../src/client/client.ts";
import type { DeviceBatch } from "../../src/server/core/device-verbs.ts";
import { DEVICE, type FakeDeviceWatch } from "../support/fake-core.ts";
import { type RpcServer, refusal, serve } from "../support/rpc-server.ts";

const SYNCED: DeviceBatch = { mark: "synced", changes: [], version: "7-1" };

function changed(version: string): DeviceBatch {
  return { mark: "none", changes: [{ kind: "changed", device: DEVICE, version }], version };
}

async function subscription(server: RpcServer, count = 1): Promise<FakeDeviceWatch> {
  await expect.poll(() => server.core.watches.length, { timeout: 5000 }).toBe(count);
  return server.core.watches.at(-1)!;
}

async function watching(server: RpcServer, options?: DeviceWatchOptions) {
  const watch: DeviceWatch = server.client().watchDevices(options);
  onTestFinished(() => watch.close());
  const iterator = watch[Symbol.asyncIterator]();
  const next = async (): Promise<DeviceNews> => (await iterator.next()).value;
  return { watch, iterator, next };
}

const resumed = (server: RpcServer): unknown[] =>
  server.core.asked.flatMap(({ verb, args }) => (verb === "devices.watch" ? [args[1]] : []));

describe("watchDevices", () => {
  test("gives marks and changes, and remembers the version", async () => {
    const server = await serve();
    const { watch, next } = await watching(server);
    (await subscription(server)).push(SYNCED);
    expect(await next()).toEqual({ mark: "synced", changes: [], resourceVersion: "7-1" });
    (await subscription(server)).push(changed("7-2"));
    expect((await next()).changes.map(({ device }) => device?.name)).toEqual([`devices/${DEVICE.id}`]);
    expect(watch.seen).toBe("7-2");
  });

  test("is opened again after the last version when the broker is gone and comes back", async () => {
    const server = await serve();
    const { next } = await watching(server);
    (await subscription(server)).push(SYNCED);
    await next();
    await server.restart();
    const pending = next();
    const again = await subscription(server, 2);
    expect(resumed(server)).toMatchObject([{ resumeAfter: undefined }, { resumeAfter: "7-1" }]);
    again.push({ mark: "resync", changes: [], version: undefined });
    expect((await pending).mark).toBe("resync");
  });

  test("a list that broke off is void: that is told, and the list asked for anew", async () => {
    const server = await serve();
    const { next } = await watching(server);
    const listed = { kind: "listed", device: DEVICE, version: "7-1" } as const;
    (await subscription(server)).push({ mark: "none", changes: [listed], version: undefined });
    expect((await next()).changes).toHaveLength(1);
    await server.restart();
    expect((await next()).mark).toBe("resync");
    await subscription(server, 2);
    expect(resumed(server)).toMatchObject([{ resumeAfter: undefined }, { resumeAfter: undefined }]);
  });

  test("a list of which nothing was told is not called void when it breaks off", async () => {
    const server = await serve();
    const heard: string[] = [];
    const { next } = await watching(server, {
      onBroken: ({ codeName }) => heard.push(codeName),
      onResumed: () => heard.push("resumed"),
    });
    const pending = next();
    for (let count = 1; count <= 3; count++) {
      await subscription(server, count);
      await server.restart();
    }
    (await subscription(server, 4)).push(SYNCED);
    expect((await pending).mark).toBe("synced");
    expect(heard).toHaveLength(2);
    expect(heard[0]).toMatch(/^(?:UNAVAILABLE|CANCELLED)$/);
    expect(heard[1]).toBe("resumed");
  });

  test("half a list that broke off is called void once, however often the broker goes before it is there", async () => {
    const server = await serve();
    const { next } = await watching(server);
    const listed = { kind: "listed", device: DEVICE, version: "7-1" } as const;
    (await subscription(server)).push({ mark: "none", changes: [listed], version: undefined });
    expect((await next()).changes).toHaveLength(1);
    await server.restart();
    expect((await next()).mark).toBe("resync");
    const pending = next();
    await subscription(server, 2);
    await server.restart();
    (await subscription(server, 3)).push(SYNCED);
    expect((await pending).mark).toBe("synced");
  });

  test("ready resolves with the first news, and rejects where no broker is", async () => {
    const server = await serve();
    const { watch, next } = await watching(server);
    (await subscription(server)).push(SYNCED);
    await watch.ready;
    expect((await next()).mark).toBe("synced");
    const nowhere = server.client("unix:/nonexistent/broker.sock").watchDevices();
    onTestFinished(() => nowhere.close());
    expect((await refusal(nowhere.ready)).codeName).toBe("UNAVAILABLE");
  });

  test("asks what its options say, with the session's token", async () => {
    const server = await serve();
    const session = await server.session();
    const watch = session.watchDevices({ ownedByMe: true, iommu: "iommus/smmu0", iommuGroup: 3, resumeAfter: "7-9" });
    onTestFinished(() => watch.close());
    await subscription(server);
    expect(resumed(server)).toMatchObject([{ ownedByViewer: true, iommu: "smmu0", group: 3, resumeAfter: "7-9" }]);
  });

  test("a refusal ends the iteration with its error", async () => {
    const server = await serve();
    const { iterator } = await watching(server, { iommu: "nonsense" });
    expect((await refusal(iterator.next())).reason).toBe("ARGUMENT_INVALID");
  });

  test("close() ends the iteration", async () => {
    const server = await serve();
    const { iterator, watch } = await watching(server);
    const pending = iterator.next();
    await subscription(server);
    watch.close();
    expect((await pending).done).toBe(true);
  });
});
