// The simulation's books of descriptors: tickets as clients were given them, who holds copies, and what follows for a
// group. While a copy is open nobody but its session has the group; once all are closed it is the host's again.

import { expect } from "vitest";
import type { BrokerError } from "../../src/backends/errors.ts";
import { type DeviceID, type GroupID, groupID } from "../../src/backends/ids.ts";
import type { ProcessCaller } from "../../src/server/core/caller.ts";
import type { DurableRecord } from "../../src/server/core/durable.ts";
import { foldRecords } from "../../src/server/core/durable-state.ts";
import type { BrokerEvent } from "../../src/server/core/events.ts";
import type { DeviceView } from "../../src/server/core/views.ts";
import { IssuedTickets } from "../../src/server/fds/device-tickets.ts";
import { HeldFiles } from "./held-files.ts";
import { poolDevice, TICKET_MS } from "./pool.ts";

/** Tickets that are kept in mind, the last ones. */
const TICKETS_MAX = 24;
const FREE: ReadonlySet<string> = new Set(["default-domain", "quarantined"]);

export type HandingOut = "brokered" | "vended";

export interface GivenTicket {
  readonly name: string;
  readonly device: DeviceID;
  readonly group: GroupID;
  readonly session: string;
  readonly holder: ProcessCaller;
  readonly how: HandingOut;
  readonly endMs: number;
  /** Bad: used, or void for certain. Doubtful: something was asked that may have made it void. */
  standing: "good" | "doubtful" | "bad";
}

/** That descriptors of a group are out, as its owner was told. */
interface Told {
  readonly how: HandingOut;
  readonly life: number;
  isFetched: boolean;
}

export class DescriptorBooks {
  readonly files = new HeldFiles();
  readonly wrong: string[] = [];
  readonly #nowMs: () => number;
  readonly #tickets: GivenTicket[] = [];
  readonly #told = new Map<GroupID, Told>();
  /** Groups of which the broker said that something is handed out. */
  readonly #handedOut = new Set<GroupID>();
  /** Withheld groups of which nobody may have been told that their copies are closed: the next tick looks. */
  readonly #unseen = new Set<GroupID>();
  /** By group, how often it came back from an owner. */
  readonly #tenures = new Map<GroupID, number>();
  readonly #vends = new Map<DeviceID, number>();
  readonly #refused: { readonly view: DeviceView; readonly error: BrokerError; readonly life: number }[] = [];
  /** In this step. */
  #mayFail = false;
  #office: IssuedTickets | undefined;
  /** Brokers before this one. */
  #life = 0;
  #lastTicket = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Its tickets die with a broker. */
  officeForNewBroker(): IssuedTickets {
    this.#office = new IssuedTickets({
      clock: { monotonicMs: this.#nowMs, wallMs: this.#nowMs },
      random: () => String(++this.#lastTicket).padStart(32, "0"),
      ttlMs: TICKET_MS,
      ticketsMax: 256,
      ticketsPerPeerMax: 64,
      onExpired: () => {},
    });
    return this.#office;
  }

  get office(): IssuedTickets {
    return this.#office!;
  }

  tickets(): readonly GivenTicket[] {
    return this.#tickets;
  }

  told(group: GroupID): Told | undefined {
    return this.#told.get(group);
  }

  /** The same number later: the group was not the host's meanwhile. */
  tenure(group: GroupID): number {
    return this.#tenures.get(group) ?? 0;
  }

  get life(): number {
    return this.#life;
  }

