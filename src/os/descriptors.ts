// Open file descriptors across process borders (SCM_RIGHTS, unix(7)), and what the kernel says of one: its access mode and
// its seals (fcntl(2), F_GET_SEALS). koffi makes the calls; none of them can sleep: sockets are asked with MSG_DONTWAIT.
// A descriptor that arrives is the receiver's to close, so receiveMessage names every one that the kernel installed.

import koffi from "koffi";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const F_GETFL = 3;
const F_GET_SEALS = 1034;
const O_ACCMODE = 0o3;
const O_PATH = 0o10000000;
/** struct cmsghdr: a size_t, two ints, the data; each padded to a size_t (cmsg(3)). */
const SIZE_BYTES = koffi.sizeof("size_t");
const CMSG_HEADER_BYTES = SIZE_BYTES + 8;
const DESCRIPTOR_BYTES = 4;
/** Room for these; the kernel installs no more, closes the rest and says MSG_CTRUNC. */
const DESCRIPTORS_MAX = 4;

const IOVEC = koffi.struct({ base: "void *", bytes: "size_t" });
const MESSAGE = koffi.struct({
  name: "void *",
  nameBytes: "uint32_t",
  parts: koffi.pointer(IOVEC),
  partCount: "size_t",
  control: "void *",
  controlBytes: "size_t",
  flags: "int",
});
const libc = koffi.load(null);
const recvmsg = libc.func("recvmsg", "long", ["int", koffi.inout(koffi.pointer(MESSAGE)), "int"]);
const sendmsg = libc.func("sendmsg", "long", ["int", koffi.pointer(MESSAGE), "int"]);
const fcntl = libc.func("fcntl", "int", ["int", "int", "long"]);

export type Received =
  /** Nothing is there yet. */
  | { readonly kind: "nothing" }
  /** The other side sends no more, or the connection is broken. */
  | { readonly kind: "ended" }
  | ReceivedMessage;

export interface ReceivedMessage {
  readonly kind: "message";
  readonly bytes: Uint8Array;
  /** The caller's to close. */
  readonly descriptors: readonly number[];
  /** More descriptors were sent than there is room for, here or in this process's table; those are closed. */
  readonly isTruncated: boolean;
}

/** Takes what a Unix stream socket holds, at most `bytesMax` bytes and four descriptors, without waiting. */
export function receiveMessage(socket: number, bytesMax: number): Received {
  const data = new Uint8Array(bytesMax);
  const control = new Uint8Array(alignedUp(CMSG_HEADER_BYTES + DESCRIPTORS_MAX * DESCRIPTOR_BYTES));
  const message = messageOf(data, control);
  const count = Number(recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (count < 0) return isAgain() ? { kind: "nothing" } : { kind: "ended" };
  const descriptors = descriptorsIn(control.subarray(0, Number(message.controlBytes)));
  const isTruncated = (message.flags & MSG_CTRUNC) !== 0;
  if (count === 0 && descriptors.length === 0) return { kind: "ended" };
  return { kind: "message", bytes: data.subarray(0, count), descriptors, isTruncated };
}

/**
 * Sends bytes with descriptors, or with none, whole or not at all as far as the kernel can: a message of some bytes never is cut on an
 * idle socket.
 * @returns false when the socket takes nothing now, or is broken
 */
export function sendMessage(socket: number, bytes: Uint8Array, descriptors: readonly number[]): boolean {
  const dataBytes = descriptors.length * DESCRIPTOR_BYTES;
  const control = new Uint8Array(descriptors.length === 0 ? 0 : alignedUp(CMSG_HEADER_BYTES + dataBytes));
  if (descriptors.length > 0) writeRights(control, descriptors);
  const sent = Number(sendmsg(socket, messageOf(bytes, control), MSG_DONTWAIT | MSG_NOSIGNAL));
  return sent === bytes.length;
}

function writeRights(control: Uint8Array, descriptors: readonly number[]): void {
  const view = new DataView(control.buffer);
  writeSize(view, CMSG_HEADER_BYTES + descriptors.length * DESCRIPTOR_BYTES);
  view.setInt32(SIZE_BYTES, SOL_SOCKET, true);
  view.setInt32(SIZE_BYTES + 4, SCM_RIGHTS, true);
  for (const [index, fd] of descriptors.entries()) {
    view.setInt32(CMSG_HEADER_BYTES + index * DESCRIPTOR_BYTES, fd, true);
  }
}

export type AccessMode = "read" | "write" | "both" | "none";

/** What a descriptor allows; "none" for one that is only a place (O_PATH) or not open. */
export function accessModeOf(fd: number): AccessMode {
  const flags = Number(fcntl(fd, F_GETFL, 0));
  if (flags < 0 || (flags & O_PATH) !== 0) return "none";
  const modes: readonly AccessMode[] = ["read", "write", "both"];
  return modes[flags & O_ACCMODE] ?? "none";
}

/** memfd_create(2), "File-sealing". */
export const SEALS = { shrink: 0x2, grow: 0x4, write: 0x8, futureWrite: 0x10 } as const;

/**
 * The seals of a file of memory: a memfd, tmpfs, hugetlbfs. Undefined for anything else, and no file system is asked for
 * it: one of FUSE or NFS could let even fstat(2) wait.
 */
export function sealsOf(fd: number): number | undefined {
  const seals = Number(fcntl(fd, F_GET_SEALS, 0));
  return seals < 0 ? undefined : seals;
}

interface Message {
  readonly controlBytes: number | bigint;
  readonly flags: number;
}

function messageOf(data: Uint8Array, control: Uint8Array): Message {
  const parts = [{ base: data, bytes: data.length }];
  const message = { name: null, nameBytes: 0, parts, partCount: 1, control, controlBytes: control.length, flags: 0 };
  return message;
}

function descriptorsIn(control: Uint8Array): number[] {
  const found: number[] = [];
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  for (let at = 0; at + CMSG_HEADER_BYTES <= control.length; ) {
    const bytes = SIZE_BYTES === 8 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);
    if (bytes < CMSG_HEADER_BYTES) break;
    const isRights = view.getInt32(at + SIZE_BYTES, true) === SOL_SOCKET;
    if (isRights && view.getInt32(at + SIZE_BYTES + 4, true) === SCM_RIGHTS) {
      const end = Math.min(at + bytes, control.length);
      for (let fd = at + CMSG_HEADER_BYTES; fd + DESCRIPTOR_BYTES <= end; fd += DESCRIPTOR_BYTES) {
        found.push(view.getInt32(fd, true));
      }
    }
    at += alignedUp(bytes);
  }
  return found;
}

function writeSize(view: DataView, bytes: number): void {
  if (SIZE_BYTES === 8) view.setBigUint64(0, BigInt(bytes), true);
  else view.setUint32(0, bytes, true);
}

function alignedUp(bytes: number): number {
  return Math.ceil(bytes / SIZE_BYTES) * SIZE_BYTES;
}

function isAgain(): boolean {
  const errno = koffi.errno();
  return errno === koffi.os.errno.EAGAIN || errno === koffi.os.errno.EINTR;
}
