// The configuration in force: built-in defaults, then the file, then the environment, then flags; checked as a whole.
// What is wrong is told all at once, each with where it was written, its value and what would be right.
// config/settings.ts has every setting; config/translate.ts turns the file's names into the ones below.

import type { DeviceID } from "../backends/ids.ts";
import type { IdRegisters } from "../backends/inventory.ts";
import type { MemoryRootWish } from "../os/memory-roots.ts";
import type { TcpAddress } from "../os/tcp-listener.ts";
import type { TlsFiles } from "../os/tls-files.ts";
import { loopbackAddress } from "./config/address.ts";
import { type Problem, problemAt, problemsOf, type SourceOf } from "./config/problems.ts";
import type { Environment } from "./config/runtime-directory.ts";
import { OFF } from "./config/setting-kinds.ts";
import { SETTINGS, type Settings } from "./config/settings.ts";
import {
  type Assignment,
  fromAssignment,
  fromEnvironment,
  fromFile,
  type Sourced,
  type SourcedValue,
} from "./config/sources.ts";
import { configOf } from "./config/translate.ts";
import type { CoreLimits } from "./core/limits.ts";
import type { PolicyRule } from "./core/policy.ts";
import type { LogLevel } from "./log.ts";

export interface EdgeLimits {
  readonly messageBytesMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerIdentityMax: number;
  readonly handshakesMax: number;
  readonly streamsPerConnectionMax: number;
  readonly unfinishedRequestsPerIdentityMax: number;
  readonly sessionMemoryMiBMax: number;
  readonly openMemoryFilesMax: number;
  readonly journalBytesMax: number;
  readonly ticketsMax: number;
  readonly ticketsPerPeerMax: number;
  readonly fdConnectionsMax: number;
}

export interface Timing {
  readonly gracePeriodMs: number;
  readonly heartbeatMs: number;
  readonly ticketTtlMs: number;
  readonly fdRequestTimeoutMs: number;
  readonly reapIntervalMs: number;
  readonly backendPingTimeoutMs: number;
  readonly healthWatchIntervalMs: number;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly tlsReloadMs: number;
  readonly connectionIdleMs: number;
}

export interface Endpoints {
  readonly socket: string | undefined;
  readonly tcp: TcpAddress | undefined;
}

/** The simulated hardware, as the simulated backend takes it. */
export interface SimulatedInventory {
  readonly iommus: readonly { readonly id: string; readonly registers: Partial<IdRegisters> }[];
  readonly devices: readonly {
    readonly id: string;
    readonly iommu: string;
    readonly group: number;
    readonly streamIDs: readonly number[];
    readonly pasidBits: number;
    readonly ats?: boolean | undefined;
    readonly pri?: boolean | undefined;
    readonly stall?: boolean | undefined;
  }[];
  readonly mergeEvents: boolean;
}

export type AuditDestination =
  | { readonly kind: "off" }
  | { readonly kind: "log" }
  | { readonly kind: "file"; readonly path: string };

export interface Config {
  readonly backend: "simulated" | "iommufd" | "auto";
  readonly native: {
    readonly bindDevices: readonly DeviceID[];
    readonly experimentalVtdNesting: boolean;
  };
  readonly simulatorApi: boolean;
  /** Without `tls`, `tcp` is plain text and on loopback. */
  readonly listen: Endpoints & { readonly tls: TlsFiles | undefined };
  /** Where clients put descriptors; undefined: nowhere. */
  readonly fdSocket: string | undefined;
  readonly metrics: Endpoints & {
    readonly isTcpOpen: boolean;
    readonly devicesMax: number;
    readonly statusPage: "off" | "summary" | "full";
    /** Besides those of loopback; in lower case. */
    readonly statusHosts: readonly string[];
  };
  readonly memoryRoots: readonly MemoryRootWish[];
  readonly memoryOwnerUids: readonly number[];
  /** Undefined: nothing outlives the daemon. */
  readonly stateDirectory: string | undefined;
  readonly limits: CoreLimits & EdgeLimits;
  readonly timing: Timing;
  readonly log: { readonly level: LogLevel; readonly destination: "stdout" | "stderr" };
  readonly admin: { readonly socket: string | undefined; readonly uids: readonly number[] };
  /** As configured, without the built-in ones. */
  readonly policyRules: readonly PolicyRule[];
  readonly audit: AuditDestination;
  readonly simulated: SimulatedInventory;
}

export interface ConfigRequest {
  readonly file: string | undefined;
  readonly environment: Environment;
  /** From the command line, in order. */
  readonly assignments: readonly Assignment[];
}

export type Loaded =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly settings: Settings;
      /** Where a setting's value was written; undefined for a default. */
      readonly sourceOf: SourceOf;
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

export function loadConfig(request: ConfigRequest): Loaded {
  const file: Sourced = request.file === undefined ? { values: [], problems: [] } : fromFile(request.file);
  const environment = fromEnvironment(request.environment);
  const flags = request.assignments.map(fromAssignment);
  const values = [file, environment, ...flags].flatMap((sourced) => sourced.values);
  const sourceOf = sourceLookup(values, file);
  const tree = treeOf(values);
  const parsed = SETTINGS.safeParse(tree, { jitless: true }); // once: parsers made for it would cost more than they save
  const problems = [
    ...file.problems,
    ...flags.flatMap((sourced) => sourced.problems),
    ...(parsed.success
      ? contradictions(parsed.data, sourceOf)
      : parsed.error.issues.flatMap((issue) => problemsOf(issue, tree, sourceOf))),
  ];
  const warnings = environment.problems;
  if (problems.length > 0 || !parsed.success) return { ok: false, problems, warnings };
  const config = configOf(parsed.data, request.environment);
  return { ok: true, config, settings: parsed.data, sourceOf, warnings };
}

