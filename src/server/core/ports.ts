// What core needs from outside and is given: time, randomness, files, a journal, the deaths of processes. daemon.ts supplies them.

import type { DeviceDescriptor } from "../../backends/device-descriptors.ts";
import type { GuestMemoryFile } from "../../backends/guest-memory.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { Caller, ProcessCaller } from "./caller.ts";
import type { DurableRecord } from "./durable.ts";

/** Time. Monotonic time decides leases; wall time only labels events. */
export interface Clock {
  /** Milliseconds that never go back and do not jump. */
  monotonicMs(): number;
  /** Milliseconds since 1970. */
  wallMs(): number;
}

/** Calls back once, after some time. */
export interface Alarms {
  /** @returns calls it off; of no effect once it has rung */
  after(ms: number, ring: () => void): () => void;
}

/** Identifiers that cannot be guessed, and the digest under which a secret is kept. */
export interface Identifiers {
  uuid(): string;
  /** At least 128 bits of randomness, printable. */
  token(): string;
  /** One-way; the same token always gives the same digest. */
  digest(token: string): string;
}

/** Opens files that a client named as guest memory. */
export interface MemoryFiles {
  /**
   * Opens the file and retains it once for the caller.
   * @param caller  on whose behalf; uid undefined: not known by uid
   * @throws BrokerError argument_invalid or policy_denied with the reason: outside the roots, a symbolic link, not a
   *         regular file, another user's, not there
   */
  open(path: string, caller: { readonly uid: number | undefined }): Promise<GuestMemoryFile>;
}

/** Guest memory that clients passed as descriptors, each under a ticket that is good once. */
export interface MemoryTickets {
  /**
   * The memory behind a ticket, retained once for the caller, in whose hands it is until settle().
   * @throws BrokerError argument_invalid or policy_denied: not known, expired, taken, another process's
   */
  take(ticket: string, caller: Caller): GuestMemoryFile;
  /** Used: it is gone. Not used: it is good again for the rest of its time. */
  settle(ticket: string, isUsed: boolean): void;
}

/** A ticket that was just made. */
export interface Ticket {
  readonly ticket: string;
  /** From now on. */
  readonly expiresMs: number;
}

export interface DeviceTicketRequest {
  readonly device: DeviceID;
  /** The process that may redeem it. */
  readonly holder: ProcessCaller;
  /**
   * What it stands for when it is redeemed, to be passed at once.
   * @throws BrokerError why it stands for nothing any more
   */
  open(): readonly DeviceDescriptor[];
  /** In the turn of open(): the kernel has taken the message that they are in. */
  passed(): void;
}

/** Descriptors of devices that their owners have asked for and not fetched yet, each set under a ticket that is good once. */
export interface DeviceTickets {
  /** @throws BrokerError limit_reached when this process, or everybody, has too many */
  requireRoom(holder: ProcessCaller): void;
  issue(request: DeviceTicketRequest): Ticket;
  /** What was issued for a device is good no more. */
  void(device: DeviceID): void;
}

/** One line of history: what is about to happen, or what came of it. */
export interface JournalEntry {
  readonly kind: "intent" | "outcome";
  readonly verb: string;
  readonly session: string | undefined;
  readonly subject: string;
  readonly generation: number | undefined;
  readonly result: "pending" | "done" | "failed";
}

/** What outlives the daemon. Records are kept in the order in which they come. */
export interface Journal {
  /** Notes what is about to be asked of the backend, or what came of it. */
  append(entry: JournalEntry): Promise<void>;
  /** Notes how something is now. */
  note(record: DurableRecord): void;
  /**
   * Resolves once all that was noted so far would survive a crash. What an answer tells must. Undefined: it would now.
   * @throws BrokerError backend_failed when it cannot be kept
   */
  durable(): Promise<void> | undefined;
}

/** A process, told from every other one that ever has its pid, also by a daemon that was started since. */
export interface WatchedProcess {
  readonly pid: number;
  /** When it began, in a form that only compares. */
  readonly birth: string;
}

export type WatchOutcome =
  | { readonly kind: "watched"; readonly process: WatchedProcess; stop(): void }
  /** It has ended already; its pid may be another's by now. */
  | { readonly kind: "dead" }
  /** `reason` reads on after "the process cannot be watched:". */
  | { readonly kind: "impossible"; readonly reason: string };

/** Tells when a process ends, however it ends; one that is stopped has not ended. */
export interface ProcessWatch {
  /** Watches the process that calls. `onDeath` is called at most once, not from within, and not after stop(). */
  watch(caller: Caller, onDeath: () => void): WatchOutcome;
  /** Watches a process that was known before a restart. */
  rewatch(process: WatchedProcess, onDeath: () => void): WatchOutcome;
}

export interface Ports {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly identifiers: Identifiers;
  readonly memoryFiles: MemoryFiles;
  readonly memoryTickets: MemoryTickets;
  readonly deviceTickets: DeviceTickets;
  readonly journal: Journal;
  readonly processes: ProcessWatch;
}
