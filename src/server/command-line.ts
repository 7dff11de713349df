// The command line of iommu-brokerd: what to do, and which settings it gives. Reads nothing and prints nothing.
// Common settings have a flag of their own; every other goes through --set, in the words of --print-config.

import { Command, CommanderError, Option } from "commander";
import type { Environment } from "./config/runtime-directory.ts";
import { type Assignment, CONFIG_VARIABLE } from "./config/sources.ts";
import type { PolicyQuestion } from "./explain-policy.ts";
import { LOG_LEVELS } from "./log.ts";

export type Invocation =
  | {
      readonly kind: "run" | "check" | "print";
      readonly file: string | undefined;
      readonly assignments: readonly Assignment[];
    }
  | {
      readonly kind: "repair";
      readonly dryRun: boolean;
      readonly file: string | undefined;
      readonly assignments: readonly Assignment[];
    }
  | { readonly kind: "doctor"; readonly asJson: boolean }
  | {
      readonly kind: "explain-policy";
      readonly question: PolicyQuestion;
      readonly file: string | undefined;
      readonly assignments: readonly Assignment[];
    }
  /** --help, --version, or a mistake: print the text and exit. */
  | { readonly kind: "exit"; readonly code: number; readonly text: string };

/** EX_USAGE of sysexits(3): the command line itself is wrong. Not 1 or 2, which --doctor says of a host. */
export const EXIT_USAGE = 64;
/** Exit code for a configuration or a listener that cannot be used. */
export const EXIT_UNUSABLE = 1;
/** Exit code of --explain-policy for a call that is denied. */
export const EXIT_DENIED = 2;

const FLAGS: readonly { readonly flag: string; readonly option: string; readonly path: string }[] = [
  { flag: "--backend", option: "backend", path: "backend" },
  { flag: "--listen-socket", option: "listenSocket", path: "listen.socket" },
  { flag: "--listen-tcp", option: "listenTcp", path: "listen.tcp" },
  { flag: "--listen-tcp-insecure", option: "listenTcpInsecure", path: "listen.tcp_insecure" },
  { flag: "--metrics-tcp", option: "metricsTcp", path: "metrics.tcp" },
  { flag: "--metrics-socket", option: "metricsSocket", path: "metrics.socket" },
  { flag: "--memory-root", option: "memoryRoot", path: "memory_roots" },
  { flag: "--state-directory", option: "stateDirectory", path: "state_directory" },
  { flag: "--simulator-api", option: "simulatorApi", path: "simulator_api" },
  { flag: "--log-level", option: "logLevel", path: "log.level" },
];

const EXAMPLES = `
Without a file it runs two simulated SMMUs with eight devices and listens on a Unix socket; no hardware is touched.

Settings come from, the later winning: defaults, the file, the environment, flags. In the environment a setting
is IOMMU_BROKER_ and its path: limits.sessions_max is IOMMU_BROKER_LIMITS_SESSIONS_MAX. A path that begins with
"runtime:" lies in $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/iommu-broker, else /tmp/iommu-broker-UID.

Examples:
  iommu-brokerd --print-config > broker.yaml       every setting, its default and what it is for
  iommu-brokerd --config broker.yaml --check-config
  iommu-brokerd --config broker.yaml --set limits.sessions_max=16
  iommu-brokerd --config broker.yaml --explain-policy --as uid=1001 --verb AttachDevice --device 0000:01:00.0
  iommu-brokerd --simulator-api --listen-tcp 127.0.0.1:9400 --listen-tcp-insecure
  buf curl --protocol grpc --http2-prior-knowledge http://127.0.0.1:9400/iommubroker.v1.IommuBroker/ListDevices

Signals: SIGTERM and SIGINT stop gracefully (exit 0) within timing.grace_period_ms; a second one stops at once.
SIGHUP reads the configuration again and takes over policy, admin.uids and log.level; it opens the audit file anew.
Exit: 0 stopped as told; 1 the configuration or a listener is not usable; 2 --explain-policy: denied; 64 the command line is wrong;
--doctor: 0 nothing is amiss, 1 something is left out, 2 something stands in the way;
70 a bug, with the log; 74 the state directory cannot be written, or the death of clients not be seen.`;

export function parseCommandLine(argv: readonly string[], environment: Environment, version: string): Invocation {
  let output = "";
  const keep = (text: string): void => {
    output += text;
  };
  const command = describe(version).exitOverride().configureOutput({ writeOut: keep, writeErr: keep });
  try {
    command.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: "exit", code: error.exitCode === 0 ? 0 : EXIT_USAGE, text: output };
  }
  return invocationOf(command.opts(), environment);
}

