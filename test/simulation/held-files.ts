// The files that stand for the simulated devices, FIFOs as the daemon has them, and the copies of them that processes hold.
// A process is a number here: its copies close with it, another process's do not. What epoll would tell of a close, and
// when, is told by this file, so that a script always takes the same course.

import { closeSync, constants, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceDescriptor, StandIns } from "../../src/backends/device-descriptors.ts";
import type { DeviceID, GroupID } from "../../src/backends/ids.ts";
import { createStandIns } from "../../src/os/stand-in-fifos.ts";

/** Some process's, of a device that the session had when it was passed. */
export interface Copy {
  readonly device: DeviceID;
  readonly group: GroupID;
  readonly session: string;
  /** The process of a client; undefined: one that no client's death ends. */
  readonly pid: number | undefined;
}

/** Closed with the last process that holds them. */
interface Opened {
  readonly files: readonly number[];
  readonly holders: Set<Copy>;
}

export class HeldFiles {
  readonly #directory = mkdtempSync(join(tmpdir(), "iommu-broker-sim-"));
  readonly #copies = new Map<Copy, Opened>();
  #watches = new Set<() => void>();
  #standIns: StandIns | undefined;

  /** For the broker that starts now; the kernel has closed what the one before it had. */
  forNewBroker(): StandIns {
    this.#standIns?.close();
    const watches = new Set<() => void>();
    this.#watches = watches;
    const watch = (_fd: number, onReadable: () => void): (() => void) => {
      const told = (): void => {
        if (watches.delete(told)) onReadable();
      };
      watches.add(told);
      return () => void watches.delete(told);
    };
    this.#standIns = createStandIns({ directory: this.#directory, poller: { watch } });
    return this.#standIns;
  }

  of(group: GroupID): readonly Copy[] {
    return this.all().filter((copy) => copy.group === group);
  }

  all(): readonly Copy[] {
    return [...this.#copies.keys()];
  }

  /** A process is passed these. */
  pass(copy: Copy, descriptors: readonly Pick<DeviceDescriptor, "fd">[]): void {
    const files = descriptors.map(({ fd }) =>
      openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY + constants.O_NONBLOCK),
    );
    this.#copies.set(copy, { files, holders: new Set([copy]) });
  }

  /** One process gives another one what it holds: the same open files. */
  share(copy: Copy): void {
    const opened = this.#copies.get(copy);
    if (opened === undefined) return;
    const another = { ...copy, pid: undefined };
    opened.holders.add(another);
    this.#copies.set(another, opened);
  }

  close(copies: readonly Copy[]): void {
    for (const copy of copies) {
      const { files = [], holders } = this.#copies.get(copy) ?? {};
      this.#copies.delete(copy);
      holders?.delete(copy);
      if (holders?.size === 0) for (const fd of files) closeSync(fd);
    }
    if (copies.length > 0) setImmediate(() => this.#tell());
  }

  /** On a later turn than what closed; each is told of whatever it was, as a wait may be over for nothing. */
  #tell(): void {
    for (const told of [...this.#watches]) told();
  }

  /** Processes that have ended hold nothing. */
  die(pids: readonly number[]): void {
    this.close(this.all().filter(({ pid }) => pid !== undefined && pids.includes(pid)));
  }

  /** Names of devices of which the broker or anybody else has a file open. */
  open(): readonly string[] {
    return readdirSync("/proc/self/fd").flatMap((fd) => {
      const path = targetOf(fd);
      return path?.startsWith(`${this.#directory}/`) ? [path.slice(this.#directory.length + 1)] : [];
    });
  }

  remove(): void {
    this.close(this.all());
    this.#watches.clear();
    this.#standIns?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function targetOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // the one that this list was read by
  }
}
