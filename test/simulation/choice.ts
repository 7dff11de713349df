// Which device a command is about, where a script only has a number.

import type { DeviceID } from "../../src/backends/ids.ts";
import type { DeviceView } from "../../src/server/core/views.ts";
import type { Client } from "./client.ts";
import { POOL } from "./pool.ts";
import type { World } from "./world.ts";

/** Mostly one that a command of this kind is about, so that scripts get somewhere; sometimes any. */
export function chosen(world: World, client: Client, command: { kind: string; device: number }): DeviceID {
  const any = POOL[command.device]!.id;
  if (command.kind === "attach" || command.device === POOL.length - 1) return any;
  const wanted = wantedFor(world, client, command.kind);
  return wanted[command.device % wanted.length]?.id ?? any;
}

function wantedFor(world: World, client: Client, kind: string): readonly DeviceView[] {
  if (kind === "wait") return wantedBesides(world, client);
  return kind === "vend" ? vendable(world, client) : ownedBy(world, client);
}

/** Nobody's and alone in their groups, or not to be had for a copy, or vended already. */
function vendable(world: World, { session }: Client): readonly DeviceView[] {
  return world.devices().filter(({ groupDevices, owner, state }) => {
    if (groupDevices.length > 1) return false;
    return owner === undefined ? state !== "quarantined" : state === "vended" && owner.id === session;
  });
}

function ownedBy(world: World, { session }: Client): readonly DeviceView[] {
  return world.devices().filter(({ attached, owner }) => attached && owner?.id === session);
}

/** Others' devices, and what others' copies withhold: one or two of those for which the most wait already. */
function wantedBesides(world: World, { session }: Client): readonly DeviceView[] {
  return world
    .devices()
    .filter(({ owner, state }) => (owner === undefined ? state === "releasing" : owner.id !== session))
    .sort((a, b) => b.waiters - a.waiters)
    .slice(0, 2);
}
