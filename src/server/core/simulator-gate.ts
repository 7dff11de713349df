// The Simulator service's verbs with the owner checked first: a session plays hardware only for what it owns.

import { BrokerError, invalidField } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { HostDevice } from "../../backends/inventory.ts";
import type {
  DmaOutcome,
  MsiLog,
  RawStructures,
  SimulatedAccess,
  SimulatedDma,
  SimulatorControl,
  TranslationOutcome,
} from "../../backends/simulator-control.ts";
import { requireNotOthers, requireNotVended, requireOwned, stillHeld } from "./admission.ts";
import type { Arbiter, ArbiterDeps } from "./arbiter.ts";
import type { CallGate } from "./call-gate.ts";
import type { GroupRecord } from "./group.ts";
import { guestRange } from "./guest-range.ts";
import type { SimulatorVerbs } from "./simulator-verbs.ts";

export class SimulatorGate implements SimulatorVerbs {
  readonly #deps: ArbiterDeps;
  readonly #arbiter: Arbiter;
  readonly #control: SimulatorControl;

  constructor(deps: ArbiterDeps, arbiter: Arbiter, control: SimulatorControl) {
    this.#deps = deps;
    this.#arbiter = arbiter;
    this.#control = control;
  }

  addDevice(session: string, device: HostDevice): void {
    const { backend, queues, registry, sessions } = this.#deps;
    sessions.requireLive(session);
    registry.iommu(device.iommu);
    const group = registry.findGroup(device.group);
    if (group?.state === "quarantined") throw quarantined(device);
    if (group?.state === "releasing") throw stillHeld(backend, group, { host: device });
    if (group?.owner !== undefined || queues.isHeld({ kind: "group", id: device.group })) {
      throw new BrokerError(
        "in_use",
        `IOMMU group ${device.group} has an owner, or is getting one: it cannot get another device now`,
        { group: device.group },
      );
    }
    this.#control.addDevice(device);
  }

  async removeDevice(session: string, id: DeviceID, gate?: CallGate): Promise<void> {
    const { queues, registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const { group } = registry.device(id).host;
    await queues.run(
      [{ kind: "group", id: group }],
      async () => {
        sessions.requireLive(session);
        const device = registry.device(id); // another call may have removed it meanwhile
        const record = registry.group(group);
        const owner = record.owner === undefined ? undefined : sessions.owner(record.owner);
        requireNotOthers(record, device, session, owner);
        if (record.owner !== undefined) {
          if (hasOtherAttached(record, id, this.#deps)) throw othersAttached(id, record);
          await this.#arbiter.release(record, session, id);
        }
        await this.#control.removeDevice(id);
        if (record.owner !== undefined) sessions.notifyDeviceRemoved(record.owner, id);
      },
      gate,
    );
  }

  async dma(session: string, device: DeviceID, accesses: readonly SimulatedDma[]): Promise<readonly DmaOutcome[]> {
    this.#requireOwned(session, device, accesses);
    this.#arbiter.requireNotResetting(device);
    return await this.#control.dma(device, accesses);
  }

  async translate(
    session: string,
    device: DeviceID,
    accesses: readonly (SimulatedAccess & { readonly access: "read" | "write" | "execute" })[],
  ): Promise<readonly TranslationOutcome[]> {
    this.#requireOwned(session, device, accesses);
    return await this.#control.translate(device, accesses);
  }

  readMemory(session: string, addressSpace: string, ipa: bigint, bytes: number): Uint8Array {
    const { registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const space = registry.addressSpace(addressSpace, session);
    const data = new Uint8Array(bytes);
    const start = Number(ipa);
    for (const part of guestRange(space, ipa, bytes)) {
      const { mapping } = part;
      const into = data.subarray(part.ipa - start, part.ipa - start + part.bytes);
      if (!mapping.file.read(mapping.offset + part.ipa - mapping.ipa, into)) throw truncated(mapping.file.path);
    }
    return data;
  }

  writeMemory(session: string, addressSpace: string, ipa: bigint, data: Uint8Array): void {
    const { registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const space = registry.addressSpace(addressSpace, session);
    const start = Number(ipa);
    for (const part of guestRange(space, ipa, data.length)) {
      const { mapping } = part;
      const from = data.subarray(part.ipa - start, part.ipa - start + part.bytes);
      if (!mapping.file.write(mapping.offset + part.ipa - mapping.ipa, from)) throw truncated(mapping.file.path);
    }
  }

  structures(session: string, device: DeviceID, streamIndex: number, substreamID: number): RawStructures {
    const { registry } = this.#deps;
    const group = this.#requireOwned(session, device, [{ streamIndex }], () => "stream_index");
    requireNotVended(group, registry.device(device));
    const virtual = registry.virtualIommu(group.virtualIommu!, session);
    const { handle } = registry.addressSpace(virtual.addressSpace, session);
    return this.#control.structures(device, streamIndex, substreamID, handle);
  }

  msis(session: string, device: DeviceID): MsiLog {
    this.#requireOwned(session, device, []);
    return this.#control.msis(device);
  }

  /** @param pathOf  the request's field that holds the stream index of an access */
  #requireOwned(
    session: string,
    id: DeviceID,
    accesses: readonly { streamIndex: number }[],
    pathOf = (access: number): string => `accesses[${access}].stream_index`,
  ): GroupRecord {
    const { registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const device = registry.device(id);
    const group = registry.group(device.host.group);
    requireOwned(group, device, session, group.owner === undefined ? undefined : sessions.owner(group.owner));
    const wrong = accesses.findIndex((access) => access.streamIndex >= device.host.streamIDs.length);
    if (wrong >= 0) {
      throw invalidField(
        pathOf(wrong),
        `${accesses[wrong]!.streamIndex} is not an index into ${device.host.streamIDs.length} StreamIDs`,
      );
    }
    return group;
  }
}

function hasOtherAttached(group: GroupRecord, id: DeviceID, deps: ArbiterDeps): boolean {
  return group.devices.some((other) => other !== id && deps.registry.device(other).attached);
}

function quarantined({ id, group }: HostDevice): BrokerError {
  return new BrokerError("device_quarantined", `IOMMU group ${group} is quarantined: it cannot get ${id} now`, {
    group,
  });
}

/** The group's stage 2 also serves the others: it cannot lose a member under them. */
function othersAttached(id: DeviceID, group: GroupRecord): BrokerError {
  return new BrokerError("in_use", `others of IOMMU group ${group.id} are attached: detach them before ${id} goes`, {
    device: id,
    group: group.id,
  });
}

function truncated(path: string): BrokerError {
  return new BrokerError("argument_invalid", `${path} is shorter than when it was mapped`, { path });
}
