// TCP listeners. Where no TLS tells who connects, whoever can connect is trusted: then on loopback only.

import { isIPv4, type Server } from "node:net";
import { BrokerError } from "../backends/errors.ts";
import { errnoOf } from "./errno.ts";

export interface TcpAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** 127.0.0.0/8 and ::1. "localhost" may mean anything in /etc/hosts, so listenTcp takes it as 127.0.0.1. */
export function isLoopback(host: string): boolean {
  return host === "::1" || host === "localhost" || (isIPv4(host) && host.startsWith("127."));
}

/**
 * Makes `server` listen on a TCP address.
 * @param reach "loopback": any other address is refused
 * @returns the address in use, "127.0.0.1:9400", with the port that was found for port 0
 */
export function listenTcp(server: Server, wish: TcpAddress, reach: "loopback" | "network"): Promise<string> {
  const { host, port } = wish;
  const asked = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (reach === "loopback" && !isLoopback(host)) {
    const why = `TCP address ${asked} is not on loopback, and whoever can connect is trusted: use 127.0.0.1 or [::1], or TLS`;
    return Promise.reject(new BrokerError("argument_invalid", why, { address: asked }));
  }
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const errno = errnoOf(cause);
      const why = errno === "EADDRINUSE" ? "is in use: stop what listens there, or choose another" : `fails (${errno})`;
      const code = errno === "EADDRINUSE" ? "in_use" : "argument_invalid";
      reject(new BrokerError(code, `TCP address ${asked} ${why}`, { address: asked, errno }, { cause }));
    });
    server.listen({ host: host === "localhost" ? "127.0.0.1" : host, port }, () => {
      const bound = server.address();
      const found = typeof bound === "object" && bound !== null ? bound.port : port;
      resolve(asked.replace(/:\d+$/, `:${found}`));
    });
  });
}