function describe(version: string): Command {
  return new Command("iommu-brokerd")
    .description("Owns the host's IOMMU for virtual machine monitors: who has which device, in which stage, over gRPC.")
    .version(version, "--version", "print the version")
    .helpOption("--help", "show this")
    .allowExcessArguments(false)
    .option("--config <file>", `settings, as YAML (or ${CONFIG_VARIABLE})`)
    .option("--backend <name>", "simulated, iommufd, or auto: iommufd where it works")
    .option("--listen-socket <path>", 'Unix socket of the API, or "off"')
    .option("--listen-tcp <host:port>", 'address of the API besides, or "off"; needs listen.tls')
    .option("--listen-tcp-insecure", "it is plain text on loopback instead: whoever can connect is trusted")
    .option("--metrics-tcp <host:port>", 'loopback address of /metrics, /livez and /readyz, or "off"')
    .option("--metrics-socket <path>", 'Unix socket of the same, or "off"')
    .option("--memory-root <directory>", "guest memory files lie beneath it; repeat for more", collect)
    .option("--state-directory <directory>", 'what outlives the daemon, or "off"')
    .option("--simulator-api", "serve iommubroker.v1.Simulator")
    .option("--no-simulator-api", "do not serve it")
    .addOption(new Option("--log-level <level>", "least severe line").choices(LOG_LEVELS))
    .option("--set <path=value>", "any setting; repeat for more", collect)
    .option("--check-config", "say what is wrong with the configuration, and exit 1 if anything is")
    .option("--print-config", "print the configuration in force, with where each value comes from, and exit")
    .option(
      "--repair-state",
      "say what a damaged state directory loses when it is cut off at the damage; changes nothing",
    )
    .option("--repair-state-now", "do it; what is cut off stays beside it as *.damaged")
    .option("--explain-policy", "say which rule of the policy decides a call, and why; exit 2 when it is denied")
    .option("--as <facts>", "whose call: uid=1001,gid=1001,exe=/usr/bin/qemu,cgroup=/vm,cert=NAME, or tcp")
    .option("--verb <rpc>", "which: AttachDevice")
    .option("--device <id>", "on which device: 0000:01:00.0")
    .option("--path <file>", "or with which guest memory file")
    .option("--doctor", "say what this host can do for guests, what not, and how to mend it; needs no daemon")
    .option("--json", "with --doctor: print it as JSON")
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError("(--help explains)");
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

function invocationOf(options: Readonly<Record<string, unknown>>, environment: Environment): Invocation {
  const assignments: Assignment[] = [];
  for (const { flag, option, path } of FLAGS) {
    const text = textOf(options[option]);
    if (text !== undefined) assignments.push({ path, text, source: flag });
  }
  for (const word of stringsOf(options.set)) {
    const [path = "", ...value] = word.split("=");
    if (value.length === 0) {
      return {
        kind: "exit",
        code: EXIT_USAGE,
        text: `error: --set ${word}: write it as path=value (--help explains)\n`,
      };
    }
    assignments.push({ path, text: value.join("="), source: "--set" });
  }
  if (options.doctor === true) return { kind: "doctor", asJson: options.json === true };
  if (options.json === true) {
    return { kind: "exit", code: EXIT_USAGE, text: "error: --json is for --doctor (--help explains)\n" };
  }
  const given = options.config ?? environment[CONFIG_VARIABLE];
  const file = typeof given === "string" && given !== "" ? given : undefined;
  if (options.repairState === true || options.repairStateNow === true) {
    return { kind: "repair", dryRun: options.repairStateNow !== true, file, assignments };
  }
  if (options.explainPolicy === true) return explainPolicyOf(options, file, assignments);
  const stray = ["as", "verb", "device", "path"].find((name) => options[name] !== undefined);
  if (stray !== undefined) {
    return { kind: "exit", code: EXIT_USAGE, text: `error: --${stray} is for --explain-policy (--help explains)\n` };
  }
  const kind = options.checkConfig === true ? "check" : options.printConfig === true ? "print" : "run";
  return { kind, file, assignments };
}

function explainPolicyOf(
  { as, verb, device, path }: Readonly<Record<string, unknown>>,
  file: string | undefined,
  assignments: readonly Assignment[],
): Invocation {
  if (typeof as !== "string" || typeof verb !== "string") {
    const text = "error: --explain-policy needs --as and --verb: --as uid=1001 --verb AttachDevice (--help explains)\n";
    return { kind: "exit", code: EXIT_USAGE, text };
  }
  const question = {
    as,
    verb,
    device: typeof device === "string" ? device : undefined,
    path: typeof path === "string" ? path : undefined,
  };
  return { kind: "explain-policy", question, file, assignments };
}

function textOf(option: unknown): string | string[] | undefined {
  if (typeof option === "string") return option;
  if (typeof option === "boolean") return String(option);
  return option === undefined ? undefined : stringsOf(option);
}

function stringsOf(option: unknown): string[] {
  return Array.isArray(option) ? option.map(String) : [];
}
