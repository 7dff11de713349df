// What holds whenever no call is under way, but for those that wait for a device: between what the broker's records say,
// what the model's stream tables hold, and what the clients know.

import { expect } from "vitest";
import { foldRecords } from "../../src/server/core/durable-state.ts";
import type { StageState } from "../../src/server/core/stage-state.ts";
import type { DeviceView } from "../../src/server/core/views.ts";
import { steConfig, type TestHost } from "../support/host.ts";
import { CLIENTS, FIRST_IPA, PAGE_BYTES, PAGES, poolDevice } from "./pool.ts";
import type { World } from "./world.ts";

/** STE.Config of each state, IHI 0070 §5.2. */
const CONFIG: Readonly<Record<StageState, number>> = {
  "default-domain": 0b101,
  "nest-parent": 0b110,
  "guest-abort": 0b000,
  "guest-nested": 0b111,
  quarantined: 0b000,
  vended: 0b000, // simulated, nobody attaches it
  releasing: 0b000,
};
const NOBODYS: ReadonlySet<StageState> = new Set(["default-domain", "quarantined", "releasing"]);
/** In which no access of a device gets through; simulated, what is vended is attached to nothing. */
const STILL: ReadonlySet<StageState> = new Set(["guest-abort", "quarantined", "releasing", "vended"]);
/** STE.S1ContextPtr, bits [55:6] of the first doubleword (§5.2). */
const CONTEXT_POINTER = 0x00ff_ffff_ffff_ffc0n;

export async function checkInvariants(world: World): Promise<void> {
  const devices = world.devices();
  for (const device of devices) checkDevice(world.host, device);
  world.descriptors.check(devices, world.hardware.failures.isArmed);
  for (const { state } of devices) if (state === "releasing") world.reached.add("a step withheld");
  for (const device of devices) await checkStill(world.host, device);
  checkVmids(world.host, devices);
  checkNames(devices);
  world.waits.check();
  checkLosses(world, devices);
  checkLines(world, devices);
  checkHoldings(world);
  for (const client of world.clients) if (client) await checkReach(world, client.slot);
}

function checkDevice(host: TestHost, device: DeviceView): void {
  const { attached, id, owner, state, streamIDs, vste } = device;
  const isNobodys = NOBODYS.has(state);
  expect([id, state, owner === undefined]).toEqual([id, state, isNobodys]);
  if (attached) expect(owner).toBeDefined();
  const siblings = device.groupDevices.map((each) => host.core.devices.get(each));
  const stages = siblings.map((each) => `${each.owner?.id} ${each.state} ${each.generation} ${each.virtualIommu}`);
  expect([id, new Set(stages).size]).toEqual([id, 1]);
  for (let index = 0; index < streamIDs.length; index += 1) {
    const { ste } = host.backend.structures(id, index, 0, undefined);
    const config = Number((ste[0]! >> 1n) & 7n);
    expect([id, index, state, ste[0]! & 1n, config]).toEqual([id, index, state, 1n, CONFIG[state]]);
    if (state !== "guest-nested") continue;
    expect([id, ste[0]! & CONTEXT_POINTER]).toEqual([id, vste!.dword0 & CONTEXT_POINTER]);
  }
}

/** A device that nobody may use moves no data, at whatever address. */
async function checkStill({ backend }: TestHost, { id, state, streamIDs }: DeviceView): Promise<void> {
  if (!STILL.has(state)) return;
  for (let streamIndex = 0; streamIndex < streamIDs.length; streamIndex += 1) {
    const where = { substreamID: undefined, privileged: false, streamIndex, access: "read" } as const;
    const pages = [0, FIRST_IPA, FIRST_IPA + PAGE_BYTES].map((iova) => ({ ...where, iova: BigInt(iova) }));
    const ends = (await backend.translate(id, pages)).map(({ end }) => end);
    expect([id, state, ends]).toEqual([id, state, ["abort", "abort", "abort"]]);
  }
}

/** One virtual IOMMU under each VMID of an SMMU. */
function checkVmids(host: TestHost, devices: readonly DeviceView[]): void {
  const users = new Map<string, Set<string>>();
  for (const device of devices) {
    if (device.state !== "nest-parent" && device.state !== "guest-nested") continue;
    const { ste } = host.backend.structures(device.id, 0, 0, undefined);
    const place = `${device.iommu} ${Number(ste[2]! & 0xffffn)}`; // S2VMID [143:128]
    users.set(place, (users.get(place) ?? new Set()).add(device.virtualIommu ?? "nobody"));
  }
  for (const [place, each] of users) expect([place, each.size, each.has("nobody")]).toEqual([place, 1, false]);
}

/** Virtual StreamIDs are unique in their virtual IOMMU. */
function checkNames(devices: readonly DeviceView[]): void {
  const names = devices
    .filter(({ virtualStreamID }) => virtualStreamID !== undefined)
    .map(({ virtualIommu, virtualStreamID }) => `${virtualIommu} ${virtualStreamID}`);
  expect(new Set(names).size).toBe(names.length);
}

/** What a lost session has is at abort; where the backend refused that, the next look tries again. */
function checkLosses(world: World, devices: readonly DeviceView[]): void {
  const lost = world.host.core.administration.sessions().filter(({ state }) => state === "lost");
  const failed = new Set(world.host.events.map((event) => (event.type === "reapFailed" ? event.session : "")));
  for (const { id: session } of lost) {
    if (failed.has(session)) continue;
    const isAborted = ({ state }: DeviceView): boolean => state === "guest-abort" || state === "vended"; // its holder's
    const notAborted = devices.filter((device) => device.owner?.id === session && !isAborted(device));
    expect([session, notAborted.map(({ id }) => id)]).toEqual([session, []]);
  }
}

