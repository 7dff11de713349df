// Keeps the records in step with devices that appear and disappear by themselves, as natively they do: in the turn of their
// group, so that no verb finds a device gone that it began with. One that disappears is nobody's before its record goes, and
// the backend has let go of it; one that appears gets what its group has. What fails is told and tried again at the next tick.

import type { DeviceID } from "../../backends/ids.ts";
import type { InventoryChange } from "../../backends/inventory.ts";
import type { Arbiter, ArbiterDeps } from "./arbiter.ts";
import { newDevice } from "./device.ts";
import type { GroupRecord } from "./group.ts";

export interface InventoryChangesDeps extends ArbiterDeps {
  readonly arbiter: Arbiter;
}

export class InventoryChanges {
  readonly #deps: InventoryChangesDeps;
  /** What is still to be taken over, for each device in order: what came and went meanwhile is left out. */
  readonly #waiting = new Map<DeviceID, InventoryChange[]>();
  readonly #running = new Set<DeviceID>();

  constructor(deps: InventoryChangesDeps) {
    this.#deps = deps;
    deps.backend.inventory.onChange((change) => this.#follow(change));
  }

  /** What failed earlier: the daemon's tick. */
  async retry(): Promise<void> {
    await Promise.all([...this.#waiting.keys()].map((id) => this.#work(id)));
  }

  #follow(change: InventoryChange): void {
    const { id } = change.device;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined && this.#isOwnTurn(change)) {
      this.#takeOver(change, undefined);
      return;
    }
    const begun = this.#running.has(id) ? 1 : 0;
    const isOver = change.kind === "removed" && waiting?.at(-1)?.kind === "added" && waiting.length > begun;
    if (isOver) waiting.pop();
    else this.#waiting.set(id, [...(waiting ?? []), change]);
    void this.#work(id);
  }

  /** Where a call of core brought it about, which holds the group's queue, and where nobody has the group or wants it. */
  #isOwnTurn({ device: { group } }: InventoryChange): boolean {
    const { backend, queues, registry } = this.#deps;
    if (backend.forget === undefined) return true;
    const state = registry.findGroup(group)?.state ?? "default-domain";
    return state === "default-domain" && !queues.isHeld({ kind: "group", id: group });
  }

  /** Settles whatever happens: nobody waits for it. */
  async #work(id: DeviceID): Promise<void> {
    if (this.#running.has(id)) return;
    this.#running.add(id);
    const { events, queues } = this.#deps;
    try {
      for (let change = this.#next(id); change !== undefined; change = this.#next(id)) {
        const { device, kind } = change;
        await queues.run([{ kind: "group", id: device.group }], async () => {
          if (kind === "added") await this.#join(change);
          else await this.#leave(change);
        });
        this.#waiting.get(id)?.shift();
      }
    } catch (error) {
      events.emit({ type: "reapFailed", session: undefined, subject: `device/${id}`, error });
    } finally {
      this.#running.delete(id);
    }
  }

  #next(id: DeviceID): InventoryChange | undefined {
    const first = this.#waiting.get(id)?.[0];
    if (first === undefined) this.#waiting.delete(id);
    return first;
  }

  async #join(change: InventoryChange): Promise<void> {
    await this.#deps.backend.join?.(change.device);
    this.#takeOver(change, undefined);
  }

  async #leave(change: InventoryChange): Promise<void> {
    const { backend, events, registry } = this.#deps;
    const group = registry.groupOf(change.device.id);
    try {
      await this.#giveBack(group, change.device.id);
    } catch (error) {
      events.emit({ type: "reapFailed", session: group.owner, subject: `group/${group.id}`, error });
    }
    await backend.forget?.(change.device);
    this.#takeOver(change, group.owner);
  }

  /** Its siblings stay their owner's if it has attached one of them. */
  async #giveBack(group: GroupRecord, leaving: DeviceID): Promise<void> {
    const { arbiter, registry } = this.#deps;
    const isUsed = group.devices.some((id) => id !== leaving && registry.device(id).attached);
    if (group.owner !== undefined && !isUsed) await arbiter.release(group, group.owner, leaving);
  }

  /** @param owner  who had the device until now */
  #takeOver({ device, kind }: InventoryChange, owner: string | undefined): void {
    const { events, faults, ports, registry, sessions } = this.#deps;
    const { id } = device;
    if (kind === "added") {
      registry.plugDevice(newDevice(device));
      events.emit({ type: "deviceAdded", device: id });
      return;
    }
    const session = owner ?? registry.groupOf(id).owner;
    ports.deviceTickets.void(id);
    registry.removeDevice(id);
    faults.remove(id);
    if (session !== undefined) sessions.notifyDeviceRemoved(session, id);
    events.emit({ type: "deviceRemoved", device: id, session });
  }
}
