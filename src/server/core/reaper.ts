// Gives back what an ended session held, failing closed: stage 1 to abort first, then the host's default domain, then
// virtual IOMMUs and address spaces. A step that fails leaves the group with its dead owner, so nobody else gets a
// device in an unknown state, and is tried again at the next tick.

import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { AddressSpaces } from "./address-space.ts";
import type { Arbiter, ArbiterDeps } from "./arbiter.ts";
import type { GroupRecord } from "./group.ts";
import type { EndReason } from "./sessions.ts";
import type { VirtualIommus } from "./virtual-iommu.ts";

export interface ReaperDeps extends ArbiterDeps {
  readonly arbiter: Arbiter;
  readonly virtualIommus: VirtualIommus;
  readonly spaces: AddressSpaces;
}

export class Reaper {
  readonly #deps: ReaperDeps;
  readonly #running = new Map<string, Promise<void>>();

  constructor(deps: ReaperDeps) {
    this.#deps = deps;
  }

  /** Ends lapsed sessions and gives back what they and earlier failures held. */
  async reapLapsed(): Promise<void> {
    const { sessions } = this.#deps;
    for (const id of sessions.lapsed()) this.#end(id, "lease_expired");
    await Promise.all(sessions.ending().map((id) => this.#giveBack(id)));
  }

  /** Ends one session, at its own wish or an administrator's. Resolves when all it held is given back. */
  async close(session: string, reason: "closed" | "revoked" = "closed"): Promise<void> {
    this.#end(session, reason);
    if (this.#deps.sessions.ending().includes(session)) await this.#giveBack(session);
  }

  #end(session: string, reason: EndReason): void {
    if (this.#deps.sessions.end(session, reason)) this.#deps.faults.endSession(session);
  }

  /** One run at a time for each session; a second caller waits for the first. */
  #giveBack(session: string): Promise<void> {
    const running = this.#running.get(session);
    if (running) return running;
    const run = this.#giveBackAll(session).finally(() => this.#running.delete(session));
    this.#running.set(session, run);
    return run;
  }

  async #giveBackAll(session: string): Promise<void> {
    const { events, registry, sessions } = this.#deps;
    let devices = 0;
    let failed = false;
    const attempt = async (subject: string, act: () => Promise<void>): Promise<void> => {
      try {
        await act();
      } catch (error) {
        failed = true;
        events.emit({ type: "reapFailed", session, subject, error });
      }
    };
    for (const group of registry.groupsOwnedBy(session)) {
      devices += group.devices.length;
      await attempt(`group/${group.id}`, () => this.#giveBackGroup(group, session));
    }
    for (const virtual of registry.virtualIommusOf(session)) {
      await attempt(`virtualIommu/${virtual.id}`, () => this.#giveBackVirtualIommu(virtual.id, session));
    }
    for (const space of registry.addressSpacesOf(session)) {
      await attempt(`addressSpace/${space.id}`, () => this.#giveBackSpace(space.id, session));
    }
    if (failed) return;
    sessions.forget(session);
    events.emit({ type: "reaped", session, devices });
  }

  async #giveBackGroup(found: GroupRecord, session: string): Promise<void> {
    const { arbiter, queues, registry } = this.#deps;
    await queues.run([{ kind: "group", id: found.id }], async () => {
      const group = registry.groups().find((one) => one.id === found.id);
      if (group?.owner !== session) return;
      const aborted =
        group.state === "guest-abort" ? group : await arbiter.setPlain(group, "ownerLost", "abort", session);
      await arbiter.release(aborted, session);
    });
  }

  async #giveBackVirtualIommu(id: string, session: string): Promise<void> {
    const { queues, registry, virtualIommus } = this.#deps;
    const { addressSpace } = registry.virtualIommu(id, session);
    const keys = [
      { kind: "address-space", id: addressSpace },
      { kind: "virtual-iommu", id },
    ] as const;
    await queues.run(keys, async () => {
      if (!registry.hasVirtualIommu(id)) return;
      const held: readonly DeviceID[] = registry.devicesOfVirtualIommu(id).map((device) => device.host.id);
      if (held.length > 0) throw stillUsed(id, held.join(", "));
      await virtualIommus.destroy(registry.virtualIommu(id, session));
    });
  }

  async #giveBackSpace(id: string, session: string): Promise<void> {
    const { queues, registry, spaces } = this.#deps;
    await queues.run([{ kind: "address-space", id }], async () => {
      if (!registry.hasAddressSpace(id)) return;
      const users = registry.virtualIommusIn(id).map((virtual) => virtual.id);
      if (users.length > 0) throw stillUsed(id, users.join(", "));
      await spaces.destroy(registry.addressSpace(id, session));
    });
  }
}

/** What must go first could not be given back; the next tick tries again. */
function stillUsed(id: string, users: string): BrokerError {
  return new BrokerError("in_use", `${id} is still used by ${users}`, { id, users });
}
