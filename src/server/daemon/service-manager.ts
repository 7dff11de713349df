// What the service manager is told of the daemon (sd_notify(3)): that it is ready, reloads or stops, and, as often as it
// wants to hear it, that the event loop turns and the backend answers. Where none asks, nothing is said.
// A keep-alive is sent from a timer and behind an answer of the backend, so one that hangs is enough for it to stay away.

import { NotifySocket } from "../../os/notify-socket.ts";
import type { Environment } from "../config/runtime-directory.ts";

/** sd_watchdog_enabled(3) asks for twice in a period; at four a single slow answer of the backend is no restart. */
const KEEP_ALIVES_PER_PERIOD = 4;
/** A receiver that is full is tried again this often; beyond so many messages the oldest is of no use to it. */
const RETRY_MS = 50;
const UNSENT_MAX = 16;

/** The variables that are meant for this process, and for none that it starts. */
const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

export interface ServiceManagerOptions {
  readonly environment: Environment;
  readonly pid: number;
  /** CLOCK_MONOTONIC. */
  monotonicUsec(): bigint;
  /** A message was refused, or the backend gave no answer in time. */
  onTrouble(what: string): void;
}

/** Undefined: no service manager waits for a word. Throws BrokerError for a NOTIFY_SOCKET that cannot be one. */
export function serviceManager(options: ServiceManagerOptions): ServiceManager | undefined {
  const address = options.environment.NOTIFY_SOCKET ?? "";
  return address === "" ? undefined : new ServiceManager(new NotifySocket(address), options);
}

/** Takes the variables from an environment that processes started later would inherit. */
export function forgetServiceManager(environment: NodeJS.ProcessEnv): void {
  for (const name of VARIABLES) delete environment[name];
}

export class ServiceManager {
  readonly #socket: NotifySocket;
  readonly #options: ServiceManagerOptions;
  readonly #unsent: (readonly string[])[] = [];
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(socket: NotifySocket, options: ServiceManagerOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /**
   * Serving, from now on with keep-alives where they are asked for.
   * @param isAlive  false when the backend does not answer in its time
   */
  ready(status: string, isAlive: () => Promise<boolean>): void {
    this.#send(["READY=1", statusLine(status)]);
    const periodMs = this.#periodMs();
    if (periodMs === undefined || this.#watchdog !== undefined) return;
    let isAsking = false;
    const ask = (): void => {
      if (isAsking) return;
      isAsking = true;
      void isAlive().then((answered) => {
        isAsking = false;
        if (answered) this.#keepAlive();
        else this.#options.onTrouble("the backend does not answer: the service manager gets no keep-alive");
      });
    };
    this.#watchdog = setInterval(ask, periodMs / KEEP_ALIVES_PER_PERIOD).unref();
    ask();
  }

  /** To be followed by reloaded(). */
  reloading(): void {
    this.#send(["RELOADING=1", `MONOTONIC_USEC=${this.#options.monotonicUsec()}`, "STATUS=reloading"]);
  }

  reloaded(status: string): void {
    this.#send(["READY=1", statusLine(status)]);
  }

  stopping(status: string): void {
    clearInterval(this.#watchdog);
    this.#send(["STOPPING=1", statusLine(status)]);
  }

  /** Why it did not start. */
  failed(status: string): void {
    this.#send([statusLine(status)]);
  }

  close(): void {
    clearInterval(this.#watchdog);
    clearTimeout(this.#retry);
    this.#unsent.length = 0;
    this.#socket.close();
  }

  /** Undefined: nobody asked this process for keep-alives. */
  #periodMs(): number | undefined {
    const { environment, pid } = this.#options;
    const { WATCHDOG_USEC: usec = "", WATCHDOG_PID: whose = "" } = environment;
    if (whose !== "" && whose !== String(pid)) return undefined;
    const periodMs = /^\d{1,15}$/.test(usec) ? Number(usec) / 1000 : 0;
    return periodMs > 0 ? periodMs : undefined;
  }

  /** What waits already will say that the daemon lives. */
  #keepAlive(): void {
    if (this.#unsent.length === 0) this.#send(["WATCHDOG=1"]);
  }

  #send(lines: readonly string[]): void {
    if (this.#unsent.length >= UNSENT_MAX) this.#unsent.shift();
    this.#unsent.push(lines);
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#retry);
    for (let [lines] = this.#unsent; lines !== undefined; [lines] = this.#unsent) {
      const sent = this.#socket.send(lines);
      if (sent === "full") {
        this.#retry = setTimeout(() => this.#flush(), RETRY_MS).unref();
        return;
      }
      if (sent === "failed") this.#options.onTrouble("the service manager's socket takes nothing: is it gone?");
      this.#unsent.shift();
    }
  }
}

function statusLine(status: string): string {
  return `STATUS=${status.replaceAll(/[\n\r\0]+/g, " ")}`;
}
