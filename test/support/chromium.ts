// Debian's Chromium without a window, driven by the DevTools protocol over one WebSocket.
// A page's console errors, uncaught exceptions, refusals by its policy and failed requests are collected.
// Source: Chrome DevTools Protocol 1.3 (Target, Page, Runtime, Log, Emulation).

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MAX_MS = 60_000;
const FLAGS = [
  "--headless=new",
  "--no-sandbox", // CI runs as root
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--remote-debugging-port=0",
];

export function hasChromium(): boolean {
  return spawnSync("chromium", ["--version"]).error === undefined;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

type Settle = { resolve(result: unknown): void; reject(error: Error): void };

export class Chromium {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, Settle>();
  readonly #complaints: string[] = [];
  #lastID = 0;
  #session: string | undefined;

  private constructor(child: ChildProcess, directory: string, socket: WebSocket) {
    this.#child = child;
    this.#directory = directory;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(String(data))));
  }

  /** With one empty page. */
  static async start(): Promise<Chromium> {
    const directory = mkdtempSync(join(tmpdir(), "iommu-broker-chromium-"));
    const child = spawn("chromium", [...FLAGS, `--user-data-dir=${directory}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true, // its processes are a group
    });
    try {
      const socket = new WebSocket(await addressOf(child));
      await once(socket, "open");
      const browser = new Chromium(child, directory, socket);
      await browser.#attach();
      return browser;
    } catch (error) {
      await ended(child);
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** What the page complained of since it was asked the last time. */
  complaints(): string[] {
    return this.#complaints.splice(0);
  }

  async open(url: string): Promise<void> {
    const { errorText }: { errorText?: string } = await this.#call("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const answer: { result: { value: T }; exceptionDetails?: { text: string } } = await this.#call(
      "Runtime.evaluate",
      asked,
    );
    if (answer.exceptionDetails !== undefined) throw new Error(`${expression}: ${answer.exceptionDetails.text}`);
    return answer.result.value;
  }

  /** As on a screen of this width, for a reader with this preference. */
  async show(width: number, scheme: "dark" | "light"): Promise<void> {
    await this.#call("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile: false });
    await this.#call("Emulation.setScrollbarsHidden", { hidden: true }); // a picture would have their width of nothing
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#call("Emulation.setEmulatedMedia", { features });
  }

  /** The whole page as PNG. */
  async screenshot(path: string): Promise<void> {
    const asked = { format: "png", captureBeyondViewport: true };
    const { data }: { data: string } = await this.#call("Page.captureScreenshot", asked);
    writeFileSync(path, Buffer.from(data, "base64"));
  }

  async stop(): Promise<void> {
    this.#socket.close();
    await ended(this.#child);
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #attach(): Promise<void> {
    const { targetInfos }: { targetInfos: { targetId: string; type: string }[] } =
      await this.#call("Target.getTargets");
    const page = targetInfos.find(({ type }) => type === "page");
    const asked = { targetId: page?.targetId, flatten: true };
    const { sessionId }: { sessionId: string } = await this.#call("Target.attachToTarget", asked);
    this.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log"]) await this.#call(`${domain}.enable`);
  }

  #call<T>(method: string, params: object = {}): Promise<T> {
    this.#lastID += 1;
    const id = this.#lastID;
    const { promise, reject, resolve } = Promise.withResolvers<T>();
    this.#asked.set(id, { resolve: (result) => resolve(JSON.parse(JSON.stringify(result))), reject });
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    return promise;
  }

  #take({ error, id, method, params, result }: Message): void {
    const asked = id === undefined ? undefined : this.#asked.get(id);
    if (id !== undefined && asked !== undefined) {
      this.#asked.delete(id);
      if (error === undefined) asked.resolve(result);
      else asked.reject(new Error(error.message));
    }
    const isComplaint = method === "Runtime.exceptionThrown" || method === "Log.entryAdded";
    const text = JSON.stringify(params);
    if (isComplaint || (method === "Runtime.consoleAPICalled" && text.includes('"type":"error"'))) {
      this.#complaints.push(text);
    }
  }
}

/** It says on stderr where it listens. */
async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error("stderr is a pipe");
  const giveUp = AbortSignal.timeout(START_MAX_MS);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr, signal: giveUp })) {
    lines.push(line);
    const [, address] = /^DevTools listening on (ws:\S+)$/.exec(line) ?? [];
    if (address === undefined) continue;
    child.stderr.resume(); // nobody reads on
    return address;
  }
  throw new Error(`chromium does not come up:\n${lines.join("\n")}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await exit;
}
