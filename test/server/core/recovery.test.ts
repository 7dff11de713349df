// A second broker is given what the first one noted: it must come to the same records and the same hardware.

import { describe, expect, test } from "vitest";
import { deviceID, groupID, streamID, virtualStreamID } from "../../../src/backends/ids.ts";
import { checkVSTE, encodeVSTE } from "../../../src/backends/vste.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { foldRecords } from "../../../src/server/core/recovery.ts";
import {
  addFile,
  attach,
  bind,
  CALLER,
  type Guest,
  guest,
  NIC,
  NVME,
  refusal,
  steConfig,
  type TestHost,
  TWO_SMMUS,
  testHost,
} from "../../support/host.ts";

const TRANSLATE = encodeVSTE({
  S1ContextPtr: 0x4000_0000n,
  S1Fmt: 0,
  S1CDMax: 0,
  S1DSS: 0,
  S1CIR: 1,
  S1COR: 1,
  S1CSH: 3,
  S1STALLD: false,
  EATS: 0,
});
const BYPASS = checkVSTE(0b1001n, 0n);

async function firstHost(): Promise<TestHost> {
  const host = testHost();
  await host.core.recover([]);
  return host;
}

/** A broker that starts on what another one noted; guest memory is still there. */
async function restarted(
  host: TestHost,
  records: readonly DurableRecord[] = host.durable,
  keepFiles = true,
): Promise<TestHost> {
  const next = testHost();
  if (keepFiles) for (const [path, file] of host.files) addFile(next, path, file.bytes);
  await next.core.recover(records);
  return next;
}

async function twoGuests(host: TestHost): Promise<readonly [Guest, Guest]> {
  const one = await guest(host, { name: "one" });
  const two = await guest(host, { name: "two" });
  await attach(host, one, NVME, "bypass");
  await bind(host, one, NVME, TRANSLATE, 7);
  await attach(host, two, NIC);
  return [one, two];
}

test("owners, stages, generations, names and mappings are as they were, and so is the hardware", async () => {
  const host = await firstHost();
  const [one, two] = await twoGuests(host);
  const next = await restarted(host);
  expect(next.core.devices.list()).toEqual(host.core.devices.list());
  expect(next.core.sessions.authenticate(one.token, CALLER)).toBe(one.session);
  expect(next.core.sessions.authenticate(two.token, CALLER)).toBe(two.session);
  for (const device of [NVME, NIC]) expect(steConfig(next, device)).toBe(steConfig(host, device));
  expect(next.core.census()).toEqual(host.core.census());
});

test("an image taken at any time says the same as the records that led to it", async () => {
  const host = await firstHost();
  const [one] = await twoGuests(host);
  await host.core.stages.detach(one.session, { device: NVME, expectedGeneration: undefined });
  const next = await restarted(host, host.core.image());
  expect(next.core.devices.list()).toEqual(host.core.devices.list());
  const { inventoryEpoch, ...image } = foldRecords(host.core.image());
  expect(foldRecords(next.core.image())).toEqual({ ...image, inventoryEpoch: inventoryEpoch + 1 }); // another life of the daemon
});

test("a restored guest goes on: binds, unmaps, invalidates, detaches", async () => {
  const host = await firstHost();
  const [one] = await twoGuests(host);
  const next = await restarted(host);
  expect((await bind(next, one, NVME, BYPASS)).generation).toBe(3);
  const range = { ipa: 0x4000_0000n, bytes: 2n ** 21n };
  const { unmappedBytes } = await next.core.addressSpaces.unmap(one.session, {
    addressSpace: one.addressSpace,
    ranges: [range],
  });
  expect(unmappedBytes).toBe(2 ** 21);
  await next.core.sessions.close(one.session);
  expect(next.core.devices.get(NVME)).toMatchObject({ state: "default-domain", owner: undefined });
  expect(next.files.get("/memory/one")?.references).toBe(1); // the test's own
});

test("a session that was closed, or whose lease lapsed, is not there again, and its groups go on counting", async () => {
  const host = await firstHost();
  const [one] = await twoGuests(host);
  await host.core.sessions.close(one.session);
  const { generation } = host.core.devices.get(NVME);
  const next = await restarted(host);
  expect((await refusal(() => next.core.sessions.authenticate(one.token, CALLER))).code).toBe("unauthenticated");
  expect(next.core.devices.get(NVME)).toMatchObject({ state: "default-domain", generation, owner: undefined });
});

