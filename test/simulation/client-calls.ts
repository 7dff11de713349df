// The client's calls that leave something in doubt or go on over steps: sessions that change hands, memory, waiting.

import { expect } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { Client } from "./client.ts";
import type { Command } from "./commands.ts";
import { FIRST_IPA, LEASE_MS, PAGE_BYTES, poolDevice, slotOf, UIDS } from "./pool.ts";
import { waitingGate } from "./waits.ts";
import { answered, type World } from "./world.ts";

/** The client's next process has the token. */
export async function resume(world: World, client: Client): Promise<void> {
  const { sessions } = world.host.core;
  for (const { caller: before, token } of [...client.credentials]) {
    const caller = world.newProcess(slotOf(before));
    client.pids.push(caller.pid);
    const isResumed = await answered(() => sessions.resume(token, caller));
    if (!isResumed) continue;
    client.credentials = client.credentials.map((each) => (each.token === token ? { token, caller } : each));
    world.faults.subscribe(world.host.core, client.session);
    return;
  }
}

/** By a process of another slot's uid, or of its own; until that is on the disk, either token may be the good one. */
export async function claim(world: World, client: Client, by: number): Promise<void> {
  const { sessions } = world.host.core;
  const caller = world.newProcess(by);
  client.pids.push(caller.pid);
  const wish = { ttlMs: LEASE_MS, transferableTo: UIDS };
  const former = client.credentials.at(-1)!;
  const isFormerGood = () => answered(async () => sessions.authenticate(former.token, former.caller));
  let token: string;
  try {
    token = (await sessions.claim(client.session, caller, wish)).token;
  } catch (error) {
    // Its lease lapsed before the answer: nobody was told the new token.
    if (!(await isFormerGood()) && world.clients[client.slot] === client) world.crash(client.slot);
    throw error;
  }
  client.credentials.push({ token, caller });
  world.faults.subscribe(world.host.core, client.session);
  expect(await isFormerGood()).toBe(false);
  await world.durable();
  client.credentials = client.credentials.slice(client.credentials.findIndex((each) => each.token === token));
}

/** Until it is answered, nobody knows whether the page is mapped after a crash; a refusal leaves it as it was. */
export async function remap(world: World, client: Client, command: Extract<Command, { kind: "map" | "unmap" }>) {
  const { addressSpaces } = world.host.core;
  const { addressSpace, session } = client;
  const { kind, page } = command;
  const range = { ipa: BigInt(FIRST_IPA + page * PAGE_BYTES), bytes: BigInt(PAGE_BYTES) };
  const wasInDoubt = client.inDoubt.has(page);
  client.inDoubt.add(page);
  try {
    if (kind === "unmap") await addressSpaces.unmap(session, { addressSpace, ranges: [range] });
    else {
      const mapping = { ...range, source: 0, offset: BigInt(page * PAGE_BYTES), readable: true, writable: true };
      await addressSpaces.map(session, { addressSpace, sources: [client.file.path], mappings: [mapping] });
    }
  } catch (error) {
    if (!wasInDoubt) client.inDoubt.delete(page);
    throw error;
  }
  await world.durable();
  client.inDoubt.delete(page);
  if (kind === "map") client.mapped.add(page);
  else client.mapped.delete(page);
}

type WaitCommand = Extract<Command, { kind: "wait" }>;

/** Stands in line, over steps, as long as it takes. */
export function wait(world: World, client: Client, device: DeviceID, command: WaitCommand): void {
  const { clock, core } = world.host;
  const { deadlineMs, preempt, stage, waitMs } = command;
  const { group } = poolDevice(device);
  const { session, slot, virtualIommu } = client;
  const priority = world.standings[slotOf(client.credentials.at(-1)!.caller)]!.priority;
  const gate = waitingGate();
  const forget =
    deadlineMs === undefined
      ? () => {}
      : clock.after(deadlineMs, () => gate.end(new BrokerError("call_over", "its deadline has passed")));
  const rank = preempt ? priority : undefined;
  const hasDeadline = deadlineMs !== undefined;
  const place = { session, slot, device, group, step: world.step, rank, hasDeadline, gate, isAnswered: false };
  world.waits.begin(place);
  const request = { device, virtualIommu, initial: stage, expectedGeneration: undefined, waitMs, preempt };
  const isWithheld = world.devices().some(({ id, state }) => id === device && state === "releasing");
  world.beside(async () => {
    try {
      await core.stages.attach(session, request, gate);
      if (world.step > place.step) world.reached.add("waited and attached");
      if (isWithheld) world.reached.add("waited for copies and attached");
    } catch (error) {
      if (world.step > place.step) world.reached.add("waited in vain");
      throw error;
    } finally {
      forget();
      world.waits.answered(place);
    }
    await world.durable();
  });
}

/** Whatever a device is given must be its client's own memory. */
export async function dma(world: World, client: Client, device: DeviceID, pages: readonly number[]): Promise<void> {
  const where = { substreamID: undefined, privileged: false, streamIndex: 0, kind: "read", bytes: PAGE_BYTES } as const;
  const accesses = pages.map((page) => ({ ...where, iova: BigInt(FIRST_IPA + page * PAGE_BYTES) }));
  const takeBack = world.witness.wasUsed(device);
  const running = world.host.core.simulator!.dma(client.session, device, accesses);
  running.catch(takeBack);
  for (const { data } of await running) {
    expect(data.find((byte) => byte !== client.slot + 1)).toBeUndefined();
  }
}
