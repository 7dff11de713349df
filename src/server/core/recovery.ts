// After a restart: from what the records of before add up to (durable-state.ts) to the same records and the same hardware.
// Restoring goes session by session through the backend's own verbs; a session of which anything cannot be restored (its
// memory file is gone, its device is) is given up as a whole: its groups are in the host's default domain, where the
// restart found them, one generation later. A group whose node somebody kept open is lost to its session by itself.

import type { AddressSpaceHandle, Backend, PartHandle } from "../../backends/backend.ts";
import { BrokerError } from "../../backends/errors.ts";
import type { GuestMapping, GuestMemoryFile } from "../../backends/guest-memory.ts";
import { deviceID, type IommuID, iommuID, virtualStreamID } from "../../backends/ids.ts";
import { checkPageTable, requirePageTables } from "../../backends/page-table.ts";
import type { Answers } from "./answers.ts";
import { AwaitedMemory } from "./awaited-memory.ts";
import { uidOf } from "./caller.ts";
import { attachedDevice, detachedDevice, namedDevice } from "./device.ts";
import {
  type DurableAddressSpace,
  type DurableGroup,
  type DurableMapping,
  type DurableSession,
  type DurableVirtualIommu,
  pageTableOf,
  vsteOf,
} from "./durable.ts";
import type { DurableState } from "./durable-state.ts";
import type { FaultRouter } from "./fault-router.ts";
import type { GroupRecord } from "./group.ts";
import { attachUnlessHeld, type HeldGroup } from "./held-group.ts";
import type { Ports } from "./ports.ts";
import type { Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";
import { keepStallPromise } from "./stall-promise.ts";

export interface RecoveryDeps {
  readonly backend: Backend;
  readonly ports: Ports;
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly faults: FaultRouter;
  readonly answers: Answers;
}

/** What became of the sessions of before. */
export interface RecoveryReport {
  readonly restored: readonly DurableSession[];
  /** Of the sessions that were restored. */
  readonly held: readonly HeldGroup[];
  readonly givenUp: readonly { readonly session: DurableSession; readonly error: unknown }[];
}

/** Restores what can be; the inventory is as it was already. Nobody else uses core yet. */
export async function restoreSessions(state: DurableState, deps: RecoveryDeps): Promise<RecoveryReport> {
  const restored: DurableSession[] = [];
  const held: HeldGroup[] = [];
  const givenUp: { session: DurableSession; error: unknown }[] = [];
  for (const session of state.sessions.values()) {
    const restoring = new Restoring(session, state, deps);
    try {
      await restoring.run();
      deps.sessions.restore(session, state.absences.get(session.id) ?? 0);
      for (const answer of state.answers.get(session.id)?.values() ?? []) deps.answers.restore(answer);
      restored.push(session);
      held.push(...restoring.held);
    } catch (error) {
      await restoring.undo();
      givenUp.push({ session, error });
    }
  }
  const kept = new Set(restored.map(({ id }) => id));
  for (const group of state.groups.values()) {
    if (group.owner === null || !kept.has(group.owner)) await leaveReleased(group, deps);
  }
  return { restored, held, givenUp };
}

/**
 * A group that nobody owns now keeps counting: whoever lost it must not meet its generation again. One that could not be
 * reset stays out of everybody's reach, and one whose descriptors were handed out until they are seen to be closed.
 */
async function leaveReleased(durable: DurableGroup, { backend, registry }: RecoveryDeps): Promise<void> {
  const group = registry.findGroup(durable.id);
  if (group === undefined) return;
  const generation = durable.owner === null ? durable.generation : durable.generation + 1;
  const { handedOut = false, state } = durable;
  if (state === "quarantined") {
    await backend.block(group.id);
    registry.putGroup({ ...group, generation, state });
  } else if (handedOut) {
    await backend.recall(group.id);
    registry.putGroup({ ...group, generation, state: "releasing", handedOut });
  } else registry.putGroup({ ...group, generation });
}

/** One session on its way back. */
class Restoring {
  readonly #session: DurableSession;
  readonly #state: DurableState;
  readonly #deps: RecoveryDeps;
  readonly #spaces = new Map<string, AddressSpaceHandle>();
  readonly #undo: (() => Promise<void> | void)[] = [];
  readonly held: HeldGroup[] = [];

  constructor(session: DurableSession, state: DurableState, deps: RecoveryDeps) {
    this.#session = session;
    this.#state = state;
    this.#deps = deps;
  }

  async run(): Promise<void> {
    const isMine = ({ session }: { readonly session: string }): boolean => session === this.#session.id;
    for (const space of [...this.#state.addressSpaces.values()].filter(isMine)) await this.#restoreSpace(space);
    for (const virtual of [...this.#state.virtualIommus.values()].filter(isMine)) await this.#restoreVirtual(virtual);
    for (const group of this.#state.groups.values()) {
      if (group.owner !== this.#session.id) continue;
      if (group.state === "vended") await this.#restoreVended(group);
      else await this.#restoreGroup(group);
    }
  }

  /** Takes back what run() did before it failed, latest first. */
  async undo(): Promise<void> {
    for (const each of this.#undo.splice(0).reverse()) await each();
  }

  async #restoreSpace(durable: DurableAddressSpace): Promise<void> {
    const { backend, registry } = this.#deps;
    const mappings = [...(this.#state.mappings.get(durable.id)?.values() ?? [])].sort((a, b) => a.ipa - b.ipa);
    const table = await this.#openAll(mappings);
    const handle = await backend.createAddressSpace(durable.session);
    this.#undo.push(() => backend.destroyAddressSpace(handle));
    if (durable.populated && table.length > 0) await backend.map(handle, table);
    const { id, session, pinning, populated } = durable;
    registry.putAddressSpace({ id, session, pinning, populated, handle, table });
    this.#undo.push(() => registry.deleteAddressSpace(id));
    this.#spaces.set(id, handle);
  }

  /** Each mapping retains its file; the opening's own hold is given back. */
  async #openAll(mappings: readonly DurableMapping[]): Promise<GuestMapping[]> {
    const uid = uidOf(this.#session.caller);
    const opened = new Map<string, GuestMemoryFile>();
    const table: GuestMapping[] = [];
    try {
      for (const { path, passed, ...mapping } of mappings) {
        const open = async (): Promise<GuestMemoryFile> =>
          passed === undefined ? await this.#deps.ports.memoryFiles.open(path, { uid }) : new AwaitedMemory(passed);
        const file = opened.get(path) ?? (await open());
        opened.set(path, file);
        if (mapping.offset + mapping.bytes > file.bytes) throw shrunk(path, file.bytes);
        file.retain();
        this.#undo.push(() => file.release());
        table.push({ ...mapping, file });
      }
    } finally {
      for (const file of opened.values()) file.release();
    }
    return table;
  }

  async #restoreVirtual(durable: DurableVirtualIommu): Promise<void> {
    const { backend, registry } = this.#deps;
    const space = this.#spaces.get(durable.addressSpace);
    if (space === undefined) throw missing(`address space ${durable.addressSpace}`);
    const parts = new Map<IommuID, PartHandle>();
    for (const name of durable.parts) {
      const iommu = registry.iommu(iommuID(name)).id;
      const part = await backend.createPart(space, iommu);
      this.#undo.push(() => backend.destroyPart(part));
      parts.set(iommu, part);
    }
    const { id, session, addressSpace, registers } = durable;
    const declared = durable.declared.map((name) => iommuID(name));
    registry.putVirtualIommu({ id, session, addressSpace, registers, declared, parts });
    this.#undo.push(() => registry.deleteVirtualIommu(id));
  }

  async #restoreGroup(durable: DurableGroup): Promise<void> {
    const { backend, faults, registry } = this.#deps;
    const group = registry.findGroup(durable.id);
    if (group === undefined) throw missing(`IOMMU group ${durable.id}`);
    const virtualIommu = durable.virtualIommu ?? undefined;
    const part = this.#partOf(virtualIommu, group.iommu);
    const isHandedOut = durable.handedOut ?? false;
    const refusal = await attachUnlessHeld(backend, { group: group.id, part, isHandedOut });
    if (refusal !== undefined) {
      this.#withhold(group, durable.generation + 1, refusal);
      return;
    }
    this.#undo.push(async () => {
      await backend.detach(group.id);
      for (const id of group.devices) {
        registry.putDevice({ host: registry.device(id).host, attached: false, virtualStreamID: undefined });
        faults.release(id);
      }
      registry.putGroup(group);
    });
    for (const id of group.devices) faults.claim(id, this.#session.id, "restored");
    await this.#restoreDevices(group.devices, part);
    await this.#restoreStage(durable, part);
    const { state, generation, handedOut = false } = durable;
    const vste = vsteOf(durable.vste);
    const pageTable = durable.pageTable && pageTableOf(durable.pageTable);
    const owner = this.#session.id;
    registry.putGroup({ ...group, state, generation, owner, virtualIommu, vste, pageTable, handedOut });
  }

  /** Nobody's, as leaveReleased() leaves one that its session has lost. */
  #withhold(group: GroupRecord, generation: number, error: BrokerError): void {
    const { registry } = this.#deps;
    registry.putGroup({ ...group, generation, state: "releasing", handedOut: true });
    this.#undo.push(() => registry.putGroup(group));
    this.held.push({ session: this.#session.id, group: group.id, devices: group.devices, generation, error });
  }

  /** Its holder's stages are as they were: the restart closed the broker's own descriptors and nobody else's. */
  async #restoreVended({ generation, id, owner, state }: DurableGroup): Promise<void> {
    const { backend, registry } = this.#deps;
    const group = registry.findGroup(id);
    if (group === undefined) throw missing(`IOMMU group ${id}`);
    await backend.recall(group.id);
    this.#undo.push(() => {
      for (const device of group.devices) registry.putDevice(detachedDevice(registry.device(device)));
      registry.putGroup(group);
    });
    for (const device of group.devices) registry.putDevice(attachedDevice(registry.device(device)));
    registry.putGroup({ ...group, state, generation, owner: owner ?? undefined, handedOut: true });
  }

  async #restoreDevices(devices: readonly string[], part: PartHandle): Promise<void> {
    const { backend, registry } = this.#deps;
    for (const name of devices) {
      const durable = this.#state.devices.get(name);
      if (durable === undefined) continue;
      const record = registry.device(deviceID(name));
      const virtual = durable.virtualStreamID === null ? undefined : virtualStreamID(durable.virtualStreamID);
      if (virtual !== undefined) await backend.setVirtualStreamID(record.host.id, part, virtual);
      registry.putDevice(namedDevice(durable.attached ? attachedDevice(record) : record, virtual));
    }
  }

  async #restoreStage(durable: DurableGroup, part: PartHandle): Promise<void> {
    const { backend, registry } = this.#deps;
    const group = registry.group(registry.findGroup(durable.id)!.id);
    if (durable.state === "nest-parent") await backend.setPlainStage(group.id, part, "bypass");
    if (durable.state !== "guest-nested") return;
    const [id] = group.devices;
    const device = id === undefined ? undefined : registry.device(id);
    const vste = vsteOf(durable.vste);
    if (device !== undefined && durable.pageTable !== undefined) {
      const pageTable = pageTableOf(durable.pageTable);
      checkPageTable(requirePageTables(registry.iommu(group.iommu)), pageTable);
      await backend.bindGuestStage({ device: device.host.id, part, pageTable });
      return;
    }
    if (device?.virtualStreamID === undefined || vste === undefined) throw missing(`the bind of group ${group.id}`);
    const { registers } = registry.virtualIommu(durable.virtualIommu!, this.#session.id);
    const hostVSTE = keepStallPromise(vste, registers, registry.iommu(group.iommu).registers);
    const { host, virtualStreamID } = device;
    await backend.bindGuestStage({ device: host.id, part, virtualStreamID, vste: hostVSTE });
  }

  #partOf(virtualIommu: string | undefined, iommu: IommuID): PartHandle {
    const { registry } = this.#deps;
    const virtual = virtualIommu === undefined ? undefined : registry.virtualIommu(virtualIommu, this.#session.id);
    const part = virtual?.parts.get(iommu);
    if (part === undefined) throw missing(`the part of virtual IOMMU ${virtualIommu} for ${iommu}`);
    return part;
  }
}

function missing(what: string): BrokerError {
  return new BrokerError("backend_failed", `${what} is not there any more`);
}

function shrunk(path: string, bytes: number): BrokerError {
  return new BrokerError("backend_failed", `memory file ${path} has only ${bytes} bytes now`, { path, bytes });
}