test("a session that died in the middle of giving back is not restored, and its group counts one further", async () => {
  const host = await firstHost();
  const [one] = await twoGuests(host);
  const { generation } = host.core.devices.get(NVME);
  const next = await restarted(host, [...host.durable, { type: "sessionGone", id: one.session }]);
  expect(next.core.devices.get(NVME)).toMatchObject({ state: "default-domain", owner: undefined });
  expect(next.core.devices.get(NVME).generation).toBe(generation + 1);
});

describe("a session that cannot be restored", () => {
  test("is given up as a whole, says why, and leaves nothing behind; the other one is restored", async () => {
    const host = await firstHost();
    const [one, two] = await twoGuests(host);
    host.files.delete("/memory/one");
    const next = await restarted(host);
    expect(next.core.devices.get(NVME)).toMatchObject({ state: "default-domain", owner: undefined, attached: false });
    expect(next.core.devices.get(NVME).generation).toBeGreaterThan(host.core.devices.get(NVME).generation);
    expect(next.core.devices.get(NIC)).toEqual(host.core.devices.get(NIC));
    expect(next.core.sessions.authenticate(two.token, CALLER)).toBe(two.session);
    expect((await refusal(() => next.core.sessions.authenticate(one.token, CALLER))).code).toBe("unauthenticated");
    expect(next.events.filter(({ type }) => type === "sessionGivenUp")).toEqual([
      expect.objectContaining({ session: one.session, error: expect.objectContaining({ code: "argument_invalid" }) }),
    ]);
    expect(next.core.census()).toMatchObject({ sessions: 1, addressSpaces: 1, virtualIommus: 1 });
  });

  test("because its memory shrank is given up, and the file let go", async () => {
    const host = await firstHost();
    await twoGuests(host);
    const next = testHost();
    const file = addFile(next, "/memory/one", 4096);
    addFile(next, "/memory/two", 2 ** 21);
    await next.core.recover(host.durable);
    expect(next.core.devices.get(NVME).owner).toBeUndefined();
    expect(file.references).toBe(1); // the test's own
  });
});

test("devices that came and went through the simulator are as they were", async () => {
  const host = await firstHost();
  const { session } = await guest(host);
  const { simulator } = host.core;
  await simulator?.removeDevice(session, NIC);
  const device = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
  const plugged = { ...device, id: deviceID("plugged"), group: groupID(77), streamIDs: [streamID(0x77)] };
  simulator?.addDevice(session, plugged);
  const next = await restarted(host);
  expect(next.core.devices.list()).toEqual(host.core.devices.list());
  const third = await restarted(next, next.core.image());
  expect(third.core.devices.list()).toEqual(host.core.devices.list());
});

test("no record is written while recovery is under way; after it, that versions of the inventory are new ones", async () => {
  const host = await firstHost();
  await twoGuests(host);
  const next = await restarted(host);
  const [first] = host.durable;
  if (first?.type !== "inventoryEpoch") throw new Error("the first broker noted no epoch");
  expect(next.durable).toEqual([{ type: "inventoryEpoch", value: first.value + 1 }]);
});

test("virtual StreamIDs are the guests' again", async () => {
  const host = await firstHost();
  const [one] = await twoGuests(host);
  const next = await restarted(host);
  expect(next.core.devices.get(NVME).virtualStreamID).toBe(virtualStreamID(7));
  const commands = [{ dword0: 0x05n + (7n << 32n), dword1: 0n }]; // CMD_CFGI_CD of the guest's stream 7
  expect(await next.core.virtualIommus.invalidate(one.session, one.virtualIommu, commands)).toBe(1);
});

test("a quarantined group stays out of everybody's reach", async () => {
  const config = {
    ...TWO_SMMUS,
    devices: TWO_SMMUS.devices.map((device) => ({ ...device, reset: "absent" as const })),
  };
  const host = testHost({ config });
  await host.core.recover([]);
  const vmm = await guest(host);
  await attach(host, vmm, NVME);
  await host.core.sessions.close(vmm.session);
  expect(host.core.devices.get(NVME).state).toBe("quarantined");
  const next = await restarted(host);
  expect(next.core.devices.get(NVME)).toEqual(host.core.devices.get(NVME));
  expect(steConfig(next, NVME)).toBe(0b000);
  const other = await guest(next, { name: "other" });
  expect((await refusal(() => attach(next, other, NVME))).code).toBe("device_quarantined");
});
