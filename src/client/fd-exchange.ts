// Passes a descriptor to the broker's descriptor socket for a ticket that stands for it, and a ticket for the descriptors of
// a device. gRPC cannot carry them; docs/fd-exchange.md has the bytes, for clients in other languages.
// Descriptors go out and come in by sendmsg(2) and recvmsg(2): Node would pass on the bytes and drop what comes with them.

import { once } from "node:events";
import { closeSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { receiveMessage, sendMessage } from "../os/descriptors.ts";
import { descriptorOf } from "../os/libc.ts";
import { isLabel, parseAnswer, parseTaken, putRequest, type TakenAnswer, takeRequest } from "../server/fds/protocol.ts";

const DEADLINE_MS = 5000;
const FIRST_LOOK_MS = 1;
const LONGEST_LOOK_MS = 20;
const ANSWER_BYTES_MAX = 2048;

export interface MemoryTicket {
  /** For MapMemory's sources, once, by this process. */
  readonly ticket: string;
  /** From now on. */
  readonly expiresMs: number;
}

/** The broker did not take the descriptor, or could not be reached. */
export class PutRefused extends Error {
  override readonly name = "PutRefused";
  /** "invalid", "denied", "limit", "unsupported" or "failed". */
  readonly status: string;

  constructor(status: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/**
 * Puts guest memory: a memfd, or a file of tmpfs.
 *
 * @param socket  path of the descriptor socket, "fd.sock" beside the API's
 * @param memory  `fd` stays the caller's; `label`: 1 to 64 printable ASCII characters, for messages and after a restart
 * @throws PutRefused with the broker's reason
 */
export async function putMemory(
  socket: string,
  memory: { readonly fd: number; readonly label: string },
): Promise<MemoryTicket> {
  if (!isLabel(memory.label)) throw new PutRefused("invalid", "a label is 1 to 64 printable ASCII characters");
  const connection = connect(socket);
  try {
    await connected(connection, socket);
    const fd = descriptorOf(connection);
    if (fd === undefined || !sendMessage(fd, putRequest(memory.label), [memory.fd])) {
      throw new PutRefused("failed", `descriptor ${memory.fd} could not be sent: is it open?`);
    }
    const answer = parseAnswer(await everythingFrom(connection));
    if (answer === undefined) throw new PutRefused("failed", "the connection ended without an answer");
    if (answer.kind === "refused") throw new PutRefused(answer.status, answer.why);
    return { ticket: answer.ticket, expiresMs: answer.expiresMs };
  } finally {
    connection.destroy();
  }
}

/** A descriptor of a device, open in this process and its to close. */
export interface DeviceFile {
  /** "vfio-cdev" or "iommufd"; "simulated-cdev" or "simulated-iommufd": a stand-in, which takes no ioctl. */
  readonly label: string;
  readonly fd: number;
}

/**
 * Fetches what a ticket of GetDeviceDescriptor or VendDevice stands for.
 *
 * @param socket  path of the descriptor socket, "fd.sock" beside the API's
 * @throws PutRefused with the broker's reason; nothing is left open
 */
export async function takeDescriptors(socket: string, ticket: string): Promise<readonly DeviceFile[]> {
  const connection = connect(socket);
  connection.pause(); // libuv would read the bytes, and drop what comes with them
  try {
    await connected(connection, socket);
    const fd = descriptorOf(connection);
    if (fd === undefined || !sendMessage(fd, takeRequest(ticket), [])) {
      throw new PutRefused("failed", "the ticket could not be sent: is it the broker's socket?");
    }
    return await filesFrom(fd);
  } finally {
    connection.destroy();
  }
}

async function connected(connection: Socket, path: string): Promise<void> {
  try {
    await once(connection, "connect");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const remedy = "is the broker running, and is this its descriptor socket (fd.sock)?";
    throw new PutRefused("failed", `cannot reach ${path}: ${why}; ${remedy}`, { cause: error });
  }
}

/** There is no readiness to wait for: it is asked at once, and then ever more rarely until the deadline. */
async function filesFrom(connection: number): Promise<readonly DeviceFile[]> {
  const descriptors: number[] = [];
  let bytes = new Uint8Array(0);
  let answer: TakenAnswer | undefined;
  for (let [waitMs, waitedMs] = [FIRST_LOOK_MS, 0]; answer === undefined && waitedMs < DEADLINE_MS; ) {
    const received = receiveMessage(connection, ANSWER_BYTES_MAX);
    if (received.kind === "ended") break;
    if (received.kind === "message") {
      descriptors.push(...received.descriptors);
      bytes = Buffer.concat([bytes, received.bytes]);
      answer = parseTaken(bytes);
      continue;
    }
    await delay(waitMs);
    waitedMs += waitMs;
    waitMs = Math.min(2 * waitMs, LONGEST_LOOK_MS);
  }
  if (answer?.kind === "taken" && answer.labels.length === descriptors.length) {
    return answer.labels.map((label, index) => ({ label, fd: descriptors[index]! }));
  }
  for (const each of descriptors) closeSync(each);
  if (answer?.kind === "refused") throw new PutRefused(answer.status, answer.why);
  throw new PutRefused(
    "failed",
    "the connection ended without an answer, or not all descriptors came: ask for another ticket",
  );
}

/** What came until the connection closed, however it did: an answer may be followed by a reset. */
async function everythingFrom(connection: Socket): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  connection.on("data", (chunk) => chunks.push(chunk));
  connection.on("error", () => {});
  connection.setTimeout(DEADLINE_MS, () => connection.destroy());
  await new Promise((resolve) => connection.once("close", resolve));
  return Buffer.concat(chunks);
}
