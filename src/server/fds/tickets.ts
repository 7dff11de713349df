// Tickets: guest memory that a client has put and nobody has mapped yet. 128 random bits stand for it, once, for the
// process that put it, and for a short time. Implements core's MemoryTickets port.
// A call that names a ticket holds it; when the call comes to nothing the ticket is good again, since a failed call changes
// nothing. What nobody claims is closed and told.

import { BrokerError, limitReached } from "../../backends/errors.ts";
import type { GuestMemoryFile } from "../../backends/guest-memory.ts";
import { assert } from "../../spec/assert.ts";
import { type Caller, describeCaller } from "../core/caller.ts";
import type { Clock, MemoryTickets } from "../core/ports.ts";

/** The process that put it, as the kernel noted when it connected. */
export interface Putter {
  readonly uid: number;
  /** 0: of another pid namespace. */
  readonly pid: number;
}

export interface ExpiredTicket extends Putter {
  readonly label: string;
}

export interface TicketsOptions {
  readonly clock: Clock;
  /** 32 hexadecimal digits that cannot be guessed. */
  readonly random: () => string;
  readonly ttlMs: number;
  readonly ticketsMax: number;
  /** Of one uid. */
  readonly ticketsPerPeerMax: number;
  onUsed(): void;
  onExpired(ticket: ExpiredTicket): void;
}

interface Ticket {
  readonly file: GuestMemoryFile;
  readonly label: string;
  readonly putter: Putter;
  readonly deadlineMs: number;
  /** A call has it in hand. */
  isTaken: boolean;
}

export class Tickets implements MemoryTickets {
  readonly #options: TicketsOptions;
  readonly #tickets = new Map<string, Ticket>();

  constructor(options: TicketsOptions) {
    this.#options = options;
  }

  /** Refuses one more for this process. Before its descriptor is even looked at. */
  requireRoom(putter: Putter): void {
    const { ticketsMax, ticketsPerPeerMax } = this.#options;
    const remedy = "map what was put, or wait until it expires";
    if (this.#tickets.size >= ticketsMax) throw limitReached("tickets_max", ticketsMax, remedy);
    const own = [...this.#tickets.values()].filter(({ putter: { uid } }) => uid === putter.uid).length;
    if (own >= ticketsPerPeerMax) throw limitReached("tickets_per_peer_max", ticketsPerPeerMax, remedy);
  }

  /** Takes over the caller's hold on the file. */
  put(file: GuestMemoryFile, label: string, putter: Putter): { readonly ticket: string; readonly expiresMs: number } {
    const { clock, random, ttlMs } = this.#options;
    const ticket = random();
    assert(!this.#tickets.has(ticket), "a ticket came up twice");
    this.#tickets.set(ticket, { file, label, putter, deadlineMs: clock.monotonicMs() + ttlMs, isTaken: false });
    return { ticket, expiresMs: ttlMs };
  }

  take(name: string, caller: Caller): GuestMemoryFile {
    const ticket = this.#tickets.get(name);
    if (ticket === undefined || this.#isOver(ticket)) {
      throw new BrokerError(
        "argument_invalid",
        "the ticket is not known: it was used, has expired, or never was; put the descriptor again",
      );
    }
    if (!isPutter(ticket.putter, caller)) {
      const { uid, pid } = ticket.putter;
      throw new BrokerError(
        "policy_denied",
        `the ticket is of pid ${pid} of uid ${uid}, not of ${describeCaller(caller)}: the process that maps must put`,
        { label: ticket.label },
      );
    }
    if (ticket.isTaken) {
      throw new BrokerError(
        "argument_invalid",
        "the ticket is named twice, or another call has it: name it once, or put the descriptor again",
      );
    }
    ticket.isTaken = true;
    ticket.file.retain();
    ticket.file.remeasure?.(); // its owner may have truncated or grown it since it was put
    return ticket.file;
  }

  settle(name: string, isUsed: boolean): void {
    const ticket = this.#tickets.get(name);
    assert(ticket?.isTaken === true, "only a ticket that was taken is settled");
    ticket.isTaken = false;
    if (!isUsed) return;
    this.#tickets.delete(name);
    ticket.file.release();
    this.#options.onUsed();
  }

  /** Closes what nobody claimed in time. */
  expire(): void {
    for (const [name, ticket] of this.#tickets) {
      if (ticket.isTaken || !this.#isOver(ticket)) continue;
      this.#tickets.delete(name);
      ticket.file.release();
      this.#options.onExpired({ label: ticket.label, ...ticket.putter });
    }
  }

  census(): { readonly waiting: number; readonly taken: number } {
    const taken = [...this.#tickets.values()].filter(({ isTaken }) => isTaken).length;
    return { waiting: this.#tickets.size - taken, taken };
  }

  #isOver({ deadlineMs }: Ticket): boolean {
    return this.#options.clock.monotonicMs() >= deadlineMs;
  }
}

/** Fails closed: whoever nobody vouches for put nothing. */
function isPutter(putter: Putter, caller: Caller): boolean {
  return caller.kind === "process" && caller.uid === putter.uid && caller.pid === putter.pid;
}
