// What recovery left out or gave up, as records: the journal must say so too, or the next restart would bring back a session
// that was given up, perhaps beside whoever got its devices meanwhile.

import { type DurableRecord, deviceRecord, groupRecord } from "./durable.ts";
import type { DurableState } from "./durable-state.ts";
import type { Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";

/** Records that lead from the state that was read to the one that was restored. */
export function givenUpRecords(state: DurableState, registry: Registry, sessions: Sessions): readonly DurableRecord[] {
  const records: DurableRecord[] = [];
  for (const id of state.sessions.keys()) {
    if (sessions.view(id) === undefined) records.push({ type: "sessionGone", id });
  }
  for (const id of state.virtualIommus.keys()) {
    if (!registry.hasVirtualIommu(id)) records.push({ type: "virtualIommuGone", id });
  }
  for (const id of new Set([...state.addressSpaces.keys(), ...state.mappings.keys()])) {
    if (!registry.hasAddressSpace(id)) records.push({ type: "addressSpaceGone", id });
  }
  for (const group of registry.groups()) {
    const before = state.groups.get(group.id);
    if (before === undefined || before.owner === (group.owner ?? null)) continue;
    records.push(groupRecord(group), ...group.devices.map((id) => deviceRecord(registry.device(id))));
  }
  return records;
}
