// A second broker is given what the first one noted: it must come to the same records and the same hardware.

import { describe, expect, test } from "vitest";
import { deviceID, groupID, streamID, virtualStreamID } from "../../../src/backends/ids.ts";
import { checkVSTE, encodeVSTE } from "../../../src/backends/vste.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { foldRecords } from "../../../src/server/core/durable-state.ts";
import { recordsOf } from "../../../src/server/store/codec.ts";
import {
  addFile,
  attach,
  bind,
  CALLER,
  type Guest,
  guest,
  NIC,
  NVME,
  readEnds,
  refusal,
  steConfig,
  type TestHost,
  TWO_SMMUS,
  testHost,
} from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

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
  // Another life of the daemon: its own versions, two owners who have not shown themselves in it, and the next block of
  // numbers for the device that is somebody's.
  const faultNumbers = new Map([
    [NVME, 4096],
    [NIC, 8192],
  ]);
  const { absences, ...again } = foldRecords(next.core.image());
  expect(again).toEqual({ ...image, absences: undefined, inventoryEpoch: inventoryEpoch + 1, faultNumbers });
  expect(absences.size).toBe(2);
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

describe("answers to calls with a request_id", () => {
  const key = (requestID: string, scope: string) => ({ scope, requestID, digest: "digest" });

  test("are there again, and go with their session", async () => {
    const host = await firstHost();
    const [one, two] = await twoGuests(host);
    for (const { session } of [one, two]) host.core.answers.keep(key("a", session), Buffer.from(session));
    await host.core.sessions.close(two.session);
    for (const records of [host.durable, host.core.image()]) {
      const next = await restarted(host, records);
      expect(next.core.answers.find(key("a", one.session))).toEqual(Buffer.from(one.session));
      expect(next.core.answers.find(key("a", two.session))).toBeUndefined();
      expect(foldRecords(next.core.image()).answers).toEqual(foldRecords(host.core.image()).answers);
    }
  });

  test("are told to nobody who claims their session", async () => {
    const host = await firstHost();
    const terms = { transferableTo: ["uid:1000"] };
    const { session } = await guest(host, { terms });
    host.core.answers.keep(key("a", session), Buffer.of(1));
    await host.core.sessions.claim(session, CALLER, { ttlMs: undefined });
    expect(host.core.answers.find(key("a", session))).toBeUndefined();
    host.core.answers.keep(key("b", session), Buffer.of(2));
    const next = await restarted(host);
    expect(next.core.answers.find(key("a", session))).toBeUndefined();
    expect(next.core.answers.find(key("b", session))).toEqual(Buffer.of(2));
  });

  test("of a session that is not restored are not there, and a late one finds no session", async () => {
    const host = await firstHost();
    const [one, two] = await twoGuests(host);
    host.core.answers.keep(key("a", one.session), Buffer.of(1));
    host.files.delete("/memory/one");
    const late = { session: "gone", requestID: "a", digest: "digest", answer: "AQ==" };
    const next = await restarted(host, [...host.durable, { type: "answer", value: late }]);
    expect(next.core.sessions.authenticate(two.token, CALLER)).toBe(two.session);
    expect(next.core.image().filter(({ type }) => type === "answer")).toEqual([]);
  });
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

test("a device that was added and may stall may still stall after restarts", async () => {
  const [first, second] = TWO_SMMUS.iommus;
  const idr0 = first!.registers.idr0! & ~(3 << 24); // STALL_MODEL [25:24] 0, IHI 0070G.b §6.3.1
  const stalling = { ...first!, registers: { ...first!.registers, idr0, idr5: 0x0010_0075 } }; // STALL_MAX [31:16] 16
  const config = { ...TWO_SMMUS, iommus: [stalling, second!] };
  const host = testHost({ config });
  await host.core.recover([]);
  const { session } = await guest(host);
  const device = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
  const plugged = { ...device, id: deviceID("dsp"), group: groupID(77), streamIDs: [streamID(0x77)], stall: true };
  host.core.simulator?.addDevice(session, plugged);
  let records: readonly DurableRecord[] = recordsOf(JSON.parse(JSON.stringify(host.durable)), "/state");
  for (const life of [2, 3]) {
    const next = testHost({ config });
    for (const [path, file] of host.files) addFile(next, path, file.bytes);
    await next.core.recover(records);
    const found = next.backend.inventory.devices().find(({ id }) => id === plugged.id);
    expect(found?.stall, `life ${life}`).toBe(true);
    records = next.core.image();
  }
});

test("a group whose number comes again is a new one, after a restart too", async () => {
  const config = {
    ...TWO_SMMUS,
    devices: TWO_SMMUS.devices.map((device) => ({ ...device, reset: "absent" as const })),
  };
  const host = testHost({ config });
  await host.core.recover([]);
  const { session, virtualIommu } = await guest(host);
  const request = { device: NVME, virtualIommu, initial: "abort", expectedGeneration: undefined } as const;
  await host.core.stages.attach(session, request);
  const device = host.backend.inventory.devices().find(({ id }) => id === NVME)!;
  expect((await host.core.stages.detach(session, request)).state).toBe("quarantined");
  await host.core.simulator?.removeDevice(session, NVME);
  host.core.simulator?.addDevice(session, device);
  const next = await restarted(host);
  expect(next.core.devices.get(NVME)).toMatchObject({ state: "default-domain", generation: 3 });
  expect(next.core.devices.list()).toEqual(host.core.devices.list());
});

test("no record is written while recovery is under way; after it, what this life costs, and which versions and numbers are new", async () => {
  const host = await firstHost();
  const [one, two] = await twoGuests(host);
  const next = await restarted(host);
  const [first] = host.durable;
  if (first?.type !== "inventoryEpoch") throw new Error("the first broker noted no epoch");
  const usedMs = 156.25; // a 64th of the lease of 10 s
  expect(next.durable).toEqual([
    { type: "sessionAbsence", id: one.session, usedMs },
    { type: "sessionAbsence", id: two.session, usedMs },
    { type: "inventoryEpoch", value: first.value + 1 },
    { type: "faultNumbers", id: NVME, value: 8192 },
    { type: "faultNumbers", id: NIC, value: 8192 },
  ]);
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

describe("memory that came by ticket", () => {
  const TICKET = "0".repeat(32);
  const IPA = 0x8000_0000;
  const BYTES = 2 ** 21;

  /** A guest whose device, in bypass, reads and writes memory that came by ticket. */
  async function ticketGuest(host: TestHost): Promise<Guest> {
    const vmm = await guest(host, { name: "one" });
    const file = new BufferFile("ticket:ram", BYTES);
    file.label = "ram";
    host.tickets.files.set(TICKET, file);
    const mapping = { ipa: BigInt(IPA), bytes: BigInt(BYTES), source: 0, offset: 0n, readable: true, writable: true };
    const request = { addressSpace: vmm.addressSpace, sources: [{ ticket: TICKET }], mappings: [mapping] };
    await host.core.addressSpaces.map(vmm.session, request);
    await attach(host, vmm, NVME, "bypass");
    return vmm;
  }

  async function presented(host: TestHost, vmm: Guest, bytes = BYTES): Promise<BufferFile> {
    const file = new BufferFile("ticket:again", bytes);
    file.label = "again";
    host.tickets.files.set(TICKET, file);
    const request = { addressSpace: vmm.addressSpace, label: "ram", ticket: TICKET };
    expect((await host.core.addressSpaces.present(vmm.session, request)).missing).toEqual([]);
    return file;
  }

  test("is missing: the session, its stage and its mappings are as they were, and DMA to it is a bus error", async () => {
    const host = await firstHost();
    const vmm = await ticketGuest(host);
    expect(await readEnds(host, NVME, IPA)).toBe("ok");
    const next = await restarted(host);
    expect(next.core.devices.get(NVME)).toEqual(host.core.devices.get(NVME));
    expect(next.core.census().mappedBytes).toBe(host.core.census().mappedBytes);
    expect(await readEnds(next, NVME, IPA)).not.toBe("ok");
    expect(await readEnds(next, NVME, 0x4000_0000)).toBe("ok"); // by path: there at once
    expect(next.core.sessions.authenticate(vmm.token, CALLER)).toBe(vmm.session);
  });

  test("is there again once it is presented, under any label, and the ticket is spent", async () => {
    const host = await firstHost();
    const vmm = await ticketGuest(host);
    const next = await restarted(host);
    const file = await presented(next, vmm);
    file.data[8] = 77;
    expect(await readEnds(next, NVME, IPA)).toBe("ok");
    expect(next.core.simulator?.readMemory(vmm.session, vmm.addressSpace, BigInt(IPA) + 8n, 1)[0]).toBe(77);
    expect(next.tickets.files.size).toBe(0);
    await next.core.sessions.close(vmm.session);
    expect(file.references).toBe(1);
  });

  test("must be as long as it was, and a ticket that does not fit stays good", async () => {
    const host = await firstHost();
    const vmm = await ticketGuest(host);
    const next = await restarted(host);
    expect((await refusal(() => presented(next, vmm, BYTES / 2))).facts).toMatchObject({ expected_bytes: BYTES });
    expect(next.tickets.files.get(TICKET)?.references).toBe(1);
    expect(await readEnds(next, NVME, IPA)).not.toBe("ok");
  });

  test("is presented once, by its own session, under a label that is missing", async () => {
    const host = await firstHost();
    const vmm = await ticketGuest(host);
    const other = await guest(host, { name: "two" });
    const next = await restarted(host);
    const { addressSpace } = vmm;
    const present = (session: string, label: string) =>
      next.core.addressSpaces.present(session, { addressSpace, label, ticket: TICKET });
    expect((await refusal(() => present(other.session, "ram"))).code).toBe("not_owner");
    expect((await refusal(() => present(vmm.session, "rom"))).fields[0]?.path).toBe("label");
    expect((await refusal(() => present(vmm.session, "ram"))).fields[0]?.path).toBe("ticket");
    await presented(next, vmm);
    expect((await refusal(() => present(vmm.session, "ram"))).fields[0]?.path).toBe("label");
  });

  test("of two guests under one label is two memories, before and after", async () => {
    const host = await firstHost();
    const one = await ticketGuest(host);
    const two = await guest(host, { name: "two" });
    const file = new BufferFile("ticket:ram of two", BYTES);
    file.label = "ram";
    host.tickets.files.set(TICKET, file);
    const mapping = { ipa: BigInt(IPA), bytes: BigInt(BYTES), source: 0, offset: 0n, readable: true, writable: true };
    const request = { addressSpace: two.addressSpace, sources: [{ ticket: TICKET }], mappings: [mapping] };
    await host.core.addressSpaces.map(two.session, request);
    await attach(host, two, NIC, "bypass");
    const next = await restarted(host);
    await presented(next, one);
    expect(await readEnds(next, NVME, IPA)).toBe("ok");
    expect(await readEnds(next, NIC, IPA)).not.toBe("ok");
  });

  test("outlives another restart before anybody presented it", async () => {
    const host = await firstHost();
    const vmm = await ticketGuest(host);
    const next = await restarted(await restarted(host), host.durable);
    const again = await restarted(host, next.core.image());
    const file = await presented(again, vmm);
    expect(await readEnds(again, NVME, IPA)).toBe("ok");
    expect(file.references).toBeGreaterThan(1);
  });
});
