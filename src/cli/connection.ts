// Where the broker is, and whose session asks: the options that commands share.
// The token goes to whoever listens at the target. So nothing is looked for in /tmp, where anybody could listen: a socket
// is named, or lies in the user's own runtime directory or in /run, where only root can put one.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { type BrokerClient, type ConnectOptions, connect, type TlsClientOptions } from "../client/client.ts";
import { parseDuration } from "./argument-values.ts";
import { isUnanswered, UsageError } from "./failure.ts";
import { readToken, TOKEN_VARIABLE } from "./token-file.ts";
import { Unreachable } from "./unreachable.ts";

/** Environment variables, as process.env has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConnectionOptions {
  readonly socket?: string;
  readonly address?: string;
  readonly tokenFile?: string;
  /** Of commands that an administrator may use without a session. */
  readonly adminSocket?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Milliseconds for each call. */
  readonly timeout?: number;
}

/** The variables that stand for options which are not given. */
export const SOCKET_VARIABLE = "IOMMUBROKER_SOCKET";
export const ADMIN_SOCKET_VARIABLE = "IOMMUBROKER_ADMIN_SOCKET";
/** Where a daemon that systemd runs has its sockets. */
const SYSTEM_DIRECTORY = "/run/iommu-broker";
const PEM_BYTES_MAX = 1_048_576;
const DEADLINE_MS = 10_000;
/** Asked of the broker by commands that follow: they say that it is away after three without one. */
export const FOLLOW_HEARTBEAT_MS = 5_000;

/** Of commands that need no session. */
export function addTargetOptions(command: Command): Command {
  return command
    .option("--socket <path>", "the broker's Unix socket (default: broker.sock where a daemon has it)")
    .addOption(
      new Option("--address <host:port>", "the broker's TCP address instead, plain text without --tls-*").conflicts(
        "socket",
      ),
    )
    .option("--tls-ca <file>", "with --address: authorities of the broker's certificate, PEM")
    .option("--tls-cert <file>", "the certificate that says who calls, PEM")
    .option("--tls-key <file>", "its key, PEM")
    .option("--timeout <duration>", "how long a call may take, as 500ms or 30s (default: 10s)", parseDuration);
}

export function addConnectionOptions(command: Command): Command {
  return addTargetOptions(command).option("--token-file <file>", `file with the session token (or ${TOKEN_VARIABLE})`);
}

/** For commands that show an administrator every device, and else what a session owns. */
export function addObserverOptions(command: Command): Command {
  return addConnectionOptions(command).addOption(
    new Option(
      "--admin-socket <path>",
      "the admin socket, without a session (default without a token: admin.sock where a daemon has it)",
    ).conflicts(["socket", "address", "tokenFile"]),
  );
}

/** For commands of administrators alone. */
export function addAdminOptions(command: Command): Command {
  return command
    .option("--admin-socket <path>", "the admin socket (default: admin.sock where a daemon has it)")
    .option("--timeout <duration>", "how long a call may take, as 500ms or 30s (default: 10s)", parseDuration);
}

/** Runs `use` on a connection that is closed after it. */
export async function withBroker<T>(
  options: ConnectionOptions,
  environment: Environment,
  use: (client: BrokerClient) => Promise<T>,
): Promise<T> {
  const tls = tlsOf(options);
  const target = targetOf(options, environment);
  return await withClient(target, { deadlineMs: deadlineOf(options), ...(tls !== undefined && { tls }) }, use);
}

/** On the admin socket. */
export async function withAdmin<T>(
  options: ConnectionOptions,
  environment: Environment,
  use: (client: BrokerClient) => Promise<T>,
): Promise<T> {
  return await withClient(adminTargetOf(options, environment), { deadlineMs: deadlineOf(options) }, use);
}

/** As the session whose token is given; without one as an observer on the admin socket, where `token` is undefined. */
export async function withObserver<T>(
  options: ConnectionOptions,
  environment: Environment,
  use: (client: BrokerClient, token: string | undefined) => Promise<T>,
): Promise<T> {
  if (!isObserver(options, environment)) {
    const token = sessionTokenOf(options, environment);
    return await withBroker(options, environment, (client) => use(client, token));
  }
  return await withAdmin(options, environment, (client) => use(client, undefined));
}

