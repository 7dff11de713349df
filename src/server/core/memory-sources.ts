// The files that a MapMemory names, by path or by ticket, held while the call lasts. All are opened, or none.
// Whether paths are possible at all is the MemoryFiles port's to say: this is where it is asked.

import { BrokerError } from "../../backends/errors.ts";
import type { GuestMemoryFile } from "../../backends/guest-memory.ts";
import { type Caller, uidOf } from "./caller.ts";
import type { MemorySource } from "./core.ts";
import type { Ports } from "./ports.ts";

export class OpenSources {
  readonly files: GuestMemoryFile[] = [];
  readonly #ports: Ports;
  readonly #tickets: string[] = [];

  private constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** @throws BrokerError with the path of the source at fault; nothing is held then */
  static async open(ports: Ports, sources: readonly MemorySource[], caller: Caller): Promise<OpenSources> {
    const open = new OpenSources(ports);
    try {
      for (const [index, source] of sources.entries()) await open.#openOne(source, `sources[${index}]`, caller);
      return open;
    } catch (error) {
      open.close(false);
      throw error;
    }
  }

  /** The memory behind one ticket, which the request names by itself. */
  static async ofTicket(ports: Ports, ticket: string, caller: Caller): Promise<OpenSources> {
    const open = new OpenSources(ports);
    await open.#take(ticket, "ticket", caller);
    return open;
  }

  /** Gives up the call's hold. @param isUsed  the call came about, so its tickets are spent */
  close(isUsed: boolean): void {
    for (const file of this.files.splice(0)) file.release();
    for (const ticket of this.#tickets.splice(0)) this.#ports.memoryTickets.settle(ticket, isUsed);
  }

  async #openOne(source: MemorySource, path: string, caller: Caller): Promise<void> {
    if (typeof source !== "string") {
      await this.#take(source.ticket, `${path}.ticket`, caller);
      return;
    }
    const open = () => this.#ports.memoryFiles.open(source, { uid: uidOf(caller) });
    this.files.push(await atField(`${path}.path`, open));
  }

  async #take(ticket: string, path: string, caller: Caller): Promise<void> {
    this.files.push(await atField(path, async () => this.#ports.memoryTickets.take(ticket, caller)));
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
