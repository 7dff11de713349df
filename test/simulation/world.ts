// A broker over a simulated host, several clients on it, and what must hold whenever nobody is in the middle of a call.
// The broker can die at any byte of its journal and come back on what is left.
// The world keeps books of its own (who owned a device when it faulted, what each client has mapped) from what it sees
// at the edges of core, and compares.

import { expect } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { BrokerError } from "../../src/backends/errors.ts";
import type { FaultNotice, FaultRecord } from "../../src/backends/faults.ts";
import type { DeviceID, GroupID } from "../../src/backends/ids.ts";
import type { SimulatorControl } from "../../src/backends/simulator-control.ts";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import type { FaultBatch, FaultSubscription } from "../../src/server/core/fault-verbs.ts";
import { foldRecords } from "../../src/server/core/recovery.ts";
import type { StageState } from "../../src/server/core/stage-state.ts";
import { entriesOf } from "../support/faults.ts";
import { addFile, CALLER, Failures, SMMU0, SMMU1, steConfig, type TestHost, testHost, turn } from "../support/host.ts";
import type { BufferFile } from "../support/memory-file.ts";
import { CrashDisk } from "./crash-disk.ts";
import { checkRecovered } from "./recovered.ts";

const CLIENTS = 3;
export const PAGES = 8;
export const FIRST_IPA = 0x4000_0000;
/** STE.Config of each state, IHI 0070 §5.2. */
const CONFIG: Readonly<Record<StageState, number>> = {
  "default-domain": 0b101,
  "nest-parent": 0b110,
  "guest-abort": 0b000,
  "guest-nested": 0b111,
  quarantined: 0b000,
};

/** One client, from OpenSession to its end. */
export interface Client {
  readonly slot: number;
  readonly session: string;
  readonly token: string;
  readonly addressSpace: string;
  readonly virtualIommu: string;
  readonly eager: boolean;
  readonly file: BufferFile;
  readonly mapped: Set<number>;
  /** Pages of calls that were not answered: mapped or not. */
  readonly inDoubt: Set<number>;
  subscription: FaultSubscription;
  readonly taken: Map<DeviceID, number>;
  readonly last: Map<DeviceID, number>;
  pending: Promise<void> | undefined;
  batches: FaultBatch[];
  hasEnded: boolean;
}

export class World {
  host: TestHost;
  disk = new CrashDisk();
  readonly failures = new Failures();
  readonly clients: (Client | undefined)[] = new Array<Client | undefined>(CLIENTS).fill(undefined);
  readonly devices: readonly DeviceID[];
  readonly #files: BufferFile[] = [];
  /** Who owned the device when its fault left the backend. */
  readonly #ownerAt = new WeakMap<FaultRecord, string | undefined>();
  /** Faults and overflow marks by session and device, as they left the backend. */
  readonly #recorded = new Map<string, Map<DeviceID, number>>();
  readonly #background: Promise<void>[] = [];
  /** By device: the highest generation that an answer told. */
  readonly #answered = new Map<DeviceID, number>();
  readonly #stages = new Map<GroupID, { readonly generation: number; readonly state: StageState }>();
  #told = 0;
  #backend: Backend | undefined;
  /** What went wrong beside a step. */
  #wrong: unknown;

