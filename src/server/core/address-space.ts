// Address spaces: one guest's memory as its devices see it. The broker's own table is checked first and whole; only
// then is the backend asked, so a refusal never leaves half a batch mapped.
// EAGER hands mappings to the backend at once; ON_FIRST_BIND keeps them here until the first bind that lets DMA through.

import type { Backend } from "../../backends/backend.ts";
import { BrokerError, invalidField, limitReached } from "../../backends/errors.ts";
import type { GuestMapping, GuestMemoryFile } from "../../backends/guest-memory.ts";
import type { HostIommu } from "../../backends/inventory.ts";
import { hex } from "../../spec/u64.ts";
import type { AddressSpaceVerbs, MappingRequest, MapRequest, PresentRequest } from "./address-space-verbs.ts";
import { AwaitedMemory, requireOwnLabels } from "./awaited-memory.ts";
import type { CallGate } from "./call-gate.ts";
import type { Caller } from "./caller.ts";
import type { BrokerEvents } from "./events.ts";
import type { CoreLimits } from "./limits.ts";
import { checkMapping, type MappingBounds, pageAddress, rangeBytes } from "./mapping-request.ts";
import { planMap, planUnmap } from "./mapping-table.ts";
import { OpenSources } from "./memory-sources.ts";
import type { Permissions } from "./permissions.ts";
import { NO_SUBJECT } from "./policy.ts";
import type { Ports } from "./ports.ts";
import { addressSpaceView } from "./record-views.ts";
import type { AddressSpaceRecord, Registry } from "./registry.ts";
import type { Sessions } from "./sessions.ts";
import type { AddressSpaceView, Pinning } from "./views.ts";
import type { WorkQueues } from "./work-queues.ts";

export interface AddressSpaceDeps {
  readonly backend: Backend;
  readonly ports: Ports;
  readonly limits: CoreLimits;
  readonly registry: Registry;
  readonly sessions: Sessions;
  readonly queues: WorkQueues;
  readonly events: BrokerEvents;
  readonly permissions: Permissions;
}

export class AddressSpaces implements AddressSpaceVerbs {
  readonly #deps: AddressSpaceDeps;

  constructor(deps: AddressSpaceDeps) {
    this.#deps = deps;
  }

  async create(session: string, pinning: Pinning, gate?: CallGate): Promise<AddressSpaceView> {
    const { backend, limits, ports, registry, sessions } = this.#deps;
    sessions.requireLive(session);
    const max = limits.addressSpacesPerSessionMax;
    if (registry.addressSpacesOf(session).length >= max) {
      throw limitReached("address_spaces_per_session_max", max, "delete an address space first");
    }
    gate?.requireOpen();
    const handle = await backend.createAddressSpace(session);
    if (!sessions.view(session) || sessions.ending().includes(session)) {
      await backend.destroyAddressSpace(handle);
      sessions.requireLive(session);
    }
    const space = { id: ports.identifiers.uuid(), session, pinning, populated: pinning === "eager", handle, table: [] };
    registry.putAddressSpace(space);
    return addressSpaceView(space);
  }

  async remove(session: string, id: string, gate?: CallGate): Promise<void> {
    const { queues, registry, sessions } = this.#deps;
    await queues.run(
      [{ kind: "address-space", id }],
      async () => {
        sessions.requireLive(session);
        if (!registry.hasAddressSpace(id)) return;
        const space = registry.addressSpace(id, session);
        const users = registry.virtualIommusIn(id);
        if (users.length > 0) {
          throw new BrokerError(
            "in_use",
            `address space ${id} is used by virtual IOMMU ${users[0]!.id}: delete that first`,
            {
              address_space: id,
              virtual_iommu: users[0]!.id,
            },
          );
        }
        await this.destroy(space);
      },
      gate,
    );
  }

  /** Takes the address space down; its queue is held, nothing uses it. */
  async destroy(space: AddressSpaceRecord): Promise<void> {
    await this.#deps.backend.destroyAddressSpace(space.handle);
    this.#deps.registry.deleteAddressSpace(space.id);
    for (const mapping of space.table) mapping.file.release();
  }

  /** Unmaps all there is of an address space whose owner is gone; its queue is held. */
  async empty(space: AddressSpaceRecord): Promise<void> {
    if (space.table.length === 0) return;
    if (space.populated) await this.#deps.backend.unmap(space.handle, space.table);
    this.#deps.registry.putAddressSpace({ ...space, table: [] });
    for (const mapping of space.table) mapping.file.release();
  }

