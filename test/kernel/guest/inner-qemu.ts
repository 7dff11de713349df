// Debian's QEMU in the guest, started as whoever has a device vended starts it: by iommuctl vend, without any right, with
// the arguments that iommuctl render prints. Its machine never runs: what a guest would do to the device and its memory is
// done through qtest.
// Source: QEMU system/qtest.c (the protocol), hw/arm/virt.c (the memory map with highmem=off), docs/specs/edu.rst.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const COMMAND = "/app/dist/cli/main.js";
const ROOT = "/run/qemu";
const ENVIRONMENT = { ...process.env, PATH: `${ROOT}/bin`, LD_LIBRARY_PATH: `${ROOT}/lib` };
/** Nobody, who may open neither /dev/iommu nor a device. */
const UID = 65_534;
const RAM_MIB = 64;
/** Of the inner guest: where it begins, and how long it is. */
export const INNER_RAM = { start: 0x4000_0000, bytes: RAM_MIB * 2 ** 20 } as const;
const CONFIG_SPACE = 0x3f00_0000;
const SLOTS = 32;
/** Vendor and device of edu. */
const EDU_ID = 0x11e8_1234;
const CONFIG = { id: 0, command: 4, bar0: 0x10 } as const;
const MEMORY_SPACE_AND_BUS_MASTER = 6;
/** In the machine's window for devices' memory. */
const BAR0 = 0x1000_0000;
const REGISTER = { source: 0x80, target: 0x88, count: 0x90, command: 0x98 } as const;
const BUFFER = 0x4_0000;
const START = 1;
const TO_MEMORY = 2;
const TRANSFER_MS_MAX = 15_000;
const LOOK_MS = 20;

export interface QemuOptions {
  /** The broker, for connect(). */
  readonly target: string;
  /** dddd:bb:dd.f */
  readonly address: string;
  /** Shown as the device's owner. */
  readonly name: string;
  /** What QEMU may pin, in bytes: RLIMIT_MEMLOCK. */
  readonly memlock: number;
  /** Its arguments for the device. */
  readonly device: readonly string[];
}

/** Of iommuctl, and what it and QEMU have written. */
export interface QemuEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: string;
}

/** Of its folder. */
const FILE = { ram: "ram", monitor: "qmp", pid: "pid" } as const;

/** QEMU with a machine that has no devices and does not run; by memory in a file DMA can be seen past it. */
function machineIn(folder: string): string[] {
  const path = (name: string): string => join(folder, name);
  return [
    ..."qemu-system-aarch64 -machine virt,highmem=off,memory-backend=ram -cpu cortex-a57 -accel tcg -S".split(" "),
    ...["-m", `${RAM_MIB}`, "-nodefaults", "-no-user-config", "-display", "none"],
    ...["-object", `memory-backend-file,id=ram,mem-path=${path(FILE.ram)},size=${RAM_MIB}M,share=on`],
    ...["-qtest", "stdio", "-qtest-log", "none"],
    ...["-qmp", `unix:${path(FILE.monitor)},server=on,wait=off`, "-pidfile", path(FILE.pid)],
  ];
}

type Transfer = readonly [source: number, target: number, bytes: number, command: number];

export class InnerQemu {
  readonly #folder = mkdtempSync(join(tmpdir(), "qemu-"));
  readonly #said: string[] = [];
  readonly #answers: string[] = [];
  #news = Promise.withResolvers<void>();
  #isOver = false;
  #edu = 0;
  readonly iommuctl: ChildProcess;
  readonly ended: Promise<QemuEnd>;

