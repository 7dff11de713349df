// Does one command of a script in the world. A refusal is an answer; what the command's success means is noted in the books.

import { expect } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import { type DeviceID, virtualStreamID } from "../../src/backends/ids.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE } from "../../src/backends/vste.ts";
import { chosen } from "./choice.ts";
import type { Client } from "./client.ts";
import { claim, dma, remap, resume, wait } from "./client-calls.ts";
import type { Command } from "./commands.ts";
import {
  closeCopies,
  forceReleasing,
  handOut,
  redeemAny,
  requireRefusal,
  shareCopy,
  vend,
} from "./descriptor-calls.ts";
import { PAGES, POOL, policyOf } from "./pool.ts";
import { answered, type World } from "./world.ts";

// V=1, Config 0b101, the CD at a page of memory which holds no CD: C_BAD_CD (IHI 0070 §5.2).
const VSTES = {
  abort: ABORT_VSTE,
  bypass: BYPASS_VSTE,
  translate: checkVSTE(0x4000_000bn, 0xd4n),
  elsewhere: checkVSTE(0x4000_100bn, 0xd4n),
} as const;

type WorldKind =
  | "open"
  | "crash"
  | "advance"
  | "jump"
  | "reap"
  | "die"
  | "fail"
  | "policy"
  | "revoke"
  | "force"
  | "wear"
  | "unquarantine"
  | "cancel"
  | "rush"
  | "share"
  | "closeCopies";
type WorldCommand = Extract<Command, { kind: WorldKind }>;
type ClientCommand = Exclude<Command, { kind: WorldKind }>;

export async function perform(world: World, command: Command): Promise<void> {
  switch (command.kind) {
    case "open":
    case "crash":
    case "advance":
    case "jump":
    case "reap":
    case "die":
    case "fail":
    case "policy":
    case "revoke":
    case "force":
    case "wear":
    case "unquarantine":
    case "cancel":
    case "rush":
    case "share":
    case "closeCopies":
      await performOnWorld(world, command);
      return;
    default: {
      const client = world.clients[command.slot];
      if (client) await answered(() => act(world, client, command));
    }
  }
}

async function performOnWorld(world: World, command: WorldCommand): Promise<void> {
  const { clock, core } = world.host;
  switch (command.kind) {
    case "open":
      await answered(() => world.open(command.slot, command));
      return;
    case "crash":
      world.crash(command.slot);
      return;
    case "advance":
      clock.advance(command.ms);
      return;
    case "jump": // over every lease there is
      clock.advance(100_000);
      return;
    case "reap":
      world.descriptors.looks();
      world.descriptors.office.expire();
      await core.reapExpired();
      return;
    case "die":
      for (let turn = 0; turn < command.turns; turn += 1) await Promise.resolve();
      if (command.turns > 15) await new Promise((resolve) => setImmediate(resolve));
      world.die(command.part, command.tail);
      return;
    case "fail":
      world.hardware.failures.clear();
      world.hardware.failures.fail(command.verb);
      world.descriptors.mayFail();
      return;
    case "policy": {
      const before = core.image();
      world.standings = command.standings;
      world.witness.requests.hasNewPolicy = true;
      core.permissions.replace(policyOf(command.standings));
      expect(core.image()).toEqual(before); // nobody is dropped
      return;
    }
    case "wear":
      world.hardware.wear.set(POOL[command.device]!.id, command.reset);
      return;
    case "cancel": {
      const [oldest] = world.waits.of(command.slot);
      oldest?.gate.end(new BrokerError("call_over", "its client called it off"));
      return;
    }
    case "rush":
      await rush(world, command.device);
      return;
    case "share":
      shareCopy(world, command.pick);
      return;
    case "closeCopies":
      closeCopies(world, command);
      return;
    default:
      await answered(() => administrate(world, command));
  }
}

/** The owner of a device that somebody waits for lets it go, and all others want it at once and do not wait. */
async function rush(world: World, index: number): Promise<void> {
  const wanted = world
    .devices()
    .filter(({ attached, owner, waiters }) => attached && owner !== undefined && waiters > 0);
  const device = wanted[index % wanted.length];
  if (device === undefined) return;
  const at = { device: device.id, expectedGeneration: undefined };
  const { stages } = world.host.core;
  const calls = world.clients.map((client) =>
    answered(async () => {
      if (client === undefined) return;
      const { session, virtualIommu } = client;
      if (session === device.owner?.id) await stages.detach(session, at);
      else await stages.attach(session, { ...at, virtualIommu, initial: "abort" });
    }),
  );
  await Promise.all(calls);
}

