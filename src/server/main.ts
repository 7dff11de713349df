#!/usr/bin/env node
// The process: command line, configuration, signals, exit codes. The only file that ends it.

import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { BrokerError } from "../backends/errors.ts";
import { forgetInheritedSockets, inheritedSockets } from "../os/inherited-sockets.ts";
import { exitAtOnce } from "../os/libc.ts";
import { takeStateDirectory } from "../os/state-directory.ts";
import { EXIT_DENIED, EXIT_UNUSABLE, EXIT_USAGE, parseCommandLine } from "./command-line.ts";
import { printConfig } from "./config/print.ts";
import { describeProblem } from "./config/problems.ts";
import { type Config, type Loaded, loadConfig } from "./config.ts";
import { doctor } from "./daemon/doctor.ts";
import { placeInherited } from "./daemon/inherited.ts";
import { forgetServiceManager, type ServiceManager, serviceManager } from "./daemon/service-manager.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { explainPolicy, type PolicyQuestion } from "./explain-policy.ts";
import { createLog, type Log, type LogFacts } from "./log.ts";
import { repairLines } from "./store/repair-lines.ts";
import { countExternalMemoryAsHeap } from "./v8-external-memory.ts";
import { raiseInliningLimits } from "./v8-inlining.ts";

/** EX_SOFTWARE of sysexits(3): a bug. */
const EXIT_BUG = 70;
/** EX_IOERR of sysexits(3): the state directory cannot be written any more, or deaths of clients not be seen. */
const EXIT_STATE = 74;

async function main(): Promise<void> {
  const version = packageVersion();
  const invocation = parseCommandLine(process.argv.slice(2), process.env, version);
  if (invocation.kind === "exit") {
    (invocation.code === 0 ? process.stdout : process.stderr).write(invocation.text);
    process.exitCode = invocation.code;
    return;
  }
  if (invocation.kind === "doctor") {
    const { exitCode, text } = await doctor(invocation.asJson);
    process.stdout.write(text);
    process.exitCode = exitCode;
    return;
  }
  const loaded = loadConfig({ ...invocation, environment: process.env });
  if (invocation.kind !== "run" || !loaded.ok) {
    for (const warning of loaded.warnings) console.error(`warning: ${describeProblem(warning)}`);
  }
  if (!loaded.ok) {
    for (const problem of loaded.problems) console.error(describeProblem(problem));
    process.exitCode = EXIT_UNUSABLE;
    return;
  }
  if (invocation.kind === "check") {
    console.log(`${invocation.file ?? "the built-in configuration"}: no problems`);
    return;
  }
  if (invocation.kind === "print") {
    process.stdout.write(printConfig(loaded.settings, loaded.sourceOf));
    return;
  }
  if (invocation.kind === "repair") {
    process.exitCode = await repair(loaded.config, invocation.dryRun);
    return;
  }
  if (invocation.kind === "explain-policy") {
    process.exitCode = explain(loaded.config, invocation.question);
    return;
  }
  const log = createLog(loaded.config.log);
  dieOfBugs(log);
  for (const { source, message } of loaded.warnings) log.warn({ source }, `${source} ${message}`);
  raiseInliningLimits();
  countExternalMemoryAsHeap();
  let manager: ServiceManager | undefined;
  try {
    manager = openServiceManager(log);
    const inherited = placeInherited(inheritedSockets(process.env, process.pid), loaded.config);
    forgetInheritedSockets(process.env);
    const daemon: Daemon = await startDaemon(loaded.config, log, version, {
      inherited,
      fatal: (error) => {
        log.fatal({ error }, "cannot go on: ending, so that a restart begins with what was kept");
        void exit(EXIT_STATE, log);
      },
      drain: () => stopDaemon(running, { reason: "an administrator asked for it" }),
    });
    const running: Running = { daemon, log, manager };
    stopOnSignal(running); // first: whoever reads that we listen may send one at once
    reloadOnSignal(running, () => loadConfig({ ...invocation, environment: process.env }));
    announce(daemon, log, version);
    manager?.ready(servingLine(daemon), () => daemon.isReady());
    flushCompileCache(); // now, with what a start needs; not at the end, which may be a kill
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    manager?.failed(error.message);
    log.fatal({ error }, error.message);
    await exit(EXIT_UNUSABLE, log);
  }
}

