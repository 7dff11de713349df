// What the broker holds, counted when a scrape asks.
// A client is counted under the name of the policy rule that lets it attach devices: an operator wrote those names and knows
// how many there are; identities, pids and sessions are not bounded by anybody.

import type { FaultDiagnoser } from "./fault-diagnoser.ts";
import type { FaultRouter } from "./fault-router.ts";
import type { InventoryWatch } from "./inventory-watch.ts";
import { mappedBytesOf } from "./mapping-table.ts";
import type { Permissions } from "./permissions.ts";
import type { Registry } from "./registry.ts";
import { SESSION_STATES, type SessionState } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import type { Census, ClientCensus } from "./views.ts";
import type { WorkQueues } from "./work-queues.ts";

export interface CensusSources {
  readonly diagnoser: FaultDiagnoser;
  readonly faults: FaultRouter;
  readonly permissions: Permissions;
  readonly queues: WorkQueues;
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly watch: InventoryWatch;
  /** Calls that stand in line for a device. */
  waiting(): number;
}

export function takeCensus(from: CensusSources): Census {
  const { diagnoser, faults, queues, registry, sessions, watch } = from;
  const spaces = registry.addressSpaces().map(({ populated, session, table }) => {
    const pinned = populated ? mappedBytesOf(table.filter(({ file }) => file.isMissing !== true)) : 0;
    return { session, bytes: mappedBytesOf(table), pinned };
  });
  return {
    sessions: sessions.count(),
    sessionStates: sessions.states(),
    leases: leasesOf(sessions),
    addressSpaces: spaces.length,
    virtualIommus: registry.virtualIommus().length,
    mappedBytes: spaces.reduce((sum, { bytes }) => sum + bytes, 0),
    pinnedBytes: spaces.reduce((sum, { pinned }) => sum + pinned, 0),
    devices: registry.devices().map((device) => {
      const group = registry.group(device.host.group);
      const { id, iommu } = device.host;
      return { id, iommu, state: group.state, generation: group.generation, attached: device.attached };
    }),
    clients: clientsOf(from, spaces),
    faults: { ...faults.census(), diagnoses: { ...diagnoser.counts } },
    waiters: from.waiting(),
    queueDepth: queues.depth(),
    watches: watch.census(),
  };
}

function leasesOf(sessions: Sessions): Record<SessionState, number> {
  const count = (state: SessionState): number =>
    sessions.present().filter((session) => session.liveness === "ttl" && session.state === state).length;
  const [live, restored, lost] = SESSION_STATES;
  return { [live]: count(live), [restored]: count(restored), [lost]: count(lost) };
}

function clientsOf(
  { permissions, registry, sessions }: CensusSources,
  spaces: readonly { readonly session: string; readonly bytes: number }[],
): readonly ClientCensus[] {
  const clients = new Map<string, { -readonly [Key in keyof ClientCensus]: ClientCensus[Key] }>();
  const bySession = new Map<string, ClientCensus["name"]>();
  const of = (name: string) => {
    const known = clients.get(name) ?? { name, sessions: 0, devices: 0, mappedBytes: 0 };
    clients.set(name, known);
    return known;
  };
  for (const { caller, id } of sessions.held()) {
    const name = permissions.clientName(caller);
    bySession.set(id, name);
    of(name).sessions += 1;
  }
  for (const { attached, host } of registry.devices()) {
    const name = attached ? bySession.get(registry.group(host.group).owner ?? "") : undefined;
    if (name !== undefined) of(name).devices += 1;
  }
  for (const { bytes, session } of spaces) {
    const name = bySession.get(session);
    if (name !== undefined) of(name).mappedBytes += bytes;
  }
  return [...clients.values()];
}