  async map(session: string, request: MapRequest, gate?: CallGate): Promise<AddressSpaceView> {
    const { limits, permissions, ports, queues, registry, sessions } = this.#deps;
    registry.addressSpace(request.addressSpace, session);
    if (request.mappings.length > limits.mappingsPerCallMax) {
      throw limitReached("mappings_per_call_max", limits.mappingsPerCallMax, "split the batch");
    }
    if (request.sources.length > limits.sourcesPerCallMax) {
      throw limitReached("sources_per_call_max", limits.sourcesPerCallMax, "split the batch");
    }
    if (request.mappings.length === 0) throw invalidField("mappings", "is empty");
    const caller = request.caller ?? sessions.requireLive(session).caller;
    const sources = await OpenSources.open({ ports, permissions }, request.sources, caller);
    let isDone = false;
    try {
      return await queues.run(
        [{ kind: "address-space", id: request.addressSpace }],
        async () => {
          sessions.requireLive(session);
          const space = registry.addressSpace(request.addressSpace, session);
          const view = await this.#mapInto(space, sources.files, request.mappings, caller);
          isDone = true;
          return view;
        },
        gate,
      );
    } finally {
      sources.close(isDone);
    }
  }

  async present(session: string, request: PresentRequest, gate?: CallGate): Promise<AddressSpaceView> {
    const { permissions, ports, queues, registry, sessions } = this.#deps;
    const { addressSpace, label, ticket } = request;
    registry.addressSpace(addressSpace, session);
    return await queues.run(
      [{ kind: "address-space", id: addressSpace }],
      async () => {
        const { caller } = sessions.requireLive(session);
        const space = registry.addressSpace(addressSpace, session);
        const mine = space.table.filter(({ file }) => file.label === label);
        const missing = mine.map(({ file }) => file).find((file) => file instanceof AwaitedMemory && file.isMissing);
        if (!(missing instanceof AwaitedMemory)) {
          throw invalidField("label", `${label}: no memory of this name is missing`, { label });
        }
        const sources = await OpenSources.ofTicket({ ports, permissions }, ticket, request.caller ?? caller);
        try {
          await this.#supply(space, missing, { file: sources.files[0]!, mine });
        } finally {
          sources.close(!missing.isMissing);
        }
        return addressSpaceView(space);
      },
      gate,
    );
  }

  async unmap(
    session: string,
    request: { addressSpace: string; ranges: readonly { ipa: bigint; bytes: bigint }[] },
    gate?: CallGate,
  ): Promise<{ view: AddressSpaceView; unmappedBytes: number }> {
    const { backend, limits, queues, registry, sessions } = this.#deps;
    registry.addressSpace(request.addressSpace, session);
    if (request.ranges.length > limits.mappingsPerCallMax) {
      throw limitReached("mappings_per_call_max", limits.mappingsPerCallMax, "split the batch");
    }
    if (request.ranges.length === 0) throw invalidField("ranges", "is empty");
    const ranges = request.ranges.map((range, index) => ({
      ipa: pageAddress(range.ipa, `ranges[${index}].ipa`, true),
      bytes: rangeBytes(range.ipa, range.bytes, `ranges[${index}].bytes`),
    }));
    return await queues.run(
      [{ kind: "address-space", id: request.addressSpace }],
      async () => {
        sessions.requireLive(session);
        const space = registry.addressSpace(request.addressSpace, session);
        const { table, removed } = planUnmap(space.table, ranges);
        if (space.populated) await backend.unmap(space.handle, removed);
        const after = { ...space, table };
        registry.putAddressSpace(after);
        for (const mapping of removed) mapping.file.release();
        this.#tell(space, "unmapped", removed);
        const unmappedBytes = removed.reduce((sum, mapping) => sum + mapping.bytes, 0);
        return { view: addressSpaceView(after), unmappedBytes };
      },
      gate,
    );
  }

  /** Gives the backend the mappings that ON_FIRST_BIND held back. True when it did; the space's queue is held. */
  async populate(id: string, session: string): Promise<boolean> {
    const space = this.#deps.registry.addressSpace(id, session);
    if (space.populated) return false;
    if (space.table.length > 0) await this.#deps.backend.map(space.handle, space.table);
    this.#deps.registry.putAddressSpace({ ...space, populated: true });
    return true;
  }

