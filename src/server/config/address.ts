// TCP addresses in the configuration: "HOST:PORT" or "[HOST]:PORT".

import { isLoopback, type TcpAddress } from "../../os/tcp-listener.ts";

const ADDRESS = /^(?:\[(?<six>[0-9a-fA-F:]+)\]|(?<four>[^:[\]]+)):(?<port>\d{1,5})$/;

/** The address in `text`, or undefined when it is malformed or reaches beyond this host. */
export function loopbackAddress(text: string): TcpAddress | undefined {
  const groups = ADDRESS.exec(text)?.groups;
  const host = groups?.six ?? groups?.four;
  const port = Number(groups?.port);
  if (host === undefined || port > 65_535 || !isLoopback(host)) return undefined;
  return { host, port };
}
