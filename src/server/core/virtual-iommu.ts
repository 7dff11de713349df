// Virtual IOMMUs: one guest-visible IOMMU each, with frozen ID registers and a part for each host IOMMU it spans.
// A part's nesting parent is never shared with another virtual IOMMU: they would share a VMID, and their guests' ASIDs
// would collide in the TLB. Invalidations pass the virtual IOMMU's queue and bump no generation.

import type { PlainStage } from "../../backends/backend.ts";
import { BrokerError, invalidField, limitReached } from "../../backends/errors.ts";
import type { DeviceID, GroupID, IommuID } from "../../backends/ids.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import type { Arbiter, ArbiterDeps } from "./arbiter.ts";
import type { CallGate } from "./call-gate.ts";
import { commonRegisters, requireFit } from "./capability.ts";
import type { DeviceRecord } from "./device.ts";
import { checkInvalidations, streamsNamed } from "./invalidation.ts";
import { virtualIommuView } from "./record-views.ts";
import type { VirtualIommuRecord } from "./registry.ts";
import type { VirtualIommuView } from "./views.ts";
import type { ModeResult, VirtualIommuVerbs } from "./virtual-iommu-verbs.ts";

export class VirtualIommus implements VirtualIommuVerbs {
  readonly #deps: ArbiterDeps;
  readonly #arbiter: Arbiter;

  constructor(deps: ArbiterDeps, arbiter: Arbiter) {
    this.#deps = deps;
    this.#arbiter = arbiter;
  }

  async create(
    session: string,
    request: { addressSpace: string; iommus: readonly IommuID[]; registers: IdRegisters | undefined },
    gate?: CallGate,
  ): Promise<VirtualIommuView> {
    const { limits, ports, queues, registry, sessions } = this.#deps;
    if (request.iommus.length === 0) {
      throw invalidField("iommus", "names no host IOMMU: name those whose devices will be attached");
    }
    if (new Set(request.iommus).size !== request.iommus.length) throw invalidField("iommus", "names one twice");
    const hosts = request.iommus.map((id) => registry.iommu(id));
    return await queues.run(
      [{ kind: "address-space", id: request.addressSpace }],
      async () => {
        sessions.requireLive(session);
        registry.addressSpace(request.addressSpace, session);
        const max = limits.virtualIommusPerSessionMax;
        if (registry.virtualIommusOf(session).length >= max) {
          throw limitReached("virtual_iommus_per_session_max", max, "delete a virtual IOMMU first");
        }
        if (request.registers) for (const host of hosts) requireFit(host, request.registers);
        const virtual: VirtualIommuRecord = {
          id: ports.identifiers.uuid(),
          session,
          addressSpace: request.addressSpace,
          registers: request.registers ?? commonRegisters(hosts),
          declared: request.iommus,
          parts: new Map(),
        };
        registry.putVirtualIommu(virtual);
        return virtualIommuView(registry, virtual);
      },
      gate,
    );
  }

  async remove(session: string, id: string, gate?: CallGate): Promise<void> {
    const { queues, registry, sessions } = this.#deps;
    if (!registry.hasVirtualIommu(id)) return;
    const { addressSpace } = registry.virtualIommu(id, session);
    const keys = [
      { kind: "address-space", id: addressSpace },
      { kind: "virtual-iommu", id },
    ] as const;
    await queues.run(
      keys,
      async () => {
        sessions.requireLive(session);
        if (!registry.hasVirtualIommu(id)) return;
        const virtual = registry.virtualIommu(id, session);
        const devices = registry.devicesOfVirtualIommu(id);
        if (devices.length > 0) {
          const names = devices.map((device) => device.host.id).join(", ");
          throw new BrokerError("in_use", `virtual IOMMU ${id} has ${names}: detach them first`, {
            virtual_iommu: id,
            devices: names,
          });
        }
        await this.destroy(virtual);
      },
      gate,
    );
  }

  /** Takes its parts down; no device is attached. A part that is gone stays gone if a later one fails. */
  async destroy(virtual: VirtualIommuRecord): Promise<void> {
    const { backend, registry } = this.#deps;
    const parts = new Map(virtual.parts);
    for (const [iommu, part] of virtual.parts) {
      await backend.destroyPart(part);
      parts.delete(iommu);
      registry.putVirtualIommu({ ...virtual, parts: new Map(parts) });
    }
    registry.deleteVirtualIommu(virtual.id);
  }

