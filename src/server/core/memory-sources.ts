// The files that a MapMemory names, by path or by ticket, held while the call lasts. All are opened, or none.
// Whether paths are possible at all is the MemoryFiles port's to say: this is where it is asked.

import { BrokerError } from "../../backends/errors.ts";
import type { GuestMemoryFile } from "../../backends/guest-memory.ts";
import type { MemorySource } from "./address-space-verbs.ts";
import { type Caller, uidOf } from "./caller.ts";
import type { Permissions } from "./permissions.ts";
import { NO_SUBJECT } from "./policy.ts";
import type { Ports } from "./ports.ts";

export interface SourceDeps {
  readonly ports: Ports;
  readonly permissions: Permissions;
}

export class OpenSources {
  readonly files: GuestMemoryFile[] = [];
  readonly #deps: SourceDeps;
  readonly #tickets: string[] = [];

  private constructor(deps: SourceDeps) {
    this.#deps = deps;
  }

  /** @throws BrokerError with the path of the source at fault; nothing is held then */
  static async open(deps: SourceDeps, sources: readonly MemorySource[], caller: Caller): Promise<OpenSources> {
    const open = new OpenSources(deps);
    try {
      for (const [index, source] of sources.entries()) await open.#openOne(source, `sources[${index}]`, caller);
      return open;
    } catch (error) {
      open.close(false);
      throw error;
    }
  }

  /** The memory behind one ticket, which the request names by itself. */
  static async ofTicket(deps: SourceDeps, ticket: string, caller: Caller): Promise<OpenSources> {
    const open = new OpenSources(deps);
    await open.#take(ticket, "ticket", { caller, verb: "PresentMemory" });
    return open;
  }

  /** Gives up the call's hold. @param isUsed  the call came about, so its tickets are spent */
  close(isUsed: boolean): void {
    for (const file of this.files.splice(0)) file.release();
    for (const ticket of this.#tickets.splice(0)) this.#deps.ports.memoryTickets.settle(ticket, isUsed);
  }

  async #openOne(source: MemorySource, path: string, caller: Caller): Promise<void> {
    if (typeof source !== "string") {
      await this.#take(source.ticket, `${path}.ticket`, { caller, verb: "MapMemory" });
      return;
    }
    const { permissions, ports } = this.#deps;
    const open = async () => {
      permissions.admit(caller, "MapMemory", { kind: "memory", path: source });
      return await ports.memoryFiles.open(source, { uid: uidOf(caller) });
    };
    this.files.push(await atField(`${path}.path`, open));
  }

  /** Memory without a path: the policy is asked whether the caller may map at all. */
  async #take(ticket: string, path: string, { caller, verb }: { caller: Caller; verb: string }): Promise<void> {
    const { permissions, ports } = this.#deps;
    const take = async () => {
      permissions.admit(caller, verb, NO_SUBJECT);
      return ports.memoryTickets.take(ticket, caller);
    };
    this.files.push(await atField(path, take));
    this.#tickets.push(ticket);
  }
}

async function atField<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const fields = [{ path, description: error.message }];
    const { code, message, facts, retryAfterMs } = error;
    throw new BrokerError(code, message, facts, {
      cause: error,
      fields,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
}