/** Who waits is in line, waits for somebody, and takes a device only from whoever was told. */
function checkLines(world: World, devices: readonly DeviceView[]): void {
  for (const { group, id, state, waiters } of devices) {
    expect([id, waiters]).toEqual([id, world.waits.in(group).length]);
    if (waiters > 0) expect([id, state === "default-domain" || state === "quarantined"]).toEqual([id, false]);
  }
  expect(world.host.core.census().waiters).toBe(world.waits.all().length);
  const preempted = world.witness.preempted();
  const timed = world.waits.all().flatMap(({ hasDeadline }) => (hasDeadline ? ["wait", "deadline"] : ["wait"]));
  expect(world.host.clock.alarms).toBeLessThanOrEqual(timed.length + preempted.length);
  for (const group of preempted) {
    const preemptors = world.waits.in(group).filter(({ rank }) => rank !== undefined);
    expect([group, preemptors.length > 0]).toEqual([group, true]);
  }
}

/** The backend has what the records say and nothing besides, and each mapping, and nobody else, holds its file. */
function checkHoldings(world: World): void {
  const { addressSpaces, mappings, virtualIommus } = foldRecords(world.host.core.image());
  const parts = [...virtualIommus.values()].reduce((sum, virtual) => sum + virtual.parts.length, 0);
  expect([world.hardware.spaces.size, world.hardware.parts.size]).toEqual([addressSpaces.size, parts]);
  const holds = new Map<string, number>();
  for (const [id, table] of mappings) {
    const first = addressSpaces.get(id)?.populated ? 2 : 1; // what is populated has a window for the file, too
    for (const { path } of table.values()) holds.set(path, (holds.get(path) ?? first) + 1);
  }
  for (const { path, references } of world.files) expect([path, references]).toEqual([path, holds.get(path) ?? 1]);
}

/** A device in stage-1 bypass reaches exactly what its client has mapped. */
async function checkReach(world: World, slot: number): Promise<void> {
  const client = world.clients[slot];
  if (!client?.eager) return;
  const device = world.devices().find((one) => one.owner?.id === client.session && one.state === "nest-parent");
  if (!device) return;
  for (let page = 0; page < PAGES; page += 1) {
    const where = { substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
    const [outcome] = await world.host.backend.translate(device.id, [
      { ...where, iova: BigInt(FIRST_IPA + page * PAGE_BYTES) },
    ]);
    expect([page, outcome!.end === "ok"]).toEqual([page, client.mapped.has(page)]);
  }
}

/** Every session ended, everything given back, nobody left anywhere. */
export async function checkEnd(world: World): Promise<void> {
  const { clock, core, processes } = world.host;
  world.hardware.failures.clear();
  world.hardware.wear.clear();
  for (const client of world.clients) {
    if (client === undefined) continue;
    world.witness.requests.closed.add(client.session);
    await core.sessions.close(client.session);
  }
  const { files } = world.descriptors;
  files.close(files.all());
  for (const pid of [...processes.running.keys()]) processes.die(pid);
  clock.advance(100_000);
  for (let round = 0; round < 4; round += 1) {
    world.descriptors.looks();
    await core.reapExpired();
    clock.advance(100_000);
  }
  await world.finished();
  await world.settle();
  for (const device of world.devices()) {
    if (core.devices.get(device.id).state === "quarantined") await core.devices.unquarantine(device.id);
  }
  const { devices, ...held } = core.census();
  expect(held).toMatchObject({ sessions: 0, addressSpaces: 0, virtualIommus: 0, mappedBytes: 0, waiters: 0 });
  expect([held.faults.subscribers, clock.alarms, processes.watches]).toEqual([{ owner: 0, observer: 0 }, 0, 0]);
  expect(world.witness.preempted()).toEqual([]);
  expect(devices.filter(({ state, attached }) => state !== "default-domain" || attached)).toEqual([]);
  expect(devices.map(({ id }) => [id, steConfig(world.host, id)])).toEqual(devices.map(({ id }) => [id, 0b101]));
  expect(files.open()).toEqual([]);
  expect(world.files.map((file) => file.references)).toEqual(world.files.map(() => 1));
  await checkVmidsReturned(world);
}

/** A fresh client's devices get the first VMID behind each SMMU. */
async function checkVmidsReturned(world: World): Promise<void> {
  for (let slot = 0; slot < CLIENTS; slot += 1) world.forget(slot);
  world.allowAll();
  await world.open(0, { eager: true, graceMs: 0, hangsOnProcess: false });
  const client = world.clients[0]!;
  const { session, virtualIommu } = client;
  for (const iommu of ["smmu0", "smmu1"]) {
    const device = world.devices().find(({ id }) => poolDevice(id).iommu === iommu)?.id;
    if (device === undefined) continue; // all were unplugged
    const request = { device, virtualIommu, initial: "bypass", expectedGeneration: undefined } as const;
    await world.host.core.stages.attach(session, request);
    const { ste } = world.host.backend.structures(device, 0, 0, undefined);
    expect([iommu, Number(ste[2]! & 0xffffn)]).toEqual([iommu, 1]);
  }
  world.witness.requests.closed.add(session);
  await world.host.core.sessions.close(session);
}