  constructor() {
    this.host = testHost({ disk: this.disk, wrap: (backend) => this.#watch(backend) });
    this.devices = this.host.core.devices.list().map(({ id }) => id);
  }

  async start(): Promise<void> {
    await this.host.core.recover([]);
  }

  /** As the edge does before it answers. @throws BrokerError when the broker has died meanwhile */
  async durable(): Promise<void> {
    const told = this.host.core.devices.list();
    await this.host.core.durable();
    for (const { generation, id } of told) this.#answered.set(id, Math.max(generation, this.#answered.get(id) ?? 0));
  }

  /** The broker is dead already: whatever still ran in it comes to nothing. A new one starts on what the disk has. */
  async restart(): Promise<void> {
    await Promise.all(this.#background.splice(0));
    for (const file of this.#files) file.references = 1;
    const isArmed = this.failures.isArmed;
    const records = this.disk.records();
    this.disk = this.disk.successor();
    this.host = testHost({ after: this.host, disk: this.disk, wrap: (backend) => this.#watch(backend) });
    await this.host.core.recover(records);
    checkRecovered(records, this.host.core.image(), isArmed);
    this.#told = 0;
    this.#recorded.clear();
    this.#stages.clear();
    for (const { generation, group, id, state } of this.host.core.devices.list()) {
      this.#stages.set(group, { generation, state });
      expect([id, generation >= (this.#answered.get(id) ?? 0)]).toEqual([id, true]);
    }
    for (const client of this.clients) if (client) this.#comeBack(client, records);
    this.#told = this.host.events.length;
  }

  #comeBack(client: Client, records: readonly DurableRecord[]): void {
    const { core } = this.host;
    const { mappings, sessions } = foldRecords(records);
    if (!sessions.has(client.session) || core.sessions.remaining(client.session) === 0) {
      this.forget(client.slot); // had ended, or was given up
      return;
    }
    expect(core.sessions.authenticate(client.token, CALLER)).toBe(client.session);
    const found = new Set(
      [...(mappings.get(client.addressSpace)?.keys() ?? [])].map((ipa) => (ipa - FIRST_IPA) / 4096),
    );
    for (let page = 0; page < PAGES; page += 1) {
      if (client.inDoubt.has(page)) continue;
      expect([client.slot, page, found.has(page)]).toEqual([client.slot, page, client.mapped.has(page)]);
    }
    client.inDoubt.clear();
    client.mapped.clear();
    for (const page of found) client.mapped.add(page);
    client.subscription = core.faults.subscribe(client.session, { devices: [], resumeAfter: new Map() });
    client.taken.clear();
    client.last.clear();
    client.pending = undefined;
    client.batches = [];
    client.hasEnded = false;
  }

  /** A client with memory and a virtual IOMMU over both host SMMUs; nothing when its slot is taken or it is refused. */
  async open(slot: number, eager: boolean): Promise<void> {
    if (this.clients[slot]) return;
    const { sessions, addressSpaces, virtualIommus, faults } = this.host.core;
    const { session, token } = sessions.open({ displayName: `client ${slot}`, ttlMs: 1000, caller: CALLER });
    const file = addFile(this.host, `/memory/${slot}/${this.#files.length}`, PAGES * 4096);
    file.data.fill(slot + 1);
    this.#files.push(file);
    const space = await addressSpaces.create(session.id, eager ? "eager" : "on-first-bind");
    const ask = { addressSpace: space.id, iommus: [SMMU0, SMMU1], registers: undefined };
    const virtual = await virtualIommus.create(session.id, ask);
    await this.durable();
    this.clients[slot] = {
      slot,
      session: session.id,
      token,
      addressSpace: space.id,
      virtualIommu: virtual.id,
      eager,
      file,
      mapped: new Set(),
      inDoubt: new Set(),
      subscription: faults.subscribe(session.id, { devices: [], resumeAfter: new Map() }),
      taken: new Map(),
      last: new Map(),
      pending: undefined,
      batches: [],
      hasEnded: false,
    };
  }

  forget(slot: number): void {
    this.clients[slot] = undefined;
  }

  /** Runs a DMA on beside everything else; whatever it is given must be its client's own memory. */
  dmaBeside(client: Client, device: DeviceID, pages: readonly number[]): void {
    const run = answered(() => this.dma(client, device, pages)).then(
      () => {},
      (error: unknown) => {
        this.#wrong = error;
      },
    );
    this.#background.push(run);
  }

  async dma(client: Client, device: DeviceID, pages: readonly number[]): Promise<void> {
    const where = { substreamID: undefined, privileged: false, streamIndex: 0, kind: "read", bytes: 4096 } as const;
    const accesses = pages.map((page) => ({ ...where, iova: BigInt(FIRST_IPA + page * 4096) }));
    const outcomes = await this.host.core.simulator!.dma(client.session, device, accesses);
    for (const { data } of outcomes) {
      expect(data.find((byte) => byte !== client.slot + 1)).toBeUndefined();
    }
  }

  /** Takes what the client's subscription has, all of it, and checks each event against the books. */
  async drain(client: Client): Promise<void> {
    for (let taken = -1; taken !== client.batches.length; ) {
      taken = client.batches.length;
      await this.host.core.durable(); // numbers that are not on the disk are not told; a broker that has died tells nothing
      const { subscription } = client;
      client.pending ??= subscription.next().then((batch) => {
        if (client.subscription !== subscription) return; // of a broker that died meanwhile
        if (batch) client.batches.push(batch);
        client.hasEnded = batch === undefined;
        client.pending = undefined;
      });
      await turn();
    }
    for (const batch of client.batches.splice(0)) this.#account(client, batch);
    await this.host.core.durable();
    if (client.hasEnded) return; // what it had not read went with its session
    for (const [device, recorded] of this.#recorded.get(client.session) ?? []) {
      expect([device, client.taken.get(device) ?? 0]).toEqual([device, recorded]);
    }
  }

  /** What holds whenever no call is under way. */
  checkInvariants(): void {
    if (this.#wrong) throw this.#wrong;
    const { core } = this.host;
    const vmids = new Map<string, Set<number>>();
    for (const device of core.devices.list()) {
      expect([device.id, device.state, steConfig(this.host, device.id)]).toEqual([
        device.id,
        device.state,
        CONFIG[device.state],
      ]);
      expect(device.owner === undefined).toBe(device.state === "default-domain" || device.state === "quarantined");
      if (device.attached) expect(device.owner).toBeDefined();
      const siblings = device.groupDevices.map((id) => core.devices.get(id));
      expect(new Set(siblings.map(({ owner, state, generation }) => `${owner?.id} ${state} ${generation}`)).size).toBe(
        1,
      );
      if (device.state !== "nest-parent" && device.state !== "guest-nested") continue;
      const { ste } = this.host.backend.structures(device.id, 0, 0, undefined);
      const place = `${device.iommu} ${Number(ste[2]! & 0xffffn)}`; // S2VMID [143:128]
      vmids.set(place, (vmids.get(place) ?? new Set()).add(Number(device.virtualIommu!.slice(-4))));
    }
    for (const [place, owners] of vmids) expect([place, owners.size]).toEqual([place, 1]);
    this.#checkGenerations();
    for (const client of this.clients) if (client) this.#checkNames(client);
  }

  /** Every session ended, everything given back. */
  async end(): Promise<void> {
    this.failures.clear();
    for (const client of this.clients) if (client) await this.host.core.sessions.close(client.session);
    this.host.clock.advance(100_000);
    for (let round = 0; round < 3; round += 1) await this.host.core.reapExpired();
    await Promise.all(this.#background);
    if (this.#wrong) throw this.#wrong;
    const { devices, ...held } = this.host.core.census();
    expect(held).toMatchObject({ sessions: 0, addressSpaces: 0, virtualIommus: 0, mappedBytes: 0 });
    expect(held.faults.subscribers).toEqual({ owner: 0, observer: 0 });
    expect(devices.filter(({ state, attached }) => state !== "default-domain" || attached)).toEqual([]);
    expect(this.devices.map((id) => steConfig(this.host, id))).toEqual(this.devices.map(() => 0b101));
    expect(this.#files.map((file) => file.references)).toEqual(this.#files.map(() => 1));
    expect(await this.#nextVmids()).toEqual([1, 1]);
  }

  /** VMIDs that a fresh client's devices get, one behind each SMMU. */
  async #nextVmids(): Promise<number[]> {
    this.forget(0);
    await this.open(0, true);
    const client = this.clients[0]!;
    const vmids: number[] = [];
    for (const device of [this.devices[0]!, this.devices.at(-1)!]) {
      const { session, virtualIommu } = client;
      await this.host.core.stages.attach(session, {
        device,
        virtualIommu,
        initial: "bypass",
        expectedGeneration: undefined,
      });
      vmids.push(Number(this.host.backend.structures(device, 0, 0, undefined).ste[2]! & 0xffffn));
    }
    await this.host.core.sessions.close(client.session);
    return vmids;
  }

  #checkGenerations(): void {
    const { events } = this.host;
    for (; this.#told < events.length; this.#told += 1) {
      const event = events[this.#told]!;
      if (event.type !== "stageChanged") continue;
      const before = this.#stages.get(event.group) ?? { generation: 0, state: "default-domain" };
      expect([event.generation, event.from]).toEqual([before.generation + 1, before.state]);
      this.#stages.set(event.group, { generation: event.generation, state: event.to });
    }
  }

  #checkNames(client: Client): void {
    const names = this.host.core.devices
      .list()
      .filter((device) => device.virtualIommu === client.virtualIommu && device.virtualStreamID !== undefined)
      .map((device) => device.virtualStreamID);
    expect(new Set(names).size).toBe(names.length);
  }

  #account(client: Client, batch: FaultBatch): void {
    const count = (device: DeviceID, last: number, events: number): void => {
      expect(last).toBeGreaterThan(client.last.get(device) ?? 0);
      client.last.set(device, last);
      client.taken.set(device, (client.taken.get(device) ?? 0) + events);
    };
    for (const entry of [...batch.gaps, ...entriesOf(batch)]) {
      if (entry.kind === "gap") count(entry.device, entry.last, entry.last - entry.first + 1);
      if (entry.kind !== "event") continue;
      const { fault, sequence } = entry;
      expect([fault.device, this.#ownerAt.get(fault)]).toEqual([fault.device, client.session]);
      count(fault.device, sequence, 1);
    }
  }

  #watch(backend: Backend & SimulatorControl): Backend {
    const wrapped = this.failures.wrap(backend);
    this.#backend = backend;
    const onFault = (listener: (notice: FaultNotice) => void): void =>
      backend.onFault((notice) => {
        if (this.#backend === backend) this.#book(notice); // the hardware of a dead broker tells nobody
        listener(notice);
      });
    return new Proxy(wrapped, {
      get: (target, key) => (key === "onFault" ? onFault : Reflect.get(target, key, target)),
    });
  }

  #book(notice: FaultNotice): void {
    if (notice.kind === "ended") return;
    const devices = notice.kind === "fault" ? [notice.fault.device] : notice.devices;
    for (const device of devices) {
      const owner = this.host.core.devices.get(device).owner?.id;
      if (notice.kind === "fault") this.#ownerAt.set(notice.fault, owner);
      if (owner === undefined) continue;
      const books = this.#recorded.get(owner) ?? new Map<DeviceID, number>();
      this.#recorded.set(owner, books.set(device, (books.get(device) ?? 0) + 1));
    }
  }
}

/** A refusal is an answer; anything else that is thrown is a bug. */
export async function answered(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof BrokerError) return false;
    throw error;
  }
}