/** What the signals and the administrators have to do with. */
interface Running {
  readonly daemon: Daemon;
  readonly log: Log;
  /** Undefined: nobody waits for a word. */
  readonly manager: ServiceManager | undefined;
}

function openServiceManager(log: Log): ServiceManager | undefined {
  const environment = { ...process.env };
  forgetServiceManager(process.env);
  const monotonicUsec = (): bigint => process.hrtime.bigint() / 1000n;
  return serviceManager({ environment, pid: process.pid, monotonicUsec, onTrouble: (what) => log.warn({}, what) });
}

function servingLine({ addresses }: Daemon): string {
  return `serving clients at ${addresses.join(" and ")}`;
}

function explain(config: Config, question: PolicyQuestion): number {
  const answer = explainPolicy(config, process.getuid?.() ?? 0, question);
  if (answer.kind === "unclear") {
    console.error(`error: ${answer.problem}`);
    return EXIT_USAGE;
  }
  for (const line of answer.lines) console.log(line);
  return answer.kind === "allowed" ? 0 : EXIT_DENIED;
}

/** Says what a damaged state directory loses, and cuts it off when told to. */
async function repair({ stateDirectory }: Config, dryRun: boolean): Promise<number> {
  if (stateDirectory === undefined) {
    console.error('error: state_directory is "off": there is nothing to repair');
    return EXIT_UNUSABLE;
  }
  try {
    const taken = takeStateDirectory(stateDirectory);
    for (const line of await repairLines(taken.path, dryRun)) console.log(line);
    taken.release();
    return 0;
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    console.error(`error: ${error.message}`);
    return EXIT_UNUSABLE;
  }
}

function announce(daemon: Daemon, log: Log, version: string): void {
  for (const address of daemon.addresses) log.info({ address, version }, "listening for clients");
  if (daemon.adminAddress !== undefined) {
    log.info({ address: daemon.adminAddress }, "listening for administrators");
  }
  for (const address of daemon.metricsAddresses) log.info({ address }, "serving metrics");
  for (const root of daemon.memoryRoots) log.info({ subject: root }, "memory root");
}

/** The first signal drains; the second one ends the process as it stands. */
function stopOnSignal(running: Running): void {
  const { log } = running;
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      log.warn({ signal }, "stopping at once");
      void exit(EXIT_UNUSABLE, log);
      return;
    }
    stopDaemon(running, { signal });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** Asked twice it stops once: the daemon gives the same promise. */
function stopDaemon({ daemon, log, manager }: Running, why: LogFacts): void {
  log.info(why, "stopping");
  manager?.stopping("calls in flight are finished, new ones refused");
  void daemon.stop().then(() => {
    log.info({}, "stopped");
    return exit(0, log);
  });
}

/** Policy, admin uids and log level come from the same sources anew; a configuration with a fault changes nothing. */
function reloadOnSignal({ daemon, log, manager }: Running, load: () => Loaded): void {
  process.on("SIGHUP", () => {
    manager?.reloading();
    const loaded = load();
    if (loaded.ok) {
      daemon.reload(loaded.config);
      manager?.reloaded(servingLine(daemon));
      log.info({}, "reloaded: policy, admin uids, log level; other settings need a restart");
      return;
    }
    daemon.reload(undefined);
    manager?.reloaded(`${servingLine(daemon)}; the configuration was not reloaded: the log says why`);
    for (const problem of loaded.problems) {
      log.error({ source: problem.source }, `not reloaded: ${describeProblem(problem)}`);
    }
  });
}

/** What nobody caught is a bug: say so and end, rather than go on in a state nobody thought of. */
function dieOfBugs(log: Log): void {
  const die = (error: unknown): void => {
    log.fatal({ error }, "bug: ending the process");
    void exit(EXIT_BUG, log);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}

/** Ends the process once the log is written, or half a second later. */
async function exit(code: number, log: Log): Promise<never> {
  if (!(await log.end())) exitAtOnce(code);
  process.exit(code);
}

/** The package's own, two folders up from src/server as from dist/server. */
function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const version: unknown =
    typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "version") : undefined;
  return typeof version === "string" ? version : "unknown";
}

void main();
