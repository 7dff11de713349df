// QEMU's own monitor, on a port of the machine: what no kernel shows anybody, the SMMU's registers and the tables in memory
// that it reads, seen from outside.
// Source: QEMU, docs/interop/qmp-spec.rst, docs/system/monitor.rst (xp).

import { constants, openSync, readdirSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

const PORTS = "/sys/class/virtio-ports";
const PORT = "iommu-e2e.monitor";
const ANSWER_BYTES_MAX = 65_536;
const ANSWER_MS = 20_000;

export class HostMonitor {
  static #one: HostMonitor | undefined;
  readonly #file: number;
  readonly #buffer = Buffer.alloc(ANSWER_BYTES_MAX);
  #bytes = 0;

  private constructor() {
    const name = readdirSync(PORTS).find((each) => readFileSync(join(PORTS, each, "name"), "latin1").trim() === PORT);
    if (name === undefined) throw new Error(`the machine has no port ${PORT}`);
    this.#file = openSync(join("/dev", name), constants.O_RDWR + constants.O_NONBLOCK);
    this.#execute({ execute: "qmp_capabilities" });
  }

  /** For as long as the program runs: the monitor is greeted once, and one at a time has the port. */
  static get(): HostMonitor {
    HostMonitor.#one ??= new HostMonitor();
    return HostMonitor.#one;
  }

  /** Of the machine's physical memory. */
  read64(address: number, count = 1): readonly bigint[] {
    return this.#examine(address, `${count}gx`, count).map(BigInt);
  }

  /** For registers that take no wider access. */
  read32(address: number): number {
    return Number(this.#examine(address, "1wx", 1)[0]);
  }

  #examine(address: number, format: string, count: number): string[] {
    const command = `xp /${format} 0x${address.toString(16)}`;
    const said = this.#execute({ execute: "human-monitor-command", arguments: { "command-line": command } });
    // "0000000040010000: 0x0000000000000000 0x0000000000000001"
    const words = said.split(/\s+/).filter((word) => word.startsWith("0x"));
    if (words.length !== count) throw new Error(`the monitor answers ${command} with ${said}`);
    return words;
  }

  #execute(command: object): string {
    writeSync(this.#file, `${JSON.stringify(command)}\n`);
    for (;;) {
      const answer: { readonly return?: unknown; readonly error?: unknown } = JSON.parse(this.#line());
      if (answer.error !== undefined) throw new Error(`the monitor refuses: ${JSON.stringify(answer.error)}`);
      if (answer.return !== undefined) return String(answer.return); // others are its greeting, and events
    }
  }

  /** Looks all the time: a guest that waits would see its clock leap to the next deadline. */
  #line(): string {
    const began = performance.now();
    for (;;) {
      const end = this.#buffer.subarray(0, this.#bytes).indexOf("\n");
      if (end !== -1) {
        const line = this.#buffer.toString("utf8", 0, end);
        this.#buffer.copyWithin(0, end + 1, this.#bytes);
        this.#bytes -= end + 1;
        return line;
      }
      if (performance.now() - began > ANSWER_MS) throw new Error(`the monitor says nothing for ${ANSWER_MS} ms`);
      this.#bytes += this.#readSome();
    }
  }

  #readSome(): number {
    try {
      return readSync(this.#file, this.#buffer, this.#bytes, ANSWER_BYTES_MAX - this.#bytes, null);
    } catch (error) {
      if (error instanceof Error && Reflect.get(error, "code") === "EAGAIN") return 0;
      throw error;
    }
  }
}