  constructor({ address, device, memlock, name, target }: QemuOptions) {
    chownSync(this.#folder, UID, UID);
    const vend = [COMMAND, "vend", "--socket", target.replace(/^unix:/, ""), "--name", name, address, "--"];
    const rights = `prlimit --memlock=${memlock} setpriv --reuid=${UID} --regid=${UID} --clear-groups`;
    const words = [...vend, ...rights.split(" "), ...machineIn(this.#folder), ...device];
    this.iommuctl = spawn(process.execPath, words, { env: ENVIRONMENT, stdio: ["pipe", "pipe", "pipe"] });
    createInterface(this.iommuctl.stderr!).on("line", (line) => this.#said.push(line));
    createInterface(this.iommuctl.stdout!).on("line", (line) => {
      this.#answers.push(line);
      this.#news.resolve();
    });
    this.iommuctl.stdin!.on("error", () => undefined); // it has ended, which `ended` tells
    this.ended = once(this.iommuctl, "close").then(([code, signal]) => {
      this.#isOver = true;
      this.#news.resolve();
      return { code, signal, said: this.#said.join("\n") };
    });
  }

  /** The first line of --version. */
  static async version(): Promise<string> {
    const { stdout } = await promisify(execFile)("qemu-system-aarch64", ["--version"], { env: ENVIRONMENT });
    return stdout.split("\n")[0] ?? "";
  }

  /** Finds the device on the inner machine's bus and gives it its address, as firmware does. */
  async enableEdu(): Promise<void> {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const config = CONFIG_SPACE + slot * 0x8000;
      if ((await this.#number(`readl ${config + CONFIG.id}`)) !== EDU_ID) continue;
      this.#edu = config;
      await this.#ask(`writel ${config + CONFIG.bar0} ${BAR0}`);
      await this.#ask(`writew ${config + CONFIG.command} ${MEMORY_SPACE_AND_BUS_MASTER}`);
      return;
    }
    throw new Error(`QEMU shows no edu device: ${this.#said.join("\n")}`);
  }

  /** The device reads from there into its buffer. */
  async eduReads(address: number, bytes: number): Promise<void> {
    await this.#transfer([address, BUFFER, bytes, START]);
  }

  /** The device writes what is in its buffer there. */
  async eduWrites(address: number, bytes: number): Promise<void> {
    await this.#transfer([BUFFER, address, bytes, START + TO_MEMORY]);
  }

  async writeText(address: number, text: string): Promise<void> {
    await this.#ask(`write ${address} ${text.length} 0x${Buffer.from(text, "latin1").toString("hex")}`);
  }

  async textAt(address: number, bytes: number): Promise<string> {
    const hex = await this.#ask(`read ${address} ${bytes}`);
    return Buffer.from(hex.replace("0x", ""), "hex").toString("latin1");
  }

  /** What has come to the memory, seen past QEMU: it stays when QEMU has ended. */
  textLeftAt(address: number, bytes: number): string {
    const text = Buffer.alloc(bytes);
    const file = openSync(join(this.#folder, FILE.ram), "r");
    readSync(file, text, 0, bytes, address - INNER_RAM.start);
    closeSync(file);
    return text.toString("latin1");
  }

  /** By its monitor, as an administrator would. */
  async quit(): Promise<QemuEnd> {
    const socket = connect(join(this.#folder, FILE.monitor));
    socket.write('{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n');
    socket.on("error", () => undefined); // it is cut as soon as QEMU ends
    socket.resume();
    const ended = await this.ended;
    socket.destroy();
    return ended;
  }

  get pid(): number {
    return Number(readFileSync(join(this.#folder, FILE.pid), "latin1"));
  }

  /** Nothing of it is left, whatever became of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) {
      this.iommuctl.kill("SIGTERM"); // and it passes that on, unless a case has killed it
      if (existsSync(join(this.#folder, FILE.pid))) endProcess(this.pid);
    }
    await this.ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @returns what comes after OK */
  async #ask(command: string): Promise<string> {
    this.iommuctl.stdin!.write(`${command}\n`);
    for (;;) {
      const answer = this.#answers.shift();
      if (answer?.startsWith("OK")) return answer.slice(3);
      if (answer !== undefined && !answer.startsWith("IRQ ")) throw new Error(`${command}: ${answer}`);
      if (answer === undefined && this.#isOver) throw new Error(`QEMU has ended: ${this.#said.join("\n")}`);
      if (answer === undefined) await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
  }

  async #number(command: string): Promise<number> {
    return Number(await this.#ask(command));
  }

  async #transfer([source, target, count, command]: Transfer): Promise<void> {
    if (this.#edu === 0) throw new Error("the device has no address yet");
    await this.#ask(`writeq ${BAR0 + REGISTER.source} ${source}`);
    await this.#ask(`writeq ${BAR0 + REGISTER.target} ${target}`);
    await this.#ask(`writel ${BAR0 + REGISTER.count} ${count}`);
    await this.#ask(`writel ${BAR0 + REGISTER.command} ${command}`);
    const began = performance.now();
    while ((await this.#number(`readl ${BAR0 + REGISTER.command}`)) % 2 === START) {
      if (performance.now() - began > TRANSFER_MS_MAX) throw new Error(`no DMA within ${TRANSFER_MS_MAX} ms`);
      await pause(LOOK_MS);
    }
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}
