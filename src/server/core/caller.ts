// Who calls, as far as somebody vouches for it: the kernel for a process on a Unix socket, a certificate authority for
// the name in a client's certificate over TLS, nobody over plain TCP.
// A session belongs to the identity that opened it; its token is of no use to another one.

import { assertNever } from "../../spec/assert.ts";

/** A process on a Unix socket, as the kernel noted it when it connected (unix(7), SO_PEERCRED). */
export interface ProcessCaller {
  readonly kind: "process";
  readonly uid: number;
  readonly gid: number;
  /** 0 where the kernel has none for it: the process is in another pid namespace. */
  readonly pid: number;
  /** Name of its connection; another one of the same process has another. */
  readonly connection: string;
  /** What it ran when it connected, as its own mounts name it: it may narrow what the uid says, never stand for it. */
  readonly executable?: string;
  /** Its path in the cgroup v2 hierarchy when it connected. */
  readonly cgroup?: string;
  /** Clock ticks from boot to its start. */
  readonly startTime?: number;
}

/** Whoever has the key of a certificate that an authority of listen.tls.client_ca signed. */
export interface CertificateCaller {
  readonly kind: "certificate";
  /** "spiffe://…", or a DNS name. */
  readonly name: string;
  readonly connection: string;
}

/** Somebody at the other end of a TCP connection that nobody vouches for. */
export interface UnknownCaller {
  readonly kind: "unknown";
  readonly connection: string;
}

export type Caller = ProcessCaller | CertificateCaller | UnknownCaller;

/** Undefined: not known by uid. */
export function uidOf(caller: Caller): number | undefined {
  return caller.kind === "process" ? caller.uid : undefined;
}

/**
 * The caller that a retry must come from: the process on a Unix socket or the certificate's name, also after it
 * reconnected; one connection where nobody vouches for it, and where the kernel has no pid for the peer (all processes of
 * other pid namespaces read 0).
 */
export function replayScope(caller: Caller): string {
  switch (caller.kind) {
    case "process":
      return caller.pid === 0 ? caller.connection : `${caller.uid}/${caller.pid}/${caller.startTime ?? ""}`;
    case "certificate":
      return `certificate ${caller.name}`;
    case "unknown":
      return caller.connection;
    default:
      return assertNever(caller, "caller");
  }
}

/** The same for a caller who is known again after a restart of the daemon; undefined where only a connection is known. */
export function lastingScope(caller: Caller): string | undefined {
  const scope = replayScope(caller);
  return scope === caller.connection ? undefined : scope;
}

/** What somebody vouches for, in one word: "uid:1000", "spiffe://…", a DNS name, "tcp" for everybody on plain TCP. */
export function identityOf(caller: Caller): string {
  switch (caller.kind) {
    case "process":
      return `uid:${caller.uid}`;
    case "certificate":
      return caller.name;
    case "unknown":
      return "tcp";
    default:
      return assertNever(caller, "caller");
  }
}

/**
 * Whether `other` may use what `owner` opened: the same uid, the same certificate name; whoever nobody vouches for is
 * taken for anybody's equal among his like.
 */
export function isSameIdentity(owner: Caller, other: Caller): boolean {
  return owner.kind === other.kind && identityOf(owner) === identityOf(other);
}

/** For messages and logs: "pid 42 of uid 1000". */
export function describeCaller(caller: Caller): string {
  switch (caller.kind) {
    case "process":
      return `pid ${caller.pid} of uid ${caller.uid}`;
    case "certificate":
      return `the holder of certificate ${caller.name}`;
    case "unknown":
      return "a TCP client";
    default:
      return assertNever(caller, "caller");
  }
}
