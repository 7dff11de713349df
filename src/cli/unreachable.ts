// A broker that cannot be reached: which socket it was, what is wrong with it, and how to mend that.

import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";

export class Unreachable extends Error {
  override readonly name = "Unreachable";
  /** The socket is there, and not for this user. */
  readonly isForbidden: boolean;

  /** @param target  "unix:/run/…" or "host:port" @param why  what the connection failed with */
  constructor(target: string, why: string, { cause, remedy }: { cause?: unknown; remedy?: string } = {}) {
    const path = /^unix:(?:\/\/)?(\/.*)$/.exec(target)?.[1];
    const reason = why.replace(/ Resolution note: *$/, ""); // grpc-js has none for a Unix socket
    super(`cannot reach a broker at ${path ?? target}: ${reason}\n  ${remedy ?? remedyOf(path, reason)}`, { cause });
    this.isForbidden = /\bE(?:ACCES|PERM)\b/.test(why);
  }
}

const START = "start it with systemctl start iommu-broker, or by hand: iommu-brokerd --config FILE";
/** To be a member of this group is to have more than a socket. */
const SUPERUSERS = "root";
const ANOTHER = "--socket, --address or --admin-socket names another";

function remedyOf(path: string | undefined, why: string): string {
  if (path === undefined) return `is iommu-brokerd running there, and listen.tcp set? ${ANOTHER}`;
  if (/\bENOENT\b/.test(why)) return `is iommu-brokerd running there? ${START}; ${ANOTHER}`;
  if (/\bECONNREFUSED\b/.test(why)) return `the socket is left over from a daemon that is gone: ${START}`;
  if (!/\bE(?:ACCES|PERM)\b/.test(why)) return `is iommu-brokerd running there? ${ANOTHER}`;
  const group = groupOf(path);
  if (group === undefined) return "this user may not open it: ask who runs the broker";
  if (group === SUPERUSERS)
    return "it is root's alone, as a daemon that root starts by hand makes it: run this as root";
  return `it is for members of the group ${group}: usermod -aG ${group} USER, and log in again`;
}

/** Whose group a socket is for; its directory tells where the socket itself may not be looked at. */
function groupOf(path: string): string | undefined {
  for (const place of [path, dirname(path)]) {
    try {
      return nameOf(statSync(place).gid);
    } catch {
      // not there, or not for this user: the directory above it may be
    }
  }
  return undefined;
}

function nameOf(gid: number): string {
  try {
    const line = readFileSync("/etc/group", "utf8")
      .split("\n")
      .find((each) => each.split(":")[2] === String(gid));
    return line?.split(":")[0] ?? String(gid);
  } catch {
    return String(gid); // a host without the file has numbers all the same
  }
}
