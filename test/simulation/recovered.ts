// What a broker has after a restart, against what its journal says: the same records, but for sessions that had ended.

import { expect } from "vitest";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import { type DurableState, foldRecords } from "../../src/server/core/durable-state.ts";

/** @param mayGiveUp  the backend was told to fail once, so one session may be gone as a whole, or one group from it */
export function checkRecovered(
  records: readonly DurableRecord[],
  image: readonly DurableRecord[],
  mayGiveUp: boolean,
): void {
  const [before, after] = [foldRecords(records), foldRecords(image)];
  const kept = new Set(after.sessions.keys());
  const missing = [...before.sessions.keys()].filter((id) => !kept.has(id));
  expect(missing.length).toBeLessThanOrEqual(mayGiveUp ? 1 : 0);
  const isKept = ({ session }: { readonly session: string }): boolean => kept.has(session);
  const only = <V extends { readonly session: string }>(all: ReadonlyMap<string, V>) =>
    sorted([...all].filter(([, value]) => isKept(value)));
  expect(sorted(after.sessions)).toEqual(sorted([...before.sessions].filter(([id]) => kept.has(id))));
  expect(sorted(after.addressSpaces)).toEqual(only(before.addressSpaces));
  expect(sorted(after.virtualIommus)).toEqual(only(before.virtualIommus));
  for (const [id, space] of before.addressSpaces) {
    if (isKept(space)) expect([id, tableOf(after, id)]).toEqual([id, tableOf(before, id)]);
  }
  for (const [id, group] of before.groups) {
    const isOwned = group.owner !== null && kept.has(group.owner);
    const nobodys = { id, owner: null, virtualIommu: null, vste: null };
    const isOut = group.handedOut === true; // to be had by nobody until its copies are seen to be closed
    const released = isOut
      ? { ...nobodys, state: "releasing", handedOut: true }
      : { ...nobodys, state: "default-domain" };
    const generation = group.generation + (group.owner === null ? 0 : 1);
    const found = after.groups.get(id);
    // An attach that fails while copies are open: held by others, as far as the broker can know.
    const isHeld = isOwned && isOut && mayGiveUp && found?.owner === null;
    if (isOwned && !isHeld) expect(found).toEqual(group);
    else if (found !== undefined && group.state === "quarantined") expect(found).toEqual(group);
    else if (found !== undefined) expect(found).toEqual({ ...released, generation });
  }
  expect([...after.addedDevices.keys()].sort()).toEqual([...before.addedDevices.keys()].sort());
  expect([...after.removedDevices].sort()).toEqual([...before.removedDevices].sort());
}

/** All that the broker which died had was on the disk: nothing is there that was not, and nothing is not that was. */
export function checkSettled(before: readonly DurableRecord[], after: readonly DurableRecord[]): void {
  checkRecovered(before, after, false);
  const known = foldRecords(before).groups;
  const unknown = [...foldRecords(after).groups.values()].filter(({ id }) => !known.has(id));
  expect(unknown).toEqual([]);
}

function tableOf(state: DurableState, id: string): unknown {
  return sorted(state.mappings.get(id) ?? []);
}

function sorted<K, V>(entries: Iterable<readonly [K, V]>): (readonly [K, V])[] {
  return [...entries].sort(([a], [b]) => String(a).localeCompare(String(b)));
}
