// Who holds copies of simulated devices' descriptors while the kill test runs, as procfs tells, and copies that the runner
// takes from its clients: they outlive their clients, as a process does that was passed one.

import { closeSync, constants, openSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export interface Holder {
  /** "devices/{id}" */
  readonly device: string;
  /** The client that was given it. */
  readonly client: string;
}

interface Taken extends Holder {
  readonly fd: number;
}

export class Copies {
  readonly #directory: string;
  #taken: Taken[] = [];

  /** @param directory  of the daemon's stand-ins */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What a process has open. */
  openBy(pid: number, client: string): readonly (Holder & { readonly path: string })[] {
    return descriptorsOf(pid).flatMap(({ path, target }) => {
      if (!target.startsWith(`${this.#directory}/`)) return [];
      return [{ device: `devices/${target.slice(this.#directory.length + 1)}`, client, path }];
    });
  }

  /** One more copy of each that a client holds: the client's death does not close it. @returns how many */
  takeFrom(pid: number, client: string): number {
    const before = this.#taken.length;
    for (const { device, path } of this.openBy(pid, client)) {
      try {
        // Not for writing alone, which waits for a reader: there may be no daemon now.
        this.#taken.push({ device, client, fd: openSync(path, constants.O_RDWR + constants.O_NONBLOCK) });
      } catch {
        // closed meanwhile
      }
    }
    return this.#taken.length - before;
  }

  taken(): readonly Holder[] {
    return this.#taken;
  }

  /** Those that are meant; each is asked for once. */
  close(isMeant: (holder: Holder) => boolean): void {
    this.#taken = this.#taken.filter((holder) => {
      const closes = isMeant(holder);
      if (closes) closeSync(holder.fd);
      return !closes;
    });
  }
}

function descriptorsOf(pid: number): readonly { readonly path: string; readonly target: string }[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((fd) => {
      const path = join(folder, fd);
      const target = targetOf(path);
      return target === undefined ? [] : [{ path, target }];
    });
  } catch {
    return []; // the process has ended
  }
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // closed meanwhile
  }
}
