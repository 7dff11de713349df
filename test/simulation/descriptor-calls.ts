// Descriptors of devices as clients get them, pass them on and close them, and what a call on a device must come to that is
// in others' hands and stays so.

import { expect } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { ProcessCaller } from "../../src/server/core/caller.ts";
import type { HandedOut } from "../../src/server/core/stage-verbs.ts";
import type { DeviceView } from "../../src/server/core/views.ts";
import type { Redeemed } from "../../src/server/fds/device-tickets.ts";
import type { Client } from "./client.ts";
import type { GivenTicket, HandingOut } from "./descriptor-books.ts";
import { poolDevice, TICKET_MS } from "./pool.ts";
import type { World } from "./world.ts";

/** What is passed, in this order (docs/fd-exchange.md). */
const PASSED: Readonly<Record<HandingOut, readonly string[]>> = {
  brokered: ["simulated-cdev"],
  vended: ["simulated-iommufd", "simulated-cdev"],
};
/** Refusals that have to do with the caller, the daemon or its limits: they may come before any other. */
const EXCUSES: ReadonlySet<string> = new Set([
  "session_unknown",
  "lease_expired",
  "unauthenticated",
  "policy_denied",
  "limit_reached",
  "device_resetting",
  "call_over",
]);

export async function handOut(world: World, client: Client, device: DeviceID, fetches: boolean): Promise<void> {
  const { stages } = world.host.core;
  const ask = () => stages.getDescriptor(client.session, { device, expectedGeneration: undefined });
  const ticket = await ticketFor(world, client, device, "brokered", ask);
  if (fetches && ticket !== undefined) redeem(world, client, ticket);
}

/** Once more of one that nobody fetched gives another ticket for the one before. */
export async function vend(world: World, client: Client, device: DeviceID, fetches: boolean): Promise<void> {
  const { descriptors } = world;
  const { stages } = world.host.core;
  const before = viewOf(world, device);
  const told = descriptors.told(poolDevice(device).group);
  const wasFetched = told !== undefined && (told.isFetched || told.life !== descriptors.life);
  descriptors.vends(device);
  const ticket = await ticketFor(world, client, device, "vended", async () => {
    const request = { device, node: "unbound", expectedGeneration: undefined } as const;
    const answer = await stages.vend(client.session, request);
    const isAgain = before?.state === "vended" && before.generation === answer.device.generation;
    if (isAgain && wasFetched) descriptors.wrong.push(`${device} was vended twice, and fetched in between`);
    return answer;
  });
  if (fetches && ticket !== undefined) redeem(world, client, ticket);
}

async function ticketFor(
  world: World,
  client: Client,
  device: DeviceID,
  how: HandingOut,
  ask: () => Promise<HandedOut>,
): Promise<GivenTicket | undefined> {
  const { descriptors } = world;
  const { group } = poolDevice(device);
  const { session } = client;
  const wasToldOf = descriptors.told(group)?.how === how;
  const before = holderOf(world, session);
  const vends = descriptors.vendsOf(device);
  const { device: view, ticket } = await ask();
  expect([device, "authoritative", view.stageAuthoritative]).toEqual([device, "authoritative", false]);
  const made = { tenure: descriptors.tenure(group), life: descriptors.life, isNew: !wasToldOf };
  const holder = holderOf(world, session);
  const endMs = world.host.clock.nowMs + ticket.expiresMs;
  expect(ticket.expiresMs).toBe(TICKET_MS);
  await world.durable();
  if (holder === undefined || before === undefined) return undefined;
  const now = viewOf(world, device);
  const isLast = descriptors.vendsOf(device) === vends;
  const isSame = now?.owner?.id === session && now.attached && before.pid === holder.pid && isLast;
  const standing = isSame ? "good" : "doubtful";
  const given: GivenTicket = { name: ticket.ticket, device, group, session, holder, how, endMs, standing };
  return descriptors.given(given, made) ? given : undefined;
}

/** Mostly one of its own, sometimes one that it had before and used or lost, sometimes anybody's. */
export function redeemAny(world: World, client: Client, pick: number): void {
  const all = world.descriptors.tickets();
  const own = all.filter(({ session }) => session === client.session);
  const good = own.filter(({ standing }) => standing !== "bad");
  const choice = [all, own, good, good][pick % 4]!;
  const ticket = choice[pick % choice.length];
  if (ticket !== undefined) redeem(world, client, ticket);
}

/** By the process that has the client's session now. */
function redeem(world: World, client: Client, ticket: GivenTicket): void {
  const { descriptors } = world;
  if (world.disk.isDead) return;
  const { caller } = client.credentials.at(-1)!;
  const isIts = caller.pid === ticket.holder.pid;
  const mustPass = isIts && ticket.standing === "good" && isHolders(world, ticket);
  let redeemed: Redeemed;
  try {
    redeemed = descriptors.office.redeem(ticket.name, caller);
  } catch (error) {
    if (isIts) ticket.standing = "bad";
    const isRefusal = error instanceof BrokerError;
    if (!isRefusal) throw error;
    if (mustPass) descriptors.refused(viewOf(world, ticket.device), error);
    world.reached.add("ticket refused");
    return;
  }
  pass(world, ticket, caller, redeemed);
}

