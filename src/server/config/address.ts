// TCP addresses in the configuration: "HOST:PORT" or "[HOST]:PORT".

import { isIP } from "node:net";
import { isLoopback, type TcpAddress } from "../../os/tcp-listener.ts";

const ADDRESS = /^(?:\[(?<six>[0-9a-fA-F:]+)\]|(?<four>[^:[\]]+)):(?<port>\d{1,5})$/;

/** The address in `text`, or undefined when it is malformed or its host is a name that would have to be looked up. */
export function tcpAddress(text: string): TcpAddress | undefined {
  const groups = ADDRESS.exec(text)?.groups;
  const host = groups?.six ?? groups?.four;
  const port = Number(groups?.port);
  if (host === undefined || port > 65_535) return undefined;
  return isIP(host) === 0 && !isLoopback(host) ? undefined : { host, port };
}

/** Undefined also when it reaches beyond this host. */
export function loopbackAddress(text: string): TcpAddress | undefined {
  const address = tcpAddress(text);
  return address !== undefined && isLoopback(address.host) ? address : undefined;
}
