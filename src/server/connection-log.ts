// Log lines of the listeners. Whoever can reach a port can cause some of them as often as it likes, so those are throttled
// by what happened and never by who it was, of whom there may be many.

import type { TlsEvent } from "../os/tls-files.ts";
import { assertNever } from "../spec/assert.ts";
import type { Throttle } from "./event-log.ts";
import type { Log } from "./log.ts";

/** A connection that a limit closed. `who`: the identity or the address. */
export function logRefusedConnection(limit: string, who: string, log: Log, throttle: Throttle): void {
  throttle.run(`connection ${limit}`, (left) => log.warn({ limit, owner: who, ...left }, "connection refused"));
}

export function logTlsEvent(event: TlsEvent, log: Log, throttle: Throttle): void {
  switch (event.kind) {
    case "loaded": {
      const facts = { facts: { validTo: event.validTo.toISOString() } };
      log.info(facts, "TLS certificate read");
      if (event.isKeyOfGroup)
        log.warn(facts, "the TLS key's file can be read by its group: chmod 0600 if it should not");
      if (event.validTo.getTime() < Date.now()) log.warn(facts, "the TLS certificate has ended: clients refuse it");
      break;
    }
    case "failed":
      log.error({ error: event.error }, "changed TLS files cannot be used: the ones before stay");
      break;
    case "refused": {
      const { reason, detail: trigger, address } = event;
      throttle.run(`handshake ${reason}`, (left) =>
        log.warn({ reason, trigger, address, ...left }, "TLS handshake refused"),
      );
      break;
    }
    default:
      assertNever(event, "TLS event");
  }
}
