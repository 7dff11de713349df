// A broker over a simulated host, several clients on it, and the books that are kept of what they did.
// The broker can die at any byte of its journal and come back on what is left. invariants.ts says what must hold whenever
// nobody is in the middle of a call, witness.ts what must hold of each event.

import { expect } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import type { DeviceID } from "../../src/backends/ids.ts";
import type { ProcessCaller } from "../../src/server/core/caller.ts";
import type { DurableImage } from "../../src/server/core/durable.ts";
import type { DeviceView } from "../../src/server/core/views.ts";
import { addFile, SMMU0, SMMU1, type TestHost, testHost, turn } from "../support/host.ts";
import type { BufferFile } from "../support/memory-file.ts";
import type { Client } from "./client.ts";
import type { Standing } from "./commands.ts";
import { CrashDisk, type Tail } from "./crash-disk.ts";
import { DescriptorBooks } from "./descriptor-books.ts";
import { FaultBooks } from "./fault-books.ts";
import { Hardware } from "./hardware.ts";
import { CLIENTS, callerOf, GRACE_MS, LEASE_MS, PAGE_BYTES, PAGES, policyOf, RANKED, slotOf, UIDS } from "./pool.ts";
import type { Reached } from "./reached.ts";
import { checkRecovered, checkSettled } from "./recovered.ts";
import { comeBack } from "./returning.ts";
import { Waits } from "./waits.ts";
import { Witness } from "./witness.ts";

export class World {
  host: TestHost;
  disk = new CrashDisk();
  step = 0;
  /** How often it came to what a script is after. */
  readonly reached: Reached;
  standings: readonly Standing[] = RANKED;
  readonly clients: (Client | undefined)[] = new Array<Client | undefined>(CLIENTS).fill(undefined);
  readonly faults = new FaultBooks();
  readonly waits = new Waits();
  readonly descriptors = new DescriptorBooks(() => this.host.clock.nowMs);
  readonly witness: Witness;
  readonly files: BufferFile[] = [];
  readonly hardware: Hardware;
  /** All that was, had nothing been under way when the broker died. */
  imageAtDeath: DurableImage | undefined;
  readonly #background: Promise<void>[] = [];
  /** By device: the highest generation that an answer told of it, since it was plugged. */
  readonly #answered = new Map<DeviceID, number>();
  #lastPid = 100;
  /** What went wrong beside a step. */
  #wrong: unknown;

  constructor(reached: Reached) {
    this.reached = reached;
    this.witness = new Witness(
      {
        nowMs: () => this.host.clock.nowMs,
        devices: () => this.host.core.devices.list(),
        standingOf: (session) => this.#standingOf(session),
        isDead: (session) => this.#isDead(session),
      },
      this.waits,
    );
    this.hardware = new Hardware({
      onFault: (notice) => this.faults.note(this.host.core, notice),
      onReset: (device) => this.witness.wasReset(device),
    });
    this.host = this.#newHost(undefined);
  }

  async start(): Promise<void> {
    await this.host.core.recover([]);
  }

  devices(): readonly DeviceView[] {
    return this.host.core.devices.list();
  }

  /** As the edge does before it answers. @throws BrokerError when the broker has died meanwhile */
  async durable(): Promise<void> {
    const told = this.devices();
    await this.host.core.durable();
    const now = new Map(this.devices().map(({ generation, id }) => [id, generation]));
    for (const { generation, id } of told) {
      const isSame = (now.get(id) ?? -1) >= generation; // it may have gone and come back meanwhile
      if (isSame) this.#answered.set(id, Math.max(generation, this.#answered.get(id) ?? 0));
    }
  }

