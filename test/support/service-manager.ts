// The service manager's side of sd_notify and of socket activation, played by a Python program: Node has neither datagrams
// of Unix sockets nor a way to start a process under chosen descriptors that knows its own pid.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { on, once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, type TestContext } from "vitest";

const SCRIPT = join(import.meta.dirname, "service_manager.py");
const PYTHON = ["/usr/bin/python3", "python3"].find(
  (candidate) => spawnSync(candidate, ["-c", "import os; os.waitstatus_to_exitcode"]).status === 0,
);

/** The interpreter; where there is none the test is skipped, or fails where it must not be. */
export function requirePython(context: TestContext): string {
  if (PYTHON !== undefined) return PYTHON;
  expect(process.env.IOMMU_BROKER_REQUIRE_INTEROP, "install python3, 3.9 or later").not.toBe("1");
  return context.skip("needs python3, 3.9 or later");
}

/** The program's lines of JSON, in order; what is not one (the output of what it started) is kept beside. */
class Told {
  readonly child: ChildProcess;
  output = "";
  readonly #lines: AsyncIterator<unknown>;

  constructor(python: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const env = { ...process.env, ...environment };
    this.child = spawn(python, [SCRIPT, ...args], { env, stdio: ["pipe", "pipe", "inherit"] });
    const { child } = this;
    if (child.stdout === null) throw new Error("no output");
    const told = createInterface({ input: child.stdout });
    this.#lines = on(told, "line", { close: ["close"] });
    onTestFinished(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    });
  }

  async next(): Promise<unknown> {
    for (;;) {
      const { done, value } = await this.#lines.next();
      if (done) throw new Error(`it ended:\n${this.output}`);
      const line = String(value);
      this.output += `${line}\n`;
      const word: unknown = /^(?:"|\{"(?:pid|exit)":)/.test(line) ? JSON.parse(line) : undefined;
      if (word !== undefined) return word;
    }
  }

  say(word: string): void {
    this.child.stdin?.write(`${word}\n`);
  }
}

/** Receives datagrams at a path, or at "@" and an abstract name. */
export class NotifyReceiver {
  readonly #told: Told;

  private constructor(told: Told) {
    this.#told = told;
  }

  /** Bound, and not reading yet: what is sent fills its queue. */
  static async bind(python: string, address: string, silenceSeconds: number): Promise<NotifyReceiver> {
    const told = new Told(python, ["receive", address, String(silenceSeconds)]);
    expect(await told.next()).toBe("bound");
    return new NotifyReceiver(told);
  }

  read(): void {
    this.#told.say("read");
  }

  /** The next datagram's lines; ["silence"] when none came for so long. */
  async next(): Promise<string[]> {
    return String(await this.#told.next()).split("\n");
  }

  async nextWith(line: string): Promise<string[]> {
    for (;;) {
      const lines = await this.next();
      if (lines.includes(line)) return lines;
    }
  }
}

export interface SocketWish {
  readonly kind: "listening" | "bound" | "datagram" | "tcp" | "abstract" | "file";
  readonly path: string;
  readonly name: string;
}

/** Makes sockets, keeps them, and starts a command with them as often as it is told. */
export class SocketSpawner {
  readonly #told: Told;

  private constructor(told: Told) {
    this.#told = told;
  }

  static async make(
    python: string,
    wishes: readonly SocketWish[],
    command: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ): Promise<SocketSpawner> {
    const told = new Told(python, ["sockets", JSON.stringify(wishes), ...command], environment);
    expect(await told.next()).toBe("made");
    return new SocketSpawner(told);
  }

  /** What the commands printed so far. */
  get output(): string {
    return this.#told.output;
  }

  /** Starts the command; it is killed when the test ends. */
  async start(): Promise<number> {
    this.#told.say("start");
    const { pid } = Object(await this.#told.next());
    onTestFinished(() => {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it has ended
      }
    });
    return Number(pid);
  }

  /** The exit code of the one that was started last; negative: the signal. */
  async exited(): Promise<number> {
    return Number(Object(await this.#told.next()).exit);
  }
}