  /**
   * The answer with the ticket has arrived; `tenure` and `life` are of when it was made.
   * @returns false when that is over
   */
  given(
    ticket: GivenTicket,
    made: { readonly tenure: number; readonly life: number; readonly isNew: boolean },
  ): boolean {
    const { group, how } = ticket;
    if (made.tenure !== this.tenure(group) || made.life !== this.#life) return false;
    this.#tickets.push(ticket);
    if (this.#tickets.length > TICKETS_MAX) this.#tickets.shift();
    if (made.isNew || !this.#told.has(group)) this.#told.set(group, { how, life: this.#life, isFetched: false });
    return true;
  }

  /** What is about to be asked may make tickets void, or not. */
  doubt(isMeant: (ticket: GivenTicket) => boolean): void {
    for (const ticket of this.#tickets) {
      if (ticket.standing === "good" && isMeant(ticket)) ticket.standing = "doubtful";
    }
  }

  /** A good ticket: that was right only if the device was on its way from its owner, and leaves it before the step is over. */
  refused(view: DeviceView | undefined, error: BrokerError): void {
    if (view !== undefined) this.#refused.push({ view, error, life: this.#life });
  }

  /** A vend is about to be asked: its ticket takes the place of those before it. */
  vends(device: DeviceID): void {
    this.#vends.set(device, this.vendsOf(device) + 1);
    this.doubt((ticket) => ticket.device === device);
  }

  vendsOf(device: DeviceID): number {
    return this.#vends.get(device) ?? 0;
  }

  /** Some call of the backend: a release that fails has made tickets void before. */
  mayFail(): void {
    this.#mayFail = true;
  }

  #doubtAll(): void {
    this.doubt(() => true);
    this.#refused.length = 0;
  }

  /** The tick that is about to come looks at every withheld group. */
  looks(): void {
    this.#unseen.clear();
  }

  hear(event: BrokerEvent, devices: () => readonly DeviceView[]): void {
    if (event.type === "handedOut") this.#handedOut.add(poolDevice(event.device).group);
    else if (event.type === "reapFailed") this.#failed(event.subject);
    else if (event.type === "deviceRemoved") this.#removed(event.device, devices());
    else if (event.type === "stageChanged") this.#stageChanged(event);
  }

  #failed(subject: string): void {
    const [kind, id] = subject.split("/");
    if (kind === "group") this.#unseen.add(groupID(Number(id)));
  }

  #stageChanged({ from, group, to }: Extract<BrokerEvent, { type: "stageChanged" }>): void {
    if (from === "releasing" && !FREE.has(to)) this.wrong.push(`group ${group} went from releasing to ${to}`);
    if (to !== "releasing" && !FREE.has(to)) return;
    this.#void((ticket) => ticket.group === group);
    if (to === "releasing") return;
    const held = this.files.of(group);
    if (held.length > 0) this.wrong.push(`group ${group} became ${to} with ${held.length} copies open`);
    this.#forget(group);
  }

  #removed(device: DeviceID, left: readonly DeviceView[]): void {
    const { group } = poolDevice(device);
    this.#void((ticket) => ticket.device === device);
    this.files.close(this.files.all().filter((copy) => copy.device === device)); // of a device that is no more
    this.#unseen.add(group);
    if (!left.some((other) => other.group === group)) this.#forget(group);
  }

  #forget(group: GroupID): void {
    this.#tenures.set(group, this.tenure(group) + 1);
    this.#told.delete(group);
    this.#handedOut.delete(group);
    this.#unseen.delete(group);
  }

  #void(isMeant: (ticket: GivenTicket) => boolean): void {
    for (const ticket of this.#tickets) if (isMeant(ticket)) ticket.standing = "bad";
  }

  /** What was answered is in the journal; a broker that starts has given no ticket and looked at nothing. */
  restart(records: readonly DurableRecord[], devices: readonly DeviceView[]): void {
    this.#life += 1;
    this.#void(() => true);
    const out = [...foldRecords(records).groups.values()].filter(({ handedOut }) => handedOut === true);
    const told = [...this.#told.keys()];
    expect(told.filter((group) => !out.some(({ id }) => id === group))).toEqual([]);
    this.#handedOut.clear();
    for (const { groupDevices, group } of devices) {
      if (groupDevices.length > 0 && out.some(({ id }) => id === group)) this.#handedOut.add(group);
    }
    for (const { group, state } of devices) if (state === "releasing") this.#unseen.add(group);
  }

  /** Whenever nobody is in the middle of a call. @param mayFail  a call of the backend will fail */
  check(devices: readonly DeviceView[], mayFail: boolean): void {
    if (this.#mayFail) this.#doubtAll();
    this.#mayFail = mayFail;
    for (const { error, life, view } of this.#refused.splice(0)) {
      const now = devices.find(({ id }) => id === view.id);
      const hasLeft = now?.generation !== view.generation || life !== this.#life;
      if (!hasLeft) this.wrong.push(`a good ticket for ${view.id} was refused: ${error.message}`);
    }
    expect(this.wrong).toEqual([]);
    for (const device of devices) this.#checkDevice(device);
  }

  #checkDevice({ attached, group, id, owner, stageAuthoritative, state }: DeviceView): void {
    const isOut = this.#told.has(group) || state === "releasing" || state === "vended";
    if (isOut) expect([id, state, "authoritative", stageAuthoritative]).toEqual([id, state, "authoritative", false]);
    const isAlone = !this.#handedOut.has(group);
    if (isAlone) expect([id, state, "authoritative", stageAuthoritative]).toEqual([id, state, "authoritative", true]);
    const copies = this.files.of(group);
    for (const { session } of copies) {
      const isItsOwn = owner?.id === session && state !== "releasing";
      const isNobodys = owner === undefined && state === "releasing" && !attached;
      expect([id, state, owner?.id, session, isItsOwn || isNobodys]).toEqual([id, state, owner?.id, session, true]);
    }
    if (state !== "releasing" || this.#unseen.has(group)) return;
    expect([id, "is withheld for a copy", copies.length > 0]).toEqual([id, "is withheld for a copy", true]);
  }
}
