// The descriptor socket: a client connects and sends one request: a descriptor, for which it is given a ticket, or a ticket,
// for which it is given descriptors; gRPC cannot carry them. Stream, not SEQPACKET: Node accepts no other, and VMMs speak it everywhere.
// libuv accepts and writes, but never reads here: its read(2) would throw descriptors away. So there is no readiness to
// wait for, and a connection is asked by recvmsg(MSG_DONTWAIT): at once, when nearly all have sent, and then ever more
// rarely up to a deadline, after which it is cut. Nothing waits, and connections are few by limit, in all and for a uid.
// The descriptor is closed here in every case, beside the event loop: what is kept was opened anew (os/passed-memory.ts).

import { createServer, type Socket } from "node:net";
import { BrokerError, limitOf, limitReached } from "../../backends/errors.ts";
import type { GuestMemoryFile } from "../../backends/guest-memory.ts";
import { type ReceivedMessage, receiveMessage, sendMessage } from "../../os/descriptors.ts";
import { descriptorOf, peerCredentials } from "../../os/libc.ts";
import { SlowClose } from "../../os/slow-close.ts";
import { listenUnix } from "../../os/unix-listener.ts";
import type { IssuedTickets } from "./device-tickets.ts";
import {
  descriptorsAnswer,
  parseRequest,
  REQUEST_BYTES_MAX,
  type Refusal,
  refusalAnswer,
  ticketAnswer,
} from "./protocol.ts";
import type { Putter, Tickets } from "./tickets.ts";

const FIRST_LOOK_MS = 1;
const LONGEST_LOOK_MS = 20;
/** One uid cannot have all connections. */
const SHARE_OF_ONE_UID = 4;
/** Beyond it somebody's close(2) hangs; nothing more is taken in until it comes back. */
const CLOSING_MAX = 64;

export interface RefusedPut extends Putter {
  readonly why: string;
  /** The limit that refused it. */
  readonly limit: string | undefined;
}

export interface ExchangeOptions {
  readonly path: string;
  /** Its descriptor, where the process was started with it. */
  readonly inherited?: number | undefined;
  readonly tickets: Tickets;
  readonly deviceTickets: IssuedTickets;
  readonly connectionsMax: number;
  /** From the connection to the end of the request. */
  readonly requestTimeoutMs: number;
  /** The file behind a descriptor, which stays the exchange's to close. Throws BrokerError. */
  adopt(passed: number, label: string): GuestMemoryFile;
  onRefused(put: RefusedPut): void;
  /** A bug: the client was told nothing but that it failed. */
  onBug(error: unknown): void;
}

export interface Exchange {
  readonly path: string;
  /** Accepts no more connections, removes the socket, cuts those that are open. */
  stop(): void;
}

/** @throws BrokerError argument_invalid or in_use with the path and the remedy */
export async function openExchange(options: ExchangeOptions): Promise<Exchange> {
  const desk = new Desk(options);
  const server = createServer({ pauseOnConnect: true }, (socket) => desk.admit(socket));
  const listener = await listenUnix(server, options.path, options.inherited);
  return {
    path: options.path,
    stop: () => {
      listener.stop();
      desk.cut();
    },
  };
}

