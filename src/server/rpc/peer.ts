// Who is at the other end of a connection, and what follows from it: whose retry a call may be, and whose files are its.
// A Unix peer is what the kernel noted when it connected (unix(7), SO_PEERCRED); over TCP nobody vouches for anything.

import type { PeerCredentials } from "../../os/libc.ts";

export type Peer =
  | { readonly kind: "unix"; readonly credentials: PeerCredentials }
  | { readonly kind: "tcp"; readonly address: string };

/**
 * The caller that a retry must come from: the process on a Unix socket, also after it reconnected; one connection over
 * TCP, and where the kernel has no pid for the peer (it is in another pid namespace, and reads 0 as all of those do).
 *
 * @param connection  the connection's own name
 * @param peer        undefined: its connection is gone, or it is not known
 */
export function replayScope(connection: string, peer: Peer | undefined): string | undefined {
  if (peer === undefined) return undefined;
  if (peer.kind === "tcp" || peer.credentials.pid === 0) return connection;
  return `${peer.credentials.uid}/${peer.credentials.pid}`;
}

/** Undefined: not known by uid. */
export function uidOf(peer: Peer | undefined): number | undefined {
  return peer?.kind === "unix" ? peer.credentials.uid : undefined;
}
