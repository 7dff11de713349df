// Under which names the status page answers over TCP. A site that has its own name resolve to loopback (DNS rebinding) makes a
// browser ask here under that name, so the page is for names of loopback and those that the operator lists.
// Source: RFC 9110 §7.2 (Host), §15.5.20 (421 Misdirected Request).

import { isLoopback } from "../../os/tcp-listener.ts";
import { type Answer, plain } from "../http-answer.ts";

const TOLD_CHARACTERS_MAX = 100;

/** @param listed names and addresses without a port, in lower case; @param host  the header, as it came */
export function isHostOfPage(host: string | undefined, listed: readonly string[]): boolean {
  const name = nameOf(host);
  return isLoopback(name) || listed.includes(name);
}

/** Without the port and an IPv6 address's brackets; empty: it is no name. */
function nameOf(host: string | undefined): string {
  const name = /^(?:\[([\da-f:]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host ?? "");
  return (name?.[1] ?? name?.[2] ?? "").toLowerCase();
}

/** As a connection's own end has it: also an IPv4 address on a socket of both. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return isLoopback(address?.replace(/^::ffff:/, "") ?? "");
}

export function misdirected(host: string | undefined): Answer {
  const told = host === undefined ? "no Host" : `Host ${JSON.stringify(host.slice(0, TOLD_CHARACTERS_MAX))}`;
  const names = "127.0.0.1, [::1], localhost and the names in metrics.status_hosts";
  return plain(421, `${told}: the status page answers to ${names} only`);
}