class Desk {
  readonly #options: ExchangeOptions;
  readonly #open = new Map<Socket, Visit>();
  readonly #closing = new SlowClose();

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  admit(socket: Socket): void {
    socket.on("error", () => {}); // it was cut, or the peer is gone: nobody is left to be told
    const fd = descriptorOf(socket);
    const peer = fd === undefined ? undefined : peerCredentials(fd);
    if (fd === undefined || peer === undefined) {
      socket.destroy();
      return;
    }
    const max = this.#options.connectionsMax;
    const own = [...this.#open.values()].filter(({ putter }) => putter.uid === peer.uid).length;
    if (this.#open.size >= max || own >= Math.ceil(max / SHARE_OF_ONE_UID)) {
      const error = limitReached("fd_connections_max", max, "put one descriptor after the other");
      this.#options.onRefused({ uid: peer.uid, pid: peer.pid, why: error.message, limit: limitOf(error) });
      socket.destroy();
      return;
    }
    if (this.#closing.waiting >= CLOSING_MAX) {
      const why = "descriptors that came before cannot be closed: is one of a file system that hangs?";
      this.#options.onRefused({ uid: peer.uid, pid: peer.pid, why, limit: undefined });
      socket.destroy();
      return;
    }
    const visit = new Visit({ socket, fd, putter: { uid: peer.uid, pid: peer.pid } }, this.#closing, this.#options);
    this.#open.set(socket, visit);
    socket.once("close", () => this.#open.delete(socket));
    visit.look();
  }

  cut(): void {
    for (const visit of this.#open.values()) visit.end();
  }
}

/** One connection: from the first byte to the answer. */
class Visit {
  readonly putter: Putter;
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #closing: SlowClose;
  readonly #options: ExchangeOptions;
  readonly #descriptors: number[] = [];
  #bytes = new Uint8Array(0);
  #waitMs = FIRST_LOOK_MS;
  #waitedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { socket, fd, putter }: { readonly socket: Socket; readonly fd: number; readonly putter: Putter },
    closing: SlowClose,
    options: ExchangeOptions,
  ) {
    this.#socket = socket;
    this.#fd = fd;
    this.putter = putter;
    this.#closing = closing;
    this.#options = options;
  }

  /** The timer goes with the socket: after it the number of its descriptor may be somebody else's. */
  end(): void {
    this.#finish();
    this.#socket.destroy();
  }

  look(): void {
    const received = receiveMessage(this.#fd, REQUEST_BYTES_MAX + 1 - this.#bytes.length);
    if (received.kind === "ended") this.#cut("the connection ended before the request did");
    else if (received.kind === "nothing") this.#lookAgain();
    else this.#take(received);
  }

  #take({ bytes, descriptors, isTruncated }: ReceivedMessage): void {
    this.#descriptors.push(...descriptors);
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const request = parseRequest(this.#bytes);
    const [descriptor, another] = this.#descriptors;
    if (isTruncated || another !== undefined) {
      this.#refuse("invalid", "more than one descriptor came: send one for a request");
    } else if (request.kind === "bad") {
      this.#refuse(request.status, request.why);
    } else if (request.kind === "partial") {
      this.#lookAgain();
    } else if (request.kind === "take") {
      if (descriptor === undefined) this.#pass(request.ticket);
      else this.#refuse("invalid", "a descriptor came with a ticket: take needs none");
    } else if (descriptor === undefined) {
      this.#refuse("invalid", "no descriptor came with the request (SCM_RIGHTS)");
    } else {
      this.#put(descriptor, request.label);
    }
  }

  #lookAgain(): void {
    if (this.#waitedMs >= this.#options.requestTimeoutMs) {
      this.#cut("the request did not come in time");
      return;
    }
    this.#timer = setTimeout(() => this.look(), this.#waitMs).unref();
    this.#waitedMs += this.#waitMs;
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_LOOK_MS);
  }

  #put(descriptor: number, label: string): void {
    const { adopt, tickets } = this.#options;
    this.#attempt(() => {
      tickets.requireRoom(this.putter);
      const { ticket, expiresMs } = tickets.put(adopt(descriptor, label), label, this.putter);
      this.#answer(ticketAnswer(ticket, expiresMs));
    });
  }

  /** In one turn from the look at who has the device to the last byte: what is passed is open, and the holder's. */
  #pass(ticket: string): void {
    this.#attempt(() => {
      const { descriptors, passed } = this.#options.deviceTickets.redeem(ticket, this.putter);
      const labels = descriptorsAnswer(descriptors.map(({ kind }) => kind));
      const isSent = sendMessage(
        this.#fd,
        labels,
        descriptors.map(({ fd }) => fd),
      );
      if (isSent) {
        passed();
        this.#close();
      } else this.#cut("the descriptors could not be sent: the peer is gone, or takes nothing");
    });
  }

  #attempt(act: () => void): void {
    const { onBug } = this.#options;
    try {
      act();
    } catch (error) {
      if (error instanceof BrokerError) {
        this.#refuse(statusOf(error), error.message, limitOf(error));
        return;
      }
      onBug(error);
      this.#answer(refusalAnswer("failed", "the broker failed: its log has the reason"));
    }
  }

  #refuse(status: Refusal, why: string, limit?: string): void {
    this.#options.onRefused({ ...this.putter, why, limit });
    this.#answer(refusalAnswer(status, why));
  }

  #cut(why: string): void {
    this.#options.onRefused({ ...this.putter, why, limit: undefined });
    this.end();
  }

  #answer(bytes: Uint8Array): void {
    this.#socket.write(bytes);
    this.#close();
  }

  #close(): void {
    this.#finish();
    this.#socket.destroySoon();
  }

  #finish(): void {
    clearTimeout(this.#timer);
    for (const fd of this.#descriptors.splice(0)) this.#closing.close(fd);
  }
}

function statusOf(error: BrokerError): Refusal {
  if (error.code === "limit_reached") return "limit";
  return error.code === "policy_denied" ? "denied" : "invalid";
}
