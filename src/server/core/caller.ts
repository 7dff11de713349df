// Who calls, as far as somebody vouches for it: the kernel for a process on a Unix socket, a certificate authority over TCP.
// A session belongs to the identity that opened it; its token is of no use to another one.

/** A process on a Unix socket, as the kernel noted it when it connected (unix(7), SO_PEERCRED). */
export interface ProcessCaller {
  readonly kind: "process";
  readonly uid: number;
  readonly gid: number;
  /** 0 where the kernel has none for it: the process is in another pid namespace. */
  readonly pid: number;
  /** Name of its connection; another one of the same process has another. */
  readonly connection: string;
}

/** Somebody at the other end of a TCP connection that nobody vouches for. */
export interface UnknownCaller {
  readonly kind: "unknown";
  readonly connection: string;
}

export type Caller = ProcessCaller | UnknownCaller;

/** Undefined: not known by uid. */
export function uidOf(caller: Caller): number | undefined {
  return caller.kind === "process" ? caller.uid : undefined;
}

/**
 * The caller that a retry must come from: the process on a Unix socket, also after it reconnected; one connection where
 * nobody vouches for it, and where the kernel has no pid for the peer (all processes of other pid namespaces read 0).
 */
export function replayScope(caller: Caller): string {
  if (caller.kind === "unknown" || caller.pid === 0) return caller.connection;
  return `${caller.uid}/${caller.pid}`;
}

/** Whether `other` may use what `owner` opened: the same uid; whoever nobody vouches for is taken for anybody's equal. */
export function isSameIdentity(owner: Caller, other: Caller): boolean {
  if (owner.kind === "process" && other.kind === "process") return owner.uid === other.uid;
  return owner.kind === other.kind;
}

/** For messages and logs: "pid 42 of uid 1000". */
export function describeCaller(caller: Caller): string {
  return caller.kind === "process" ? `pid ${caller.pid} of uid ${caller.uid}` : "a TCP client";
}
