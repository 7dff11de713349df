// Where the broker is, and whose session asks: the options that commands share.
// The token goes to whoever listens at the target. So nothing is looked for in /tmp, where anybody could listen: a socket
// is named, or lies in the user's own runtime directory.

import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { type BrokerClient, type ConnectOptions, connect, type TlsClientOptions } from "../client/client.ts";
import { UsageError } from "./failure.ts";

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
}

const TOKEN_VARIABLE = "IOMMUBROKER_SESSION_TOKEN";
const TOKEN_BYTES_MAX = 256;
const PEM_BYTES_MAX = 1_048_576;
const DEADLINE_MS = 10_000;

export function addConnectionOptions(command: Command): Command {
  return command
    .option("--socket <path>", "the broker's Unix socket (default: $XDG_RUNTIME_DIR/iommu-broker/broker.sock)")
    .addOption(
      new Option("--address <host:port>", "the broker's TCP address instead, plain text without --tls-*").conflicts(
        "socket",
      ),
    )
    .option("--tls-ca <file>", "with --address: authorities of the broker's certificate, PEM")
    .option("--tls-cert <file>", "the certificate that says who calls, PEM")
    .option("--tls-key <file>", "its key, PEM")
    .option("--token-file <file>", `file with the session token (or ${TOKEN_VARIABLE})`);
}

/** For commands that show an administrator every device, and else what a session owns. */
export function addObserverOptions(command: Command): Command {
  return addConnectionOptions(command).addOption(
    new Option(
      "--admin-socket <path>",
      "the admin socket, without a session (default without a token: $XDG_RUNTIME_DIR/iommu-broker/admin.sock)",
    ).conflicts(["socket", "address", "tokenFile"]),
  );
}

/** Runs `use` on a connection that is closed after it. */
export async function withBroker<T>(
  options: ConnectionOptions,
  environment: Environment,
  use: (client: BrokerClient) => Promise<T>,
): Promise<T> {
  const tls = tlsOf(options);
  const target = targetOf(options, environment);
  return await withClient(target, { deadlineMs: DEADLINE_MS, ...(tls !== undefined && { tls }) }, use);
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
  const target = adminTargetOf(options, environment);
  return await withClient(target, { deadlineMs: DEADLINE_MS }, (client) => use(client, undefined));
}

async function withClient<T>(
  target: string,
  options: ConnectOptions,
  use: (client: BrokerClient) => Promise<T>,
): Promise<T> {
  const client = connect(target, options);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

function isObserver({ address, adminSocket, socket, tokenFile }: ConnectionOptions, environment: Environment): boolean {
  if (adminSocket !== undefined) return true;
  const hasToken = tokenFile !== undefined || environment[TOKEN_VARIABLE] !== undefined;
  return !hasToken && address === undefined && socket === undefined;
}

/** @throws UsageError when no socket is named */
export function adminTargetOf({ adminSocket }: ConnectionOptions, environment: Environment): string {
  if (adminSocket !== undefined) return `unix:${resolve(adminSocket)}`;
  const directory = environment.XDG_RUNTIME_DIR ?? "";
  if (!directory.startsWith("/")) {
    throw new UsageError("no broker is named: give --admin-socket PATH, or a session's token with --socket PATH");
  }
  return `unix:${join(directory, "iommu-broker", "admin.sock")}`;
}

/** @throws UsageError when no broker is named, or no address is one */
export function targetOf({ address, socket }: ConnectionOptions, environment: Environment): string {
  if (address !== undefined) return tcpTarget(address);
  if (socket !== undefined) return `unix:${resolve(socket)}`;
  const directory = environment.XDG_RUNTIME_DIR ?? "";
  if (!directory.startsWith("/")) throw new UsageError("no broker is named: give --socket PATH or --address HOST:PORT");
  return `unix:${join(directory, "iommu-broker", "broker.sock")}`;
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
    throw error instanceof UsageError ? error : unreadable(flag, path, error);
  }
}

/** @throws UsageError when there is none, or what is there cannot be one; it never says what is there */
export function sessionTokenOf({ tokenFile }: ConnectionOptions, environment: Environment): string {
  const given = tokenFile === undefined ? environment[TOKEN_VARIABLE] : readToken(tokenFile);
  const token = given?.trim() ?? "";
  const where = tokenFile === undefined ? TOKEN_VARIABLE : `--token-file ${JSON.stringify(tokenFile)}`;
  if (given === undefined) throw new UsageError(`no session token: give --token-file FILE or set ${TOKEN_VARIABLE}`);
  if (token === "") throw new UsageError(`${where} is empty: it must have the token that OpenSession answered with`);
  if (token.length > TOKEN_BYTES_MAX || !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(
      `${where} has no session token: one is a single word of at most ${TOKEN_BYTES_MAX} characters`,
    );
  }
  return token;
}

/** At most one byte more than a token and its line break may have: enough to see that it is too long. */
function readToken(path: string): string {
  const bytes = Buffer.alloc(TOKEN_BYTES_MAX + 3);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw unreadable("--token-file", path, error);
  }
  try {
    return bytes.toString("latin1", 0, readSync(file, bytes));
  } catch (error) {
    throw unreadable("--token-file", path, error);
  } finally {
    closeSync(file);
  }
}

function unreadable(flag: string, path: string, error: unknown): UsageError {
  const why = error instanceof Error ? error.message : String(error);
  return new UsageError(`${flag} ${JSON.stringify(path)} cannot be read: ${why}`);
}