  /** The broker is dead already: whatever still ran in it comes to nothing. A new one starts on what the disk has. */
  async restart(): Promise<void> {
    for (const { gate } of this.waits.all()) gate.end(new BrokerError("call_over", "the broker died"));
    await Promise.all(this.#background.splice(0));
    await this.#still();
    this.host.clock.forgetAlarms();
    this.host.processes.forgetWatches();
    for (const file of this.files) file.references = 1;
    this.hardware.failures.pass("block"); // a broker that cannot block what is quarantined, or out, does not start
    const isArmed = this.hardware.failures.isArmed;
    const records = this.disk.records();
    this.disk = this.disk.successor();
    this.faults.restart();
    this.waits.restart();
    this.host = this.#newHost(this.host);
    await this.host.core.recover(records);
    const image = this.host.core.image();
    checkRecovered(records, image, isArmed);
    if (this.imageAtDeath !== undefined && !isArmed) checkSettled(this.imageAtDeath, image);
    this.imageAtDeath = undefined;
    this.witness.restart();
    this.descriptors.restart(records, this.devices());
    for (const { stageAuthoritative, state } of this.devices()) {
      if (!stageAuthoritative) this.reached.add(`${state} over a restart, descriptors out`);
    }
    for (const { generation, id } of this.devices()) {
      expect([id, generation >= (this.#answered.get(id) ?? 0)]).toEqual([id, true]);
    }
    for (const client of this.clients) if (client) comeBack(this, client, records);
  }

  /** A client with memory and a virtual IOMMU over both host SMMUs; nothing when its slot is taken or it is refused. */
  async open(slot: number, how: { eager: boolean; graceMs: number; hangsOnProcess: boolean }): Promise<void> {
    if (this.clients[slot]) return;
    const { sessions, addressSpaces, virtualIommus } = this.host.core;
    const { eager, graceMs, hangsOnProcess } = how;
    const caller = this.newProcess(slot);
    const terms = { ttlMs: hangsOnProcess ? undefined : LEASE_MS, graceMs, transferableTo: UIDS };
    let hasOpened = false;
    try {
      const { session, token } = sessions.open({ displayName: `client ${slot}`, ...terms, caller });
      this.witness.renewed(session.id);
      const file = addFile(this.host, `/memory/${slot}/${this.files.length}`, PAGES * PAGE_BYTES);
      file.data.fill(slot + 1);
      this.files.push(file);
      const space = await addressSpaces.create(session.id, eager ? "eager" : "on-first-bind");
      const ask = { addressSpace: space.id, iommus: [SMMU0, SMMU1], registers: undefined };
      const virtual = await virtualIommus.create(session.id, ask);
      await this.durable();
      if (this.clients[slot]) return; // somebody else was faster
      const held = { addressSpace: space.id, virtualIommu: virtual.id, eager, file };
      const books = { mapped: new Set<number>(), inDoubt: new Set<number>(), pids: [caller.pid] };
      this.clients[slot] = { slot, session: session.id, credentials: [{ token, caller }], ...held, ...books };
      this.faults.subscribe(this.host.core, session.id);
      hasOpened = true;
    } finally {
      if (!hasOpened) this.host.processes.die(caller.pid);
    }
  }

  forget(slot: number): void {
    this.clients[slot] = undefined;
  }

  /** The process is gone: nobody renews, nobody reads. */
  crash(slot: number): void {
    const client = this.clients[slot];
    this.forget(slot);
    this.descriptors.files.die(client?.pids ?? []);
    for (const pid of client?.pids ?? []) this.host.processes.die(pid);
  }

  /** Power goes, in the middle of whatever is under way. */
  die(part: number, tail: Tail): void {
    if (this.disk.isDead) return;
    if (this.disk.isSettled) this.imageAtDeath = this.host.core.image();
    this.disk.cut(part, tail);
  }

  allowAll(): void {
    this.standings = RANKED;
    this.witness.requests.hasNewPolicy = true;
    this.host.core.permissions.replace(policyOf(RANKED));
  }

  /** Of the slot's uid. */
  newProcess(slot: number): ProcessCaller {
    const pid = ++this.#lastPid;
    this.host.processes.running.set(pid, `birth of ${pid}`);
    return callerOf(slot, pid);
  }

  /** Runs on beside everything else, over steps; a refusal is an answer. */
  beside(act: () => Promise<unknown>): void {
    const run = answered(act).then(
      () => {},
      (error: unknown) => {
        this.#wrong = error;
      },
    );
    this.#background.push(run);
  }

  /** All that runs beside has come to an end. */
  async finished(): Promise<void> {
    await Promise.all(this.#background.splice(0));
    this.requireRight();
  }

  /** Waits until nothing moves any more, but for what waits for somebody. */
  async settle(): Promise<void> {
    await this.#still();
    this.requireRight();
    const gone = this.witness.takeUnplugged();
    if (gone.length > 0) await this.faults.forgetDevices(gone);
    for (const device of gone) this.#answered.delete(device);
    this.witness.requests.clear();
  }

  /** The script is over, however it ended. */
  close(): void {
    this.descriptors.files.remove();
  }

  requireRight(): void {
    if (this.#wrong) throw this.#wrong;
    expect(this.witness.wrong).toEqual([]);
    expect(this.descriptors.wrong).toEqual([]);
  }

  async #still(): Promise<void> {
    for (let seen = -1; seen !== this.#moved(); ) {
      seen = this.#moved();
      await turn();
    }
  }

  #moved(): number {
    return this.host.events.length + this.host.journal.length + this.hardware.failures.calls.length;
  }

  #newHost(before: TestHost | undefined): TestHost {
    const after = before === undefined ? {} : { after: before };
    const policy = policyOf(this.standings);
    const host = testHost({
      ...after,
      limits: { preemptGraceMs: GRACE_MS },
      disk: this.disk,
      policy,
      wrap: (backend) => this.hardware.under(backend),
      standIns: this.descriptors.files.forNewBroker(),
      ticketOffice: this.descriptors.officeForNewBroker(),
    });
    host.core.events.subscribe((event) => {
      if (this.host !== host) return; // what a dead broker does is of no account
      this.witness.hear(event, this.step);
      this.descriptors.hear(event, () => this.devices());
      this.reached.hear(event);
    });
    return host;
  }

  #standingOf(session: string): Standing | undefined {
    const caller = this.host.core.administration.ownerOf(session)?.caller;
    return caller?.kind === "process" ? this.standings[slotOf(caller)] : undefined;
  }

  #isDead(session: string): boolean {
    const caller = this.host.core.administration.ownerOf(session)?.caller;
    return caller?.kind === "process" && this.host.processes.running.get(caller.pid) === "dead";
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