  async setMode(session: string, id: string, mode: PlainStage, gate?: CallGate): Promise<readonly ModeResult[]> {
    const { queues, registry, sessions } = this.#deps;
    const { addressSpace } = registry.virtualIommu(id, session);
    const keys = [
      { kind: "address-space", id: addressSpace },
      { kind: "virtual-iommu", id },
    ] as const;
    return await queues.run(
      keys,
      async () => {
        sessions.requireLive(session);
        registry.virtualIommu(id, session);
        const devices = registry.devicesOfVirtualIommu(id);
        const needed = mode === "bypass" && devices.length > 0;
        const filled = needed && (await this.#deps.spaces.populate(addressSpace, session));
        const groups = [...new Set(devices.map((device) => device.host.group))];
        const errors = new Map<GroupID, BrokerError>();
        for (const group of groups) {
          const error = await this.#setGroup(session, id, group, mode);
          if (error) errors.set(group, error);
        }
        if (filled && errors.size === groups.length) await this.#deps.spaces.depopulate(addressSpace, session);
        return devices.map((device) => this.#modeResult(device, errors));
      },
      gate,
    );
  }

  async invalidate(
    session: string,
    id: string,
    commands: readonly { dword0: bigint; dword1: bigint }[],
    gate?: CallGate,
  ): Promise<number> {
    const { backend, limits, queues, registry, sessions } = this.#deps;
    registry.virtualIommu(id, session);
    if (commands.length > limits.commandsPerCallMax) {
      throw limitReached("commands_per_call_max", limits.commandsPerCallMax, "split the batch");
    }
    if (commands.length === 0) throw invalidField("commands", "is empty");
    return await queues.run(
      [{ kind: "virtual-iommu", id }],
      async () => {
        sessions.requireLive(session);
        const virtual = registry.virtualIommu(id, session);
        const devices = registry.devicesOfVirtualIommu(id);
        const tabled = devices.find(({ host }) => registry.group(host.group).pageTable !== undefined);
        if (tabled !== undefined) throw noInvalidation(tabled.host.id);
        let known: ReadonlyMap<number, DeviceID> | undefined; // most batches name no stream
        const names = (): ReadonlyMap<number, DeviceID> => {
          known ??= namesIn(devices);
          return known;
        };
        const checked = checkInvalidations(commands, virtual.registers, { has: (name) => names().has(name) });
        for (const name of streamsNamed(checked)) this.#arbiter.requireNotResetting(names().get(name)!);
        await backend.invalidate([...virtual.parts.values()], checked);
        return checked.length;
      },
      gate,
    );
  }

  async #setGroup(session: string, id: string, group: GroupID, mode: PlainStage): Promise<BrokerError | undefined> {
    const { queues, registry } = this.#deps;
    try {
      for (const device of registry.findGroup(group)?.devices ?? []) this.#arbiter.requireNotResetting(device);
      await queues.run([{ kind: "group", id: group }], async () => {
        const record = registry.findGroup(group); // its devices may have been unplugged meanwhile
        if (record?.owner !== session || record.virtualIommu !== id) {
          throw new BrokerError("transition_illegal", "the group was detached meanwhile", {
            group,
            state: record?.state ?? "gone",
          });
        }
        const trigger = mode === "bypass" ? "bindBypass" : "bindAbort";
        await this.#arbiter.setPlain(record, trigger, mode, session);
      });
      return undefined;
    } catch (error) {
      if (error instanceof BrokerError) return error;
      throw error;
    }
  }

  #modeResult(device: DeviceRecord, errors: ReadonlyMap<GroupID, BrokerError>): ModeResult {
    const { registry } = this.#deps;
    const id: DeviceID = device.host.id;
    const found = registry.findDevice(id);
    return {
      device: id,
      error: errors.get(device.host.group),
      generation: found ? registry.group(found.host.group).generation : 0,
    };
  }
}

function namesIn(devices: readonly DeviceRecord[]): ReadonlyMap<number, DeviceID> {
  const names = new Map<number, DeviceID>();
  for (const { host, virtualStreamID } of devices) {
    if (virtualStreamID !== undefined) names.set(virtualStreamID, host.id);
  }
  return names;
}

/** The contract's commands are an SMMUv3's. */
function noInvalidation(device: DeviceID): BrokerError {
  const why = `device ${device} has a page table bound, for which there are no invalidation commands: bind the table again, which forgets what was cached`;
  return new BrokerError("backend_unsupported", why, { device });
}
