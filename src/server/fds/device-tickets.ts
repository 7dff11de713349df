// Tickets for descriptors of devices: what an owner was promised and has not fetched yet. 128 random bits stand for it, once,
// for the process that the owner's session hangs on, and for a short time. Implements core's DeviceTickets port.
// A ticket holds no descriptor: what it stands for is asked for at the moment in which it is passed, so that nothing is kept
// open for somebody who never comes, and nothing is passed that is not the holder's any more.

import type { DeviceDescriptor } from "../../backends/device-descriptors.ts";
import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import { assert } from "../../spec/assert.ts";
import type { Clock, DeviceTicketRequest, DeviceTickets, Ticket } from "../core/ports.ts";
import type { Putter } from "./tickets.ts";

export interface DeviceTicketsOptions {
  readonly clock: Clock;
  /** 32 hexadecimal digits that cannot be guessed. */
  readonly random: () => string;
  readonly ttlMs: number;
  readonly ticketsMax: number;
  /** Of one uid. */
  readonly ticketsPerPeerMax: number;
  onExpired(ticket: { readonly label: string } & Putter): void;
}

interface Issued extends DeviceTicketRequest {
  readonly deadlineMs: number;
}

/** What is passed. */
export interface Redeemed {
  readonly device: DeviceID;
  readonly descriptors: readonly DeviceDescriptor[];
  /** To be told once they are on their way. */
  passed(): void;
}

export class IssuedTickets implements DeviceTickets {
  readonly #options: DeviceTicketsOptions;
  readonly #tickets = new Map<string, Issued>();

  constructor(options: DeviceTicketsOptions) {
    this.#options = options;
  }

  requireRoom({ uid }: Putter): void {
    const { ticketsMax, ticketsPerPeerMax } = this.#options;
    const remedy = "fetch what was asked for, or wait until it expires";
    if (this.#tickets.size >= ticketsMax) throw limitReached("tickets_max", ticketsMax, remedy);
    const own = [...this.#tickets.values()].filter(({ holder }) => holder.uid === uid).length;
    if (own >= ticketsPerPeerMax) throw limitReached("tickets_per_peer_max", ticketsPerPeerMax, remedy);
  }

  issue(request: DeviceTicketRequest): Ticket {
    const { clock, random, ttlMs } = this.#options;
    const ticket = random();
    assert(!this.#tickets.has(ticket), "a ticket came up twice");
    this.#tickets.set(ticket, { ...request, deadlineMs: clock.monotonicMs() + ttlMs });
    return { ticket, expiresMs: ttlMs };
  }

  void(device: DeviceID): void {
    for (const [name, ticket] of this.#tickets) if (ticket.device === device) this.#tickets.delete(name);
  }

  /**
   * What a ticket stands for, once: it is good no more, whatever comes of it, unless somebody else's process named it.
   * @throws BrokerError argument_invalid, policy_denied, or why its device is not the holder's any more
   */
  redeem(name: string, peer: Putter): Redeemed {
    const ticket = this.#tickets.get(name);
    if (ticket === undefined || this.#isOver(ticket)) {
      const why = "the ticket is not known: it was used, has expired, is void, or never was; ask for another";
      throw new BrokerError("argument_invalid", why);
    }
    const { device, holder } = ticket;
    if (peer.pid === 0 || peer.pid !== holder.pid || peer.uid !== holder.uid) {
      throw new BrokerError(
        "policy_denied",
        `the ticket is of pid ${holder.pid} of uid ${holder.uid}, not of pid ${peer.pid} of uid ${peer.uid}: the process that asked must fetch`,
        { device },
      );
    }
    this.#tickets.delete(name);
    return { device, descriptors: ticket.open(), passed: () => ticket.passed() };
  }

  /** Forgets what nobody fetched in time. */
  expire(): void {
    for (const [name, ticket] of this.#tickets) {
      if (!this.#isOver(ticket)) continue;
      this.#tickets.delete(name);
      const { uid, pid } = ticket.holder;
      this.#options.onExpired({ label: ticket.device, uid, pid });
    }
  }

  /** Not fetched yet. */
  get waiting(): number {
    return this.#tickets.size;
  }

  #isOver({ deadlineMs }: Issued): boolean {
    return this.#options.clock.monotonicMs() >= deadlineMs;
  }
}
