// Gives back what an ended session held, failing closed: stage 1 to abort first, then the host's default domain, then
// virtual IOMMUs and address spaces. A step that fails leaves the group with its dead owner, so nobody else gets a
// device in an unknown state, and is tried again at the next tick.

import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID, GroupID } from "../../backends/ids.ts";
import type { AddressSpaces } from "./address-space.ts";
import type { Arbiter, ArbiterDeps } from "./arbiter.ts";
import type { GroupRecord } from "./group.ts";
import type { SessionRecord } from "./session.ts";
import type { EndReason } from "./session-errors.ts";
import type { VirtualIommus } from "./virtual-iommu.ts";

export interface ReaperDeps extends ArbiterDeps {
  readonly arbiter: Arbiter;
  readonly virtualIommus: VirtualIommus;
  readonly spaces: AddressSpaces;
}

export class Reaper {
  readonly #deps: ReaperDeps;
  readonly #running = new Map<string, Promise<void>>();
  readonly #aborting = new Map<string, Promise<void>>();

  constructor(deps: ReaperDeps) {
    this.#deps = deps;
    deps.sessions.onLost((session) => this.#afterLoss(session));
  }

  /** Loses sessions that have lapsed, ends lost ones whose grace is over, and tries again what failed earlier. */
  async reapLapsed(): Promise<void> {
    const { sessions } = this.#deps;
    for (const { id, state, reason } of sessions.lapsed()) {
      if (state === "lost") this.#end(id, reason);
      else sessions.lose(id, reason);
    }
    await Promise.all([
      ...sessions.lost().map((id) => this.#abort(id)),
      ...sessions.ending().map((id) => this.#giveBack(id)),
    ]);
  }

  /** Ends one session at its own wish, or an operator's. Resolves when all it held is given back. */
  async close(session: string, reason: EndReason = "closed"): Promise<void> {
    this.#end(session, reason);
    if (this.#deps.sessions.ending().includes(session)) await this.#giveBack(session);
  }

  /** Resolves when a loss of this session has no more work under way: what it holds can be told. */
  async settled(session: string): Promise<void> {
    await this.#aborting.get(session);
  }

  /** At once, not at the next tick. What fails is told by events and tried again. */
  #afterLoss({ id, graceMs, lossReason }: SessionRecord): void {
    if (graceMs > 0 || lossReason === undefined) {
      void this.#abort(id);
      return;
    }
    this.#end(id, lossReason);
    void this.#giveBack(id);
  }

  #abort(session: string): Promise<void> {
    return once(this.#aborting, session, () => this.#abortAll(session));
  }

  /** An attach that was under way brings a group more: whoever waits in a virtual IOMMU's queue after it sees that. */
  async #abortAll(session: string): Promise<void> {
    const { events, queues, registry } = this.#deps;
    const done = await this.#abortGroups(session, new Set());
    for (const { id } of registry.virtualIommusOf(session)) {
      try {
        await queues.run([{ kind: "virtual-iommu", id }], async () => {});
      } catch (error) {
        events.emit({ type: "reapFailed", session, subject: `virtualIommu/${id}`, error });
      }
    }
    await this.#abortGroups(session, done);
  }

  /** Gives the groups it met, which it tried once. */
  async #abortGroups(session: string, except: ReadonlySet<GroupID>): Promise<ReadonlySet<GroupID>> {
    const { events, registry } = this.#deps;
    const groups = registry.groupsOwnedBy(session).filter(({ id }) => !except.has(id));
    for (const group of groups) {
      try {
        await this.#abortGroup(group, session);
      } catch (error) {
        events.emit({ type: "reapFailed", session, subject: `group/${group.id}`, error });
      }
    }
    return new Set(groups.map(({ id }) => id));
  }

  async #abortGroup(found: GroupRecord, session: string): Promise<void> {
    const { arbiter, queues, registry, sessions } = this.#deps;
    await queues.run([{ kind: "group", id: found.id }], async () => {
      const group = registry.groups().find((one) => one.id === found.id);
      if (group?.owner !== session) return;
      if (!sessions.isLost(session)) return; // resumed while this waited
      const aborted = await arbiter.abort(group, session);
      if (aborted === group) return;
      const { id, generation } = aborted;
      sessions.noteAborted(session, { group: id, generation });
    });
  }

  #end(session: string, reason: EndReason): void {
    if (this.#deps.sessions.end(session, reason)) this.#deps.faults.endSession(session);
  }

  /** One run at a time for each session; a second caller waits for the first. */
  #giveBack(session: string): Promise<void> {
    return once(this.#running, session, () => this.#giveBackAll(session));
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
    // Who holds a descriptor could attach its device again to what is still there: there shall be no memory in it.
    const mayBeHeld = registry.groups().some(({ state }) => state === "releasing");
    for (const space of mayBeHeld ? registry.addressSpacesOf(session) : []) {
      await attempt(`addressSpace/${space.id}`, () => this.#empty(space.id, session));
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
      const group = registry.findGroup(found.id);
      if (group?.owner !== session) return;
      await arbiter.release(await arbiter.abort(group, session), session);
    });
  }

  async #empty(id: string, session: string): Promise<void> {
    const { queues, registry, spaces } = this.#deps;
    await queues.run([{ kind: "address-space", id }], async () => {
      if (registry.hasAddressSpace(id)) await spaces.empty(registry.addressSpace(id, session));
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

/** The run that is under way for a session, or a new one. */
function once(running: Map<string, Promise<void>>, session: string, start: () => Promise<void>): Promise<void> {
  const earlier = running.get(session);
  if (earlier) return earlier;
  const run = start().finally(() => running.delete(session));
  running.set(session, run);
  return run;
}

/** What must go first could not be given back; the next tick tries again. */
function stillUsed(id: string, users: string): BrokerError {
  return new BrokerError("in_use", `${id} is still used by ${users}`, { id, users });
}
