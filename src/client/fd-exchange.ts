// Passes a descriptor to the broker's descriptor socket and gives the ticket that stands for it. gRPC cannot carry
// descriptors; docs/fd-exchange.md has the bytes, for clients in other languages.
// The request goes out in one sendmsg(2) with the descriptor; Node would send the bytes without it.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { sendMessage } from "../os/descriptors.ts";
import { descriptorOf } from "../os/libc.ts";
import { isLabel, parseAnswer, putRequest } from "../server/fds/protocol.ts";

const DEADLINE_MS = 5000;

export interface MemoryTicket {
  /** For MapMemory's sources, once, by this process. */
  readonly ticket: string;
  /** From now on. */
  readonly expiresMs: number;
}

/** The broker did not take the descriptor. */
export class PutRefused extends Error {
  override readonly name = "PutRefused";
  /** "invalid", "denied", "limit", "unsupported" or "failed". */
  readonly status: string;

  constructor(status: string, message: string) {
    super(message);
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
    await once(connection, "connect");
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

/** What came until the connection closed, however it did: an answer may be followed by a reset. */
async function everythingFrom(connection: Socket): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  connection.on("data", (chunk) => chunks.push(chunk));
  connection.on("error", () => {});
  connection.setTimeout(DEADLINE_MS, () => connection.destroy());
  await new Promise((resolve) => connection.once("close", resolve));
  return Buffer.concat(chunks);
}