/** Later values win. A section that somebody made a plain value stays one, for the check to find. */
function treeOf(values: readonly SourcedValue[]): object {
  const root = {};
  for (const { path, value } of values) {
    let at: unknown = root;
    for (const key of path.slice(0, -1)) {
      if (!isTree(at)) break;
      if (!Object.hasOwn(at, key)) put(at, key, {});
      at = Reflect.get(at, key);
    }
    const last = path.at(-1);
    if (last !== undefined && isTree(at)) put(at, last, value);
  }
  return root;
}

/** As an own property, also for a file that has a key "__proto__". */
function put(tree: object, key: string, value: unknown): void {
  Object.defineProperty(tree, key, { value, enumerable: true, writable: true, configurable: true });
}

function isTree(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sourceLookup(values: readonly SourcedValue[], file: Sourced): SourceOf {
  const sources = new Map(values.map((value) => [value.path.join("."), value]));
  const fromTheFile = new Set(file.values);
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const found = sources.get(path.slice(0, length).map(String).join("."));
      if (found !== undefined) return fromTheFile.has(found) ? (file.locate?.(path) ?? found.source) : found.source;
    }
    const within = values.find((value) => path.every((step, index) => value.path[index] === step));
    return within === undefined || !fromTheFile.has(within) ? within?.source : (file.locate?.(path) ?? within.source);
  };
}

/** What no single setting can see. */
function contradictions(settings: Settings, sourceOf: SourceOf): Problem[] {
  const problems: Problem[] = [];
  const complain = (path: readonly string[], message: string): void => {
    problems.push(problemAt(path, message, sourceOf));
  };
  const { lease_ttl_min_ms, lease_ttl_default_ms, lease_ttl_max_ms } = settings.limits;
  if (lease_ttl_min_ms > lease_ttl_default_ms || lease_ttl_default_ms > lease_ttl_max_ms) {
    const message = `${lease_ttl_default_ms} must lie from lease_ttl_min_ms ${lease_ttl_min_ms} to lease_ttl_max_ms ${lease_ttl_max_ms}`;
    complain(["limits", "lease_ttl_default_ms"], message);
  }
  if (settings.listen.socket === OFF && settings.listen.tcp === OFF) {
    complain(["listen"], "socket and tcp are both off: nobody could connect; set one");
  }
  problems.push(...tcpProblems(settings.listen, sourceOf));
  if (
    settings.metrics.tcp !== OFF &&
    !settings.metrics.tcp_open &&
    loopbackAddress(settings.metrics.tcp) === undefined
  ) {
    const message = `${settings.metrics.tcp} is no loopback address, and whoever can connect reads what is there: set metrics.tcp_open, or listen on 127.0.0.1 or [::1]`;
    complain(["metrics", "tcp"], message);
  }
  if (settings.listen.socket !== OFF && settings.listen.socket === settings.metrics.socket) {
    complain(["metrics", "socket"], `${settings.metrics.socket} is listen.socket too: give each its own path`);
  }
  if (settings.admin.socket !== OFF) {
    for (const other of ["listen", "metrics"] as const) {
      if (settings.admin.socket !== settings[other].socket) continue;
      complain(["admin", "socket"], `${settings.admin.socket} is ${other}.socket too: give each its own path`);
    }
  }
  return problems;
}

const TLS_REQUIRED = ["certificate", "private_key", "client_ca"] as const;

/** TCP says who calls by certificates, or the operator has said that it need not. */
function tcpProblems({ tcp, tcp_insecure, tls }: Settings["listen"], sourceOf: SourceOf): Problem[] {
  const missing = TLS_REQUIRED.filter((key) => tls[key] === OFF);
  const hasTls = missing.length < TLS_REQUIRED.length || tls.client_crl !== OFF;
  if (hasTls && missing.length > 0) {
    const message = `${missing.join(" and ")} missing: mutual TLS needs ${TLS_REQUIRED.join(", ")}`;
    return [problemAt(["listen", "tls"], message, sourceOf)];
  }
  if (tcp === OFF) return [];
  if (hasTls && tcp_insecure) {
    return [problemAt(["listen", "tcp_insecure"], "true and listen.tls exclude each other: take one away", sourceOf)];
  }
  if (!hasTls && !tcp_insecure) {
    const message = `${tcp} has no TLS, so nobody would know who calls: set listen.tls, or listen.tcp_insecure on loopback, where whoever can connect is then trusted`;
    return [problemAt(["listen", "tcp"], message, sourceOf)];
  }
  if (tcp_insecure && loopbackAddress(tcp) === undefined) {
    const message = `${tcp} is no loopback address, and without TLS whoever can connect is trusted: set listen.tls, or listen on 127.0.0.1 or [::1]`;
    return [problemAt(["listen", "tcp"], message, sourceOf)];
  }
  return [];
}
