// Who is at the other end of a connection, put into core's terms.
// A Unix peer is what the kernel noted when it connected (unix(7), SO_PEERCRED), a TLS peer what its certificate says;
// over plain TCP nobody vouches for anything.

import type { PeerCredentials } from "../../os/libc.ts";
import type { ProcessIdentity } from "../../os/process-identity.ts";
import type { Caller } from "../core/caller.ts";

export type Peer =
  | { readonly kind: "unix"; readonly credentials: PeerCredentials; readonly identity: ProcessIdentity }
  | { readonly kind: "certificate"; readonly name: string; readonly address: string }
  | { readonly kind: "tcp"; readonly address: string };

/** Each connection's caller is one object: what is found out about it once need not be found out with each call. */
const CALLERS = new WeakMap<Peer, Caller>();

/** @param connection  the connection's own name */
export function callerOf(connection: string, peer: Peer): Caller {
  const known = CALLERS.get(peer);
  if (known?.connection === connection) return known;
  const caller = Object.freeze(makeCaller(connection, peer));
  CALLERS.set(peer, caller);
  return caller;
}

function makeCaller(connection: string, peer: Peer): Caller {
  if (peer.kind === "tcp") return { kind: "unknown", connection };
  if (peer.kind === "certificate") return { kind: "certificate", name: peer.name, connection };
  const { uid, gid, pid } = peer.credentials;
  return { kind: "process", uid, gid, pid, connection, ...peer.identity };
}