function pass(world: World, ticket: GivenTicket, caller: ProcessCaller, { descriptors, passed }: Redeemed): void {
  const { clock } = world.host;
  const { device, endMs, group, holder, how, name, session, standing } = ticket;
  const books = world.descriptors;
  const owner = viewOf(world, device)?.owner?.id;
  const found = { name, isBad: standing === "bad", isLate: clock.nowMs >= endMs, pid: caller.pid, owner };
  expect(found).toEqual({ name, isBad: false, isLate: false, pid: holder.pid, owner: session });
  expect(descriptors.map(({ kind }) => kind)).toEqual(PASSED[how]);
  books.files.pass({ device, group, session, pid: caller.pid }, descriptors);
  passed();
  ticket.standing = "bad";
  const told = books.told(group);
  if (told !== undefined) told.isFetched = true;
  world.reached.add(`copies ${how}`);
}

/** Its device is its session's as it was, and the session its process's. */
function isHolders(world: World, { device, endMs, holder, session }: GivenTicket): boolean {
  const view = viewOf(world, device);
  if (view?.owner?.id !== session || !view.attached || world.host.clock.nowMs >= endMs) return false;
  if (holderOf(world, session)?.pid !== holder.pid) return false;
  const held = world.host.core.administration.sessions().find(({ id }) => id === session);
  return held !== undefined && held.state !== "lost" && (held.liveness === "peer-process" || held.remainingMs > 0);
}

/** The process that has it gives it to another one, which no client's death ends. */
export function shareCopy(world: World, pick: number): void {
  const copies = world.descriptors.files.all();
  const copy = copies[pick % copies.length];
  if (copy !== undefined) world.descriptors.files.share(copy);
}

export function closeCopies(world: World, { all, pick }: { readonly all: boolean; readonly pick: number }): void {
  const { files } = world.descriptors;
  const copies = files.all();
  const copy = copies[pick % copies.length];
  if (copy !== undefined) files.close(all ? files.of(copy.group) : [copy]);
}

/** An administrator's word closes nobody's copy. */
export async function forceReleasing(world: World, device: DeviceID): Promise<void> {
  const { descriptors, host } = world;
  const before = viewOf(world, device);
  const isHeld = descriptors.files.of(poolDevice(device).group).length > 0;
  let code = "done";
  try {
    await host.core.administration.forceRelease(device, "wanted elsewhere");
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    code = error.code;
  }
  const after = viewOf(world, device);
  const isSteady = after !== undefined && after.generation === before?.generation;
  if (isSteady && isHeld && !["device_releasing", "backend_failed", "call_over"].includes(code)) {
    descriptors.wrong.push(`force of ${device}, which is withheld: ${code}`);
  }
  world.reached.add(`force of a withheld device: ${code}`);
}

/** A call on a device whose stage does not change while it runs: refused by the state it is in. */
export async function requireRefusal(
  world: World,
  about: { readonly client: Client; readonly id: DeviceID; readonly kind: string },
  call: () => Promise<void>,
): Promise<void> {
  const before = viewOf(world, about.id);
  let refusal: BrokerError | undefined;
  try {
    await call();
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    refusal = error;
  }
  const after = viewOf(world, about.id);
  const expected = before?.generation === after?.generation ? refusalOf(before, about) : undefined;
  const code = refusal?.code ?? "done";
  if (expected !== undefined && code !== expected && !EXCUSES.has(code)) {
    world.descriptors.wrong.push(`${about.kind} of ${about.id}, which is ${before?.state}: ${code}, not ${expected}`);
  }
  if (expected !== undefined && code === expected) world.reached.add(`refused ${code}`);
  if (refusal !== undefined) throw refusal;
}

function refusalOf(
  view: DeviceView | undefined,
  { client, kind }: { readonly client: Client; readonly kind: string },
): string | undefined {
  if (view?.state === "releasing" && (kind === "attach" || kind === "vend")) return "device_releasing";
  const isHolders = view?.state === "vended" && view.owner?.id === client.session;
  return isHolders && ["attach", "bind", "unbind", "reset", "handOut"].includes(kind) ? "vended" : undefined;
}

function viewOf(world: World, device: DeviceID): DeviceView | undefined {
  return world.devices().find(({ id }) => id === device);
}

function holderOf(world: World, session: string): ProcessCaller | undefined {
  const caller = world.host.core.administration.ownerOf(session)?.caller;
  return caller?.kind === "process" ? caller : undefined;
}