  /** Undoes populate after the bind it was for has failed; the space's queue is held. */
  async depopulate(id: string, session: string): Promise<void> {
    const space = this.#deps.registry.addressSpace(id, session);
    if (space.table.length > 0) await this.#deps.backend.unmap(space.handle, space.table);
    this.#deps.registry.putAddressSpace({ ...space, populated: false });
  }

  /** Refuses a host IOMMU that cannot hold what is already mapped. */
  requireReach(space: AddressSpaceRecord, host: HostIommu): void {
    const last = space.table[space.table.length - 1];
    if (last && last.ipa + last.bytes > 2 ** host.ipaBits) {
      throw new BrokerError(
        "registers_unfit",
        `address space ${space.id} maps up to ${hex(last.ipa + last.bytes)}, ${host.id} translates ${host.ipaBits}-bit IPAs`,
        { address_space: space.id, iommu: host.id, ipa_bits: host.ipaBits },
      );
    }
  }

  async #mapInto(
    space: AddressSpaceRecord,
    files: readonly GuestMemoryFile[],
    requests: readonly MappingRequest[],
    caller: Caller,
  ): Promise<AddressSpaceView> {
    const { backend, limits, permissions, registry } = this.#deps;
    requireOwnLabels(new Set(space.table.map(({ file }) => file)), files);
    const bounds = this.#boundsOf(space);
    const added = requests.map((request, index) => checkMapping(request, `mappings[${index}]`, files, bounds));
    const max = limits.mappingsPerAddressSpaceMax;
    if (space.table.length + added.length > max) {
      throw limitReached("mappings_per_address_space_max", max, "unmap something, or map larger ranges");
    }
    const table = planMap(space.table, added);
    const bytes = added.reduce((sum, mapping) => sum + mapping.bytes, 0);
    const quota = { verb: "MapMemory", subject: NO_SUBJECT, quota: "mapped_bytes", amount: bytes } as const;
    const settle = permissions.reserve(caller, quota);
    const after = { ...space, table };
    try {
      if (space.populated) await backend.map(space.handle, added);
      registry.putAddressSpace(after);
    } finally {
      settle();
    }
    for (const mapping of added) mapping.file.retain();
    this.#tell(space, "mapped", added);
    return addressSpaceView(after);
  }

  get #writesByCall(): boolean {
    return this.#deps.backend.kind === "simulated";
  }

  /** What was missing is there, for devices too where the backend has the mappings; or it is missing as before. */
  async #supply(
    { handle, populated }: AddressSpaceRecord,
    missing: AwaitedMemory,
    { file, mine }: { readonly file: GuestMemoryFile; readonly mine: readonly GuestMapping[] },
  ): Promise<void> {
    const isWritten = mine.some(({ writable }) => writable);
    missing.present(file, isWritten ? (this.#writesByCall ? "by-call" : "by-hardware") : "no");
    try {
      if (populated) await this.#deps.backend.fill(handle, mine);
    } catch (error) {
      missing.withdraw();
      throw error;
    }
  }

  #tell({ id, session }: AddressSpaceRecord, change: "mapped" | "unmapped", mappings: readonly GuestMapping[]): void {
    const bytes = mappings.reduce((sum, mapping) => sum + mapping.bytes, 0);
    const ranges = mappings.length;
    this.#deps.events.emit({ type: "memoryChanged", session, addressSpace: id, change, ranges, bytes });
  }

  /**
   * What bounds this memory: the reserved regions of every host IOMMU, since any may come to serve it, and the IPA
   * space of those that serve it now; while none does, the widest (a narrower one is checked when a device attaches).
   */
  #boundsOf(space: AddressSpaceRecord): MappingBounds {
    const { registry } = this.#deps;
    const hosts = registry.iommus();
    const serving = new Set(registry.virtualIommusIn(space.id).flatMap((virtual) => [...virtual.parts.keys()]));
    const bits = hosts.filter((host) => serving.has(host.id)).map((host) => host.ipaBits);
    const ipaBits = bits.length > 0 ? Math.min(...bits) : Math.max(...hosts.map((host) => host.ipaBits));
    return { ipaBits, hosts, writesByCall: this.#writesByCall };
  }
}