function deadlineOf({ timeout }: ConnectionOptions): number {
  return timeout ?? DEADLINE_MS;
}

async function withClient<T>(
  target: string,
  options: ConnectOptions,
  use: (client: BrokerClient) => Promise<T>,
): Promise<T> {
  const client = connect(target, options);
  try {
    return await use(client);
  } catch (error) {
    throw isUnanswered(error) ? new Unreachable(target, error.message, { cause: error }) : error;
  } finally {
    client.close();
  }
}

function isObserver({ address, adminSocket, socket, tokenFile }: ConnectionOptions, environment: Environment): boolean {
  if (adminSocket !== undefined) return true;
  const hasToken = tokenFile !== undefined || environment[TOKEN_VARIABLE] !== undefined;
  return !hasToken && address === undefined && socket === undefined;
}

export function adminTargetOf({ adminSocket }: ConnectionOptions, environment: Environment): string {
  return `unix:${adminSocket === undefined ? usualSocket("admin.sock", ADMIN_SOCKET_VARIABLE, environment) : resolve(adminSocket)}`;
}

/** @throws UsageError when no address is one */
export function targetOf({ address, socket }: ConnectionOptions, environment: Environment): string {
  if (address !== undefined) return tcpTarget(address);
  return `unix:${socket === undefined ? usualSocket("broker.sock", SOCKET_VARIABLE, environment) : resolve(socket)}`;
}

/** What the environment names; else the user's own daemon's or the system's, the one that is there. */
function usualSocket(name: string, variable: string, environment: Environment): string {
  const named = environment[variable] ?? "";
  if (named !== "") return resolve(named);
  const ofSystem = join(SYSTEM_DIRECTORY, name);
  const directory = environment.XDG_RUNTIME_DIR ?? "";
  if (!directory.startsWith("/")) return ofSystem;
  const own = join(directory, "iommu-broker", name);
  return existsSync(own) || !existsSync(ofSystem) ? own : ofSystem;
}

function tcpTarget(address: string): string {
  const [, port] = /^(?:\[[\da-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(address) ?? [];
  if (port !== undefined && Number(port) > 0 && Number(port) < 2 ** 16) return address;
  throw new UsageError(`--address ${JSON.stringify(address)} is not HOST:PORT, as 127.0.0.1:9400 or [::1]:9400`);
}

/** @throws UsageError when some of the three files are named, or one cannot be read */
export function tlsOf({ address, tlsCa, tlsCert, tlsKey }: ConnectionOptions): TlsClientOptions | undefined {
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError("--tls-ca, --tls-cert and --tls-key belong together: give all three");
  }
  if (address === undefined) throw new UsageError("--tls-ca, --tls-cert and --tls-key need --address HOST:PORT");
  return {
    ca: readPem("--tls-ca", tlsCa),
    certificate: readPem("--tls-cert", tlsCert),
    privateKey: readPem("--tls-key", tlsKey),
  };
}

function readPem(flag: string, path: string): Buffer {
  try {
    if (statSync(path).size > PEM_BYTES_MAX) {
      throw new UsageError(
        `${flag} ${JSON.stringify(path)} is longer than ${PEM_BYTES_MAX} bytes: is it the right file?`,
      );
    }
    const bytes = readFileSync(path);
    if (!bytes.includes("-----BEGIN ")) throw new UsageError(`${flag} ${JSON.stringify(path)} is not PEM`);
    return bytes;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${flag} ${JSON.stringify(path)} cannot be read: ${why}`);
  }
}

/** @throws UsageError when there is none, or what is there cannot be one; it never says what is there */
export function sessionTokenOf(options: ConnectionOptions, environment: Environment): string {
  const token = givenTokenOf(options, environment);
  if (token === undefined) throw new UsageError(`no session token: give --token-file FILE or set ${TOKEN_VARIABLE}`);
  return token;
}

/** Of commands that show a session more than they show anybody; undefined: none is given. */
export function givenTokenOf({ tokenFile }: ConnectionOptions, environment: Environment): string | undefined {
  return readToken(tokenFile, environment[TOKEN_VARIABLE]);
}
