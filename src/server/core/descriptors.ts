// Who holds the descriptors of a device. Brokered: the owner is passed the device's own node, to drive it, and the broker
// keeps the stages. Vended: it is passed the iommufd too, and keeps the stages itself.
// What was passed cannot be taken back, and to have passed it is in the journal before the ticket is in anybody's hands.

import type { VendedNode } from "../../backends/backend.ts";
import type { DeviceDescriptor } from "../../backends/device-descriptors.ts";
import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { DeviceID, GroupID } from "../../backends/ids.ts";
import {
  requireGeneration,
  requireNotQuarantined,
  requireNotReleasing,
  requireNotVended,
  requireOwned,
} from "./admission.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import { promised } from "./attach.ts";
import type { CallGate } from "./call-gate.ts";
import { describeCaller, isSameIdentity, type ProcessCaller } from "./caller.ts";
import { attachedDevice, type DeviceRecord } from "./device.ts";
import type { GroupRecord } from "./group.ts";
import type { Subject as PolicySubject } from "./policy.ts";
import type { Resets } from "./reset.ts";
import type { StageChanges, Subject } from "./stage-change.ts";
import { next } from "./stage-state.ts";
import type { HandedOut, VendRequest } from "./stage-verbs.ts";
import type { DeviceView } from "./views.ts";
import type { WaitingLines } from "./waiting.ts";

export interface DescriptorsDeps extends ArbiterDeps {
  readonly changes: StageChanges;
  readonly resets: Resets;
  readonly lines: WaitingLines;
  view(device: DeviceID): DeviceView;
}

interface DescriptorRequest {
  readonly device: DeviceID;
  readonly expectedGeneration: bigint | undefined;
}

export class Descriptors {
  readonly #deps: DescriptorsDeps;
  /** Vended in this life of the daemon, and fetched by nobody yet. */
  readonly #unfetched = new Map<GroupID, VendedNode>();

  constructor(deps: DescriptorsDeps) {
    this.#deps = deps;
    deps.events.subscribe((event) => {
      if (event.type === "stageChanged" && event.from === "vended") this.#unfetched.delete(event.group);
    });
  }

  /** A ticket for the node of a device that the session has attached. */
  async get(session: string, request: DescriptorRequest, gate: CallGate | undefined): Promise<HandedOut> {
    const { backend, changes, events, ports, queues, registry, sessions } = this.#deps;
    this.#admitByPolicy(session, "GetDeviceDescriptor", request.device);
    return await queues.run(
      [changes.keyOf(request.device)],
      async () => {
        const { device, group } = changes.admit(session, request.device);
        requireOwned(group, device, session, sessions.view(session));
        requireNotVended(group, device);
        requireGeneration(group, request.expectedGeneration);
        if (!device.attached) throw notAttached(device, group);
        const holder = this.#holderOf(session);
        ports.deviceTickets.requireRoom(holder);
        await backend.handOut(request.device);
        if (!group.handedOut) registry.putGroup({ ...group, handedOut: true });
        events.emit({ type: "handedOut", device: request.device, session, how: "brokered" });
        return this.#issue(session, request.device, holder);
      },
      gate,
    );
  }

  /** Default domain → vended. Once more, while nobody has fetched the descriptors: another ticket in place of the one before. */
  async vend(session: string, request: VendRequest, gate: CallGate | undefined): Promise<HandedOut> {
    const { backend, changes, ports, queues, resets } = this.#deps;
    this.#admitByPolicy(session, "VendDevice", request.device);
    resets.requireNone(request.device);
    return await queues.run(
      [changes.keyOf(request.device)],
      async () => {
        const { device, group } = changes.admit(session, request.device);
        requireGeneration(group, request.expectedGeneration);
        requireNotQuarantined(group, device);
        requireNotReleasing(backend, group, device);
        const holder = this.#holderOf(session);
        if (group.state === "vended") this.#requireUnfetched({ device, group }, request.node);
        ports.deviceTickets.requireRoom(holder);
        if (group.state !== "vended") await this.#vend(session, { device, group }, request.node);
        ports.deviceTickets.void(request.device);
        return this.#issue(session, request.device, holder);
      },
      gate,
    );
  }

