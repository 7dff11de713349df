// What an administrator may do to others' sessions and devices. The edge has made sure that it is one.
// A device that is taken away passes the same way as one whose owner died: stage 1 to abort, then the host's domain.

import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { AdminVerbs, HeldSession } from "./admin-verbs.ts";
import { stillHeld } from "./admission.ts";
import type { Arbiter, ArbiterDeps } from "./arbiter.ts";
import { mappedBytesOf } from "./mapping-table.ts";
import type { SessionRecord } from "./session.ts";
import type { DeviceView } from "./views.ts";

export interface AdministrationDeps extends ArbiterDeps {
  readonly arbiter: Arbiter;
  /** False: there is no such session. */
  revoke(session: string, reason: string): Promise<boolean>;
}

export class Administration implements AdminVerbs {
  readonly #deps: AdministrationDeps;

  constructor(deps: AdministrationDeps) {
    this.#deps = deps;
  }

  sessions(): readonly HeldSession[] {
    const { sessions } = this.#deps;
    const ending = new Set(sessions.ending());
    return [...sessions.held()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((session) => this.#view(session, ending.has(session.id)));
  }

  ownerOf(session: string): SessionRecord | undefined {
    return this.#deps.sessions.find(session);
  }

  async revoke(session: string, reason: string): Promise<void> {
    if (await this.#deps.revoke(session, reason)) return;
    throw new BrokerError("session_unknown", `no session ${session}: it has ended, or never was`, { session });
  }

  async forceRelease(device: DeviceID, reason: string): Promise<DeviceView> {
    const { arbiter, backend, events, queues, registry, sessions } = this.#deps;
    await queues.run([{ kind: "group", id: registry.device(device).host.group }], async () => {
      const group = registry.groupOf(device);
      const { owner } = group;
      if (group.state === "releasing") {
        const { state } = await arbiter.free(group);
        if (state === "releasing") throw stillHeld(backend, group, registry.device(device));
        return;
      }
      if (owner === undefined) throw nobodys(device);
      await arbiter.release(await arbiter.abort(group, owner), owner);
      for (const id of group.devices) {
        events.emit({ type: "deviceForced", device: id, session: owner, reason });
        sessions.notifyDeviceRemoved(owner, id);
      }
    });
    return arbiter.view(device);
  }

  #view(session: SessionRecord, isEnding: boolean): HeldSession {
    const { registry, sessions } = this.#deps;
    const { id, caller } = session;
    const spaces = registry.addressSpacesOf(id);
    return Object.freeze({
      ...sessions.view(id)!,
      caller,
      isEnding,
      remainingMs: sessions.remaining(id),
      devices: registry.groupsOwnedBy(id).flatMap((group) => group.devices),
      mappedBytes: spaces.reduce((sum, space) => sum + mappedBytesOf(space.table), 0),
    });
  }
}

function nobodys(device: DeviceID): BrokerError {
  return new BrokerError("not_owner", `device ${device} has no owner: there is nothing to release`, { device });
}