/** Every other time of one that is withheld, if there is any. */
async function force(world: World, index: number): Promise<void> {
  const withheld = world.devices().filter(({ state }) => state === "releasing");
  const device = index % 2 === 0 ? withheld[index % withheld.length] : undefined;
  if (device !== undefined) {
    await forceReleasing(world, device.id);
    return;
  }
  const { group, id } = POOL[index]!;
  world.witness.requests.forced.add(group);
  await world.host.core.administration.forceRelease(id, "wanted elsewhere");
}

async function administrate(
  world: World,
  command: Extract<WorldCommand, { kind: "revoke" | "force" | "unquarantine" }>,
): Promise<void> {
  const { administration, devices } = world.host.core;
  const { requests } = world.witness;
  if (command.kind === "revoke") {
    const client = world.clients[command.slot];
    if (client === undefined) return;
    requests.revoked.add(client.session);
    world.crash(client.slot);
    await administration.revoke(client.session, "no longer wanted");
  } else {
    const { group, id } = POOL[command.device]!;
    if (command.kind === "force") await force(world, command.device);
    else {
      if (hasAbsentReset(world, group)) requests.vouched.add(group);
      await devices.unquarantine(id);
    }
  }
  await world.durable();
}

function hasAbsentReset(world: World, group: number): boolean {
  return POOL.some((device) => device.group === group && world.hardware.wear.get(device.id) === "absent");
}

async function act(world: World, client: Client, command: ClientCommand): Promise<void> {
  if ("device" in command) {
    const id = chosen(world, client, command);
    await requireRefusal(world, { client, id, kind: command.kind }, () => ask(world, client, command, id));
  } else await ask(world, client, command, POOL[0]!.id);
  await world.durable();
}

async function ask(world: World, client: Client, command: ClientCommand, id: DeviceID): Promise<void> {
  const { sessions, simulator, stages, virtualIommus } = world.host.core;
  const { session, virtualIommu } = client;
  const at = { device: id, expectedGeneration: undefined };
  switch (command.kind) {
    case "close":
      world.witness.requests.closed.add(session);
      world.forget(client.slot);
      await sessions.close(session);
      return;
    case "renew":
      sessions.renew(session);
      world.witness.renewed(session);
      return;
    case "resume":
      await resume(world, client);
      return;
    case "claim":
      await claim(world, client, command.by);
      return;
    case "map":
    case "unmap":
      await remap(world, client, command);
      return;
    case "attach":
      await stages.attach(session, { ...at, virtualIommu, initial: command.stage });
      return;
    case "wait":
      wait(world, client, id, command);
      return;
    case "detach":
      world.descriptors.doubt(({ device }) => device === id);
      await stages.detach(session, at);
      return;
    case "handOut":
      await handOut(world, client, id, command.fetches);
      return;
    case "vend":
      await vend(world, client, id, command.fetches);
      return;
    case "redeem":
      redeemAny(world, client, command.pick);
      return;
    case "reset":
      await stages.reset(session, at);
      return;
    case "bind": {
      const name = command.name === undefined ? undefined : virtualStreamID(command.name);
      await stages.bind(session, { ...at, virtualStreamID: name, validateOnly: false, vste: VSTES[command.to] });
      return;
    }
    case "unbind":
      await stages.unbind(session, at);
      return;
    case "plug":
      simulator!.addDevice(session, POOL[command.device]!);
      return;
    case "unplug":
      world.witness.requests.unplugged.add(id);
      world.descriptors.doubt(({ device }) => device === id);
      await simulator!.removeDevice(session, id);
      return;
    case "mode":
      await virtualIommus.setMode(session, virtualIommu, command.stage);
      return;
    case "invalidate":
      await virtualIommus.invalidate(session, virtualIommu, [{ dword0: 0x30n, dword1: 0n }]);
      return;
    case "dma":
      await dma(world, client, id, command.pages);
      return;
    case "dmaBeside": {
      const pages = Array.from({ length: 300 }, (_, index) => index % PAGES);
      world.beside(() => dma(world, client, id, pages));
      return;
    }
    case "drain":
      await world.faults.drain(session);
  }
}
