// Datagrams to the service manager (sd_notify(3)). Node has no datagram Unix sockets, so koffi makes the two calls; neither
// can sleep. The kernel tells the receiver who sends, so nothing has to be said about that.
// Source: sd_notify(3), "Standalone Implementations"; unix(7), "Address format".

import { closeSync } from "node:fs";
import koffi from "koffi";
import { BrokerError } from "../backends/errors.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sizeof(sun_path); an abstract name has no NUL behind it and may use all of it. */
const ADDRESS_BYTES_MAX = 108;

const libc = koffi.load(null);
const socket = libc.func("int socket(int domain, int type, int protocol)");
const sendto = libc.func(
  "long sendto(int fd, const void *data, size_t bytes, int flags, const void *address, uint32_t addressBytes)",
);

export type Sent = "sent" | "full" | "failed";

export class NotifySocket {
  readonly #fd: number;
  readonly #address: Buffer;

  /**
   * @param address  as NOTIFY_SOCKET has it: an absolute path, or "@" and an abstract name
   * @throws BrokerError argument_invalid for another one
   */
  constructor(address: string) {
    this.#address = socketAddress(address);
    this.#fd = Number(socket(AF_UNIX, SOCK_DGRAM + SOCK_CLOEXEC, 0));
    if (this.#fd < 0) throw refused(address, "no socket can be made for it: raise the limit on open files");
  }

  /** Sends lines as one datagram, or nothing. "full": the receiver has not taken what was sent before. */
  send(lines: readonly string[]): Sent {
    const bytes = Buffer.from(lines.join("\n"));
    const flags = MSG_DONTWAIT + MSG_NOSIGNAL;
    const sent = Number(sendto(this.#fd, bytes, bytes.length, flags, this.#address, this.#address.length));
    if (sent === bytes.length) return "sent";
    const errno = koffi.errno();
    const isFull = errno === koffi.os.errno.EAGAIN || errno === koffi.os.errno.EINTR;
    return isFull ? "full" : "failed";
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** struct sockaddr_un. */
function socketAddress(address: string): Buffer {
  const isAbstract = address.startsWith("@");
  if (address.includes("\0") || !(isAbstract ? address.length > 1 : address.startsWith("/"))) {
    throw refused(address, 'must be an absolute path, or "@" and the name of an abstract socket');
  }
  const name = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (name.length > ADDRESS_BYTES_MAX) {
    throw refused(address, `is longer than the ${ADDRESS_BYTES_MAX} bytes that the kernel takes`);
  }
  const bytes = Buffer.alloc(2 + name.length);
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(0, AF_UNIX, true);
  name.copy(bytes, 2);
  return bytes;
}

function refused(address: string, why: string): BrokerError {
  return new BrokerError("argument_invalid", `NOTIFY_SOCKET ${address} ${why}`, { address });
}
