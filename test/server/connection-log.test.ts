import { expect, test } from "vitest";
import type { TlsEvent } from "../../src/os/tls-files.ts";
import { logRefusedConnection, logTlsEvent } from "../../src/server/connection-log.ts";
import { Throttle } from "../../src/server/event-log.ts";
import { logTo } from "../../src/server/log.ts";

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

function logged(write: (log: ReturnType<typeof logTo>, throttle: Throttle) => void): Line[] {
  const lines: Line[] = [];
  const log = logTo({ write: (line: string) => lines.push(JSON.parse(line)) }, "debug");
  write(log, new Throttle({ monotonicMs: () => 0, wallMs: () => 0 }));
  return lines;
}

const refused = (reason: string, address: string): TlsEvent => ({
  kind: "refused",
  reason,
  detail: "CERT_HAS_EXPIRED",
  address,
});

test("refused handshakes are one line for each reason in a while, however many addresses they come from", () => {
  const lines = logged((log, throttle) => {
    for (let host = 0; host < 200; host++) logTlsEvent(refused("expired", `10.0.0.${host}:4000`), log, throttle);
    logTlsEvent(refused("revoked", "10.0.0.1:4000"), log, throttle);
  });
  expect(lines.map(({ level, msg, reason, address }) => [level, msg, reason, address])).toEqual([
    ["warn", "TLS handshake refused", "expired", "10.0.0.0:4000"],
    ["warn", "TLS handshake refused", "revoked", "10.0.0.1:4000"],
  ]);
  expect(lines[0]?.trigger).toBe("CERT_HAS_EXPIRED");
});

test("refused connections are one line for each limit, with who it was", () => {
  const lines = logged((log, throttle) => {
    for (let uid = 0; uid < 200; uid++) logRefusedConnection("connections_max", `uid:${uid}`, log, throttle);
  });
  expect(lines).toMatchObject([{ level: "warn", limit: "connections_max", owner: "uid:0", msg: "connection refused" }]);
});

test("a certificate that was read is told with its end; one that has ended, or a key that others read, is a warning", () => {
  const lines = logged((log, throttle) => {
    logTlsEvent({ kind: "loaded", isKeyOfGroup: false, validTo: new Date("2999-01-01") }, log, throttle);
    logTlsEvent({ kind: "loaded", isKeyOfGroup: true, validTo: new Date("2020-01-01") }, log, throttle);
    logTlsEvent({ kind: "failed", error: new Error("has another key") }, log, throttle);
  });
  expect(lines.map(({ level, msg }) => `${level}: ${msg}`)).toEqual([
    "info: TLS certificate read",
    "info: TLS certificate read",
    "warn: the TLS key's file can be read by its group: chmod 0600 if it should not",
    "warn: the TLS certificate has ended: clients refuse it",
    "error: changed TLS files cannot be used: the ones before stay",
  ]);
  expect(lines[0]?.facts).toEqual({ validTo: "2999-01-01T00:00:00.000Z" });
});
