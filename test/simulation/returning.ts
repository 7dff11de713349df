// What a client finds of its own when the broker is back: its session under exactly one of its tokens, and the pages that
// were answered as mapped, no others.

import { expect } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import { foldRecords } from "../../src/server/core/durable-state.ts";
import type { Client } from "./client.ts";
import { FIRST_IPA, PAGE_BYTES, PAGES } from "./pool.ts";
import type { World } from "./world.ts";

export function comeBack(world: World, client: Client, records: readonly DurableRecord[]): void {
  const { core } = world.host;
  const { mappings } = foldRecords(records);
  const state = core.administration.sessions().find(({ id }) => id === client.session)?.state;
  if (state === undefined) {
    world.crash(client.slot); // had ended, or was given up
    return;
  }
  if (state !== "lost") recognise(world, client);
  const found = new Set(
    [...(mappings.get(client.addressSpace)?.keys() ?? [])].map((ipa) => (ipa - FIRST_IPA) / PAGE_BYTES),
  );
  for (let page = 0; page < PAGES; page += 1) {
    if (client.inDoubt.has(page)) continue;
    expect([client.slot, page, found.has(page)]).toEqual([client.slot, page, client.mapped.has(page)]);
  }
  client.inDoubt.clear();
  client.mapped.clear();
  for (const page of found) client.mapped.add(page);
  world.faults.subscribe(core, client.session);
}

/** Exactly one of its tokens is good. */
function recognise(world: World, client: Client): void {
  const good = client.credentials.filter(({ caller, token }) => {
    try {
      return world.host.core.sessions.authenticate(token, caller) === client.session;
    } catch (error) {
      if (error instanceof BrokerError) return false;
      throw error;
    }
  });
  expect([client.slot, good.length]).toEqual([client.slot, 1]);
  client.credentials = good;
}
