// Which of the daemon's sockets came with its start: each by the name in its unit, at the path that the configuration says.

import { type InheritedSocket, isBoundAt, refusedSocket } from "../../os/inherited-sockets.ts";
import type { Config } from "../config.ts";

/** Descriptors by what they are for; undefined: the daemon makes that socket itself. */
export interface Inherited {
  readonly api?: number | undefined;
  readonly admin?: number | undefined;
  readonly fds?: number | undefined;
  readonly metrics?: number | undefined;
}

/** FileDescriptorName= of each, and the setting that says where it is. */
const PLACES: Readonly<Record<keyof Inherited, { setting: string; pathIn(config: Config): string | undefined }>> = {
  api: { setting: "listen.socket", pathIn: ({ listen }) => listen.socket },
  admin: { setting: "admin.socket", pathIn: ({ admin }) => admin.socket },
  fds: { setting: "listen.fd_socket", pathIn: ({ fdSocket }) => fdSocket },
  metrics: { setting: "metrics.socket", pathIn: ({ metrics }) => metrics.socket },
};

/**
 * Gives each socket its use.
 * @throws BrokerError argument_invalid for a name that is none, comes twice, or is bound elsewhere than configured
 */
export function placeInherited(sockets: readonly InheritedSocket[], config: Config): Inherited {
  const placed: Partial<Record<keyof Inherited, number>> = {};
  for (const socket of sockets) {
    const name = nameOf(socket);
    const { setting, pathIn } = PLACES[name];
    const path = pathIn(config);
    if (placed[name] !== undefined) throw refusedSocket(socket, "comes twice", "take one ListenStream= away");
    if (path === undefined || !isBoundAt(socket, path)) {
      const where = `is bound at ${socket.path}, but ${setting} is ${path ?? "off"}`;
      throw refusedSocket(socket, where, `set ${setting} to the path in the socket unit`);
    }
    placed[name] = socket.fd;
  }
  return placed;
}

function nameOf(socket: InheritedSocket): keyof Inherited {
  switch (socket.name) {
    case "api":
    case "admin":
    case "fds":
    case "metrics":
      return socket.name;
    default: {
      const remedy = `set FileDescriptorName= to one of ${Object.keys(PLACES).join(", ")}`;
      throw refusedSocket(socket, "has a name that is none of this daemon's sockets'", remedy);
    }
  }
}