  #requireUnfetched({ device, group }: Subject, node: VendedNode): void {
    const vended = this.#unfetched.get(group.id);
    if (vended === undefined) throw fetched(device, group);
    if (vended !== node) throw otherNode(device, group, vended);
  }

  async #vend(session: string, { device, group }: Subject, node: VendedNode): Promise<void> {
    const { backend, changes, events, limits, lines, permissions, registry, sessions } = this.#deps;
    const to = next(group.state, "vend");
    if (group.devices.length > 1) throw notAlone(device, group);
    if (!lines.isNext(group.id, undefined)) throw promised(device, group);
    if (registry.attachedCount(session) >= limits.devicesPerSessionMax) {
      throw limitReached("devices_per_session_max", limits.devicesPerSessionMax, "detach a device first");
    }
    const { caller } = sessions.requireLive(session);
    const { id } = device.host;
    const subject = { kind: "device", id, group: group.id } as const;
    const settle = permissions.reserve(caller, { verb: "VendDevice", subject, quota: "devices", amount: 1 });
    try {
      await changes.journaled("vend", group, session, () => backend.vend(group.id, node));
      registry.putDevice(attachedDevice(device));
      const change = { state: to, owner: session, virtualIommu: undefined, vste: undefined, handedOut: true };
      changes.commit(group, "vend", change);
    } finally {
      settle();
    }
    this.#unfetched.set(group.id, node);
    events.emit({ type: "handedOut", device: id, session, how: "vended" });
  }

  #issue(session: string, device: DeviceID, holder: ProcessCaller): HandedOut {
    const { backend, ports, view } = this.#deps;
    const open = () => this.#redeem(session, device, holder);
    const passed = () => this.#passed(session, device);
    const [object] = backend.descriptorsOf(device).flatMap((each) => each.object ?? []);
    return { ticket: ports.deviceTickets.issue({ device, holder, open, passed }), device: view(device), object };
  }

  /** At the moment in which it is passed: the device may have changed hands since, and the session too. */
  #redeem(session: string, device: DeviceID, holder: ProcessCaller): readonly DeviceDescriptor[] {
    const { backend, registry, sessions } = this.#deps;
    const { caller } = sessions.requireLive(session);
    const group = registry.groupOf(device);
    const isHolders = caller.kind === "process" && isSameIdentity(caller, holder) && caller.pid === holder.pid;
    if (group.owner !== session || !group.handedOut || !isHolders) {
      const why = `device ${device} has changed hands since the ticket was given: ask for another`;
      throw new BrokerError("not_owner", why, { device });
    }
    return backend.descriptorsOf(device);
  }

  #passed(session: string, device: DeviceID): void {
    const { events, registry } = this.#deps;
    this.#unfetched.delete(registry.groupOf(device).id);
    events.emit({ type: "descriptorsTaken", device, session });
  }

  /** A ticket is good for one process, as the kernel knows it on both sockets. */
  #holderOf(session: string): ProcessCaller {
    const { caller } = this.#deps.sessions.requireLive(session);
    if (caller.kind === "process" && caller.pid !== 0) return caller;
    throw new BrokerError(
      "policy_denied",
      `descriptors are passed to a process that the kernel names, and not to ${describeCaller(caller)}: connect to the Unix socket, in the broker's pid namespace`,
    );
  }

  #admitByPolicy(session: string, verb: string, id: DeviceID): void {
    const { permissions, registry, sessions } = this.#deps;
    const subject: PolicySubject = { kind: "device", id, group: registry.findDevice(id)?.host.group };
    permissions.admit(sessions.requireLive(session).caller, verb, subject);
  }
}

function notAttached({ host: { id } }: DeviceRecord, { state }: GroupRecord): BrokerError {
  const why = `device ${id} is not attached: attach it first, or vend it`;
  return new BrokerError("transition_illegal", why, { device: id, state });
}

function fetched({ host: { id } }: DeviceRecord, group: GroupRecord): BrokerError {
  return new BrokerError(
    "vended",
    `device ${id} is vended and its descriptors were fetched, or this daemon was started since: detach it to vend it anew`,
    { device: id, group: group.id, state: group.state },
  );
}

function otherNode({ host: { id } }: DeviceRecord, group: GroupRecord, vended: VendedNode): BrokerError {
  return new BrokerError(
    "vended",
    `device ${id} is vended with its node ${vended}: ask for it so, or detach it to vend it anew`,
    { device: id, group: group.id, state: group.state, node: vended },
  );
}

function notAlone({ host: { id } }: DeviceRecord, group: GroupRecord): BrokerError {
  const siblings = group.devices.filter((other) => other !== id).join(", ");
  return new BrokerError(
    "group_not_singleton",
    `device ${id} shares IOMMU group ${group.id} with ${siblings}: only a device alone in its group can be vended`,
    { device: id, group: group.id, siblings },
  );
}
