// Mutual TLS as clients meet it: real handshakes on a real port, certificates of an authority made for the test.

import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { TlsEvent, TlsFiles } from "../../../src/os/tls-files.ts";
import { type Listeners, openListeners } from "../../../src/server/rpc/listener.ts";
import { echoServer, whoAmI } from "../../support/echo-server.ts";
import { type Pair, TlsAuthority } from "../../support/tls-authority.ts";

const NAME = "spiffe://example.org/vmm/7";

let authority: TlsAuthority;
let vmm: Pair;
let server: grpc.Server;
let listeners: Listeners | undefined;
let events: TlsEvent[];
let refused: string[];
let port: number;

beforeAll(() => {
  authority = new TlsAuthority();
  vmm = authority.issue("vmm", { names: `URI:${NAME},DNS:vmm.example` });
});
afterAll(() => authority[Symbol.dispose]());

beforeEach(() => {
  server = echoServer();
  events = [];
  refused = [];
});
afterEach(() => {
  listeners?.stop();
  listeners?.cut();
  server.forceShutdown();
});

interface Wish {
  readonly handshakeTimeoutMs?: number;
  readonly handshakesMax?: number;
}

async function open(files: TlsFiles = authority.server, wish: Wish = {}): Promise<Listeners> {
  const told = events; // what comes of this listener's connections after the test is not the next one's
  listeners = await openListeners({
    server,
    socket: undefined,
    tcp: { host: "127.0.0.1", port: 0 },
    tls: { files, handshakesMax: wish.handshakesMax ?? 64, reloadMs: 20 },
    connectionsMax: 64,
    connectionsPerIdentityMax: 64,
    handshakeTimeoutMs: wish.handshakeTimeoutMs ?? 60_000,
    onRefused: (limit, who) => refused.push(`${limit} ${who}`),
    onTlsEvent: (event) => told.push(event),
  });
  port = Number(listeners.addresses[0]?.split(":")[1]);
  return listeners;
}

function credentialsOf(pair: Pair): grpc.ChannelCredentials {
  const { ca, cert, key } = authority.client(pair);
  return grpc.credentials.createSsl(ca, key, cert);
}

/** A bare TLS client, which may have no certificate; its errors are its own. */
function tlsClient(
  options: { cert?: Buffer; key?: Buffer; ALPNProtocols?: string[]; session?: Buffer } = {},
): TLSSocket {
  const { ca } = authority.client(vmm);
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    servername: "localhost",
    ca,
    ALPNProtocols: ["h2"],
    ...options,
  });
  return socket.on("error", () => undefined).resume();
}

function reasons(): unknown[] {
  return events.filter(({ kind }) => kind === "refused").map((event) => ("reason" in event ? event.reason : undefined));
}

/** Why a client with this pair is hung up on. */
async function refusalOf(pair: Pair): Promise<unknown> {
  const { cert, key } = authority.client(pair);
  const socket = tlsClient({ cert, key });
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await expect.poll(reasons).toHaveLength(1);
  expect(listeners?.connections()).toBe(0);
  return events.find(({ kind }) => kind === "refused");
}

test("a call over TLS finds the name in its caller's certificate through getPeer()", async () => {
  const { peerOf, addresses } = await open();
  let peer: unknown;
  const name = await whoAmI(`localhost:${port}`, credentialsOf(vmm), (seen) => {
    peer = peerOf(seen);
  });
  expect(addresses).toEqual([`127.0.0.1:${port}`]);
  expect(name).toMatch(/^tls-\d+$/);
  expect(peer).toEqual({ kind: "certificate", name: NAME, address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
  await expect.poll(() => listeners?.connections()).toBe(0);
  expect(peerOf(name)).toBeUndefined();
});

test("TLS lifts the restriction to loopback", async () => {
  listeners = await openListeners({
    server,
    socket: undefined,
    tcp: { host: "0.0.0.0", port: 0 },
    tls: { files: authority.server, handshakesMax: 1, reloadMs: 60_000 },
    connectionsMax: 1,
    connectionsPerIdentityMax: 1,
    handshakeTimeoutMs: 60_000,
    onRefused: () => undefined,
  });
  expect(listeners.addresses).toEqual([expect.stringMatching(/^0\.0\.0\.0:[1-9]\d*$/)]);
});

describe("no connection comes of", () => {
  beforeEach(async () => {
    await open();
  });

  test("a client without a certificate, which is told by an alert", async () => {
    const [error] = await once(tlsClient().removeAllListeners("error"), "error");
    expect(error.code).toBe("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"); // RFC 8446 §4.4.2.4
    await expect.poll(reasons).toEqual(["no_certificate"]);
  });

  test("another protocol than HTTP/2, which is told by an alert", async () => {
    const { cert, key } = authority.client(vmm);
    const [error] = await once(
      tlsClient({ cert, key, ALPNProtocols: ["http/1.1"] }).removeAllListeners("error"),
      "error",
    );
    expect(error.code).toBe("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"); // RFC 7301 §3.2
    await expect.poll(reasons).toEqual(["protocol"]);
  });

  test("plain HTTP/2", async () => {
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("error", () => undefined).write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await new Promise<void>((resolve) => socket.resume().once("close", () => resolve()));
    await expect.poll(reasons).toEqual(["protocol"]);
  });

  test("a certificate that has ended", async () => {
    const ended = authority.issue("ended", { names: `URI:${NAME}`, validTo: "20200102000000Z" });
    expect(await refusalOf(ended)).toMatchObject({ reason: "expired", detail: "CERT_HAS_EXPIRED" });
  });

  test("a certificate of another authority", async () => {
    using stranger = new TlsAuthority();
    const pair = stranger.issue("vmm", { names: `URI:${NAME}` });
    expect(await refusalOf(pair)).toMatchObject({ reason: "untrusted" });
  });

  test("a server's certificate: it is not for clients", async () => {
    const pair = authority.issue("usage", { names: `URI:${NAME}`, usage: "serverAuth" });
    expect(await refusalOf(pair)).toMatchObject({ reason: "untrusted", detail: "INVALID_PURPOSE" });
  });

  test("a certificate with a common name only", async () => {
    const pair = authority.issue("nameless", { names: undefined });
    expect(await refusalOf(pair)).toMatchObject({ reason: "unnamed", detail: expect.stringContaining("neither") });
  });
});

test("a certificate that is revoked is refused; of another one the call is answered", async () => {
  const leaver = authority.issue("leaver", { names: "DNS:leaver.example" });
  authority.revoke(leaver);
  await open({ ...authority.server, clientCRL: authority.revocationList() });
  expect(await whoAmI(`localhost:${port}`, credentialsOf(vmm))).toMatch(/^tls-/);
  expect(await refusalOf(leaver)).toMatchObject({ reason: "revoked", detail: "CERT_REVOKED" });
});

test("a client that begins a handshake and leaves it at that is hung up on after the time for it", async () => {
  await open(authority.server, { handshakeTimeoutMs: 100 });
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => undefined).write(Buffer.from([0x16, 3, 1, 2, 0])); // a record's header, no ClientHello
  await new Promise<void>((resolve) => socket.resume().once("close", () => resolve()));
  await expect.poll(reasons).toEqual(["too_slow"]);
});

test("one handshake more than an address may have at once is not begun, and there is room again after", async () => {
  await open(authority.server, { handshakesMax: 8 }); // a quarter of it is 2
  const sockets = [1, 2].map(() => connectTcp(port, "127.0.0.1").on("error", () => undefined));
  for (const socket of sockets) await once(socket, "connect");
  const third = connectTcp(port, "127.0.0.1").on("error", () => undefined);
  await new Promise<void>((resolve) => third.resume().once("close", () => resolve()));
  expect(refused).toEqual(["handshakes_max 127.0.0.1"]);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => whoAmI(`localhost:${port}`, credentialsOf(vmm)).catch(String)).toMatch(/^tls-/);
});

test("a session is never resumed, which would skip the look at the certificate", async () => {
  await open();
  const { cert, key } = authority.client(vmm);
  const sessions: Buffer[] = [];
  const first = tlsClient({ cert, key }).on("session", (session) => sessions.push(session));
  await once(first, "secureConnect");
  await expect.poll(() => first.bytesRead).toBeGreaterThan(0); // the server's SETTINGS: tickets would have come before
  first.destroy();
  const session = sessions.at(-1) ?? first.getSession();
  const second = tlsClient({ cert, key, ...(session !== undefined && { session }) });
  await once(second, "secureConnect");
  expect(second.isSessionReused()).toBe(false);
  second.destroy();
});

describe("files that change while the daemon runs", () => {
  let files: TlsFiles;

  beforeEach(async () => {
    const first = authority.issue("renewed", { names: "DNS:localhost,DNS:first" });
    files = { ...first, clientCA: `${first.certificate}.ca`, clientCRL: undefined };
    copyFileSync(authority.certificate, files.clientCA);
    await open(files);
  });

  function serverNames(): Promise<string | undefined> {
    const { cert, key } = authority.client(vmm);
    const socket = tlsClient({ cert, key });
    return once(socket, "secureConnect").then(() => {
      const names = socket.getPeerX509Certificate()?.subjectAltName;
      socket.destroy();
      return names;
    });
  }

  test("a renewed certificate is shown from then on, and connections that are open stay", async () => {
    const { cert, key } = authority.client(vmm);
    const open = tlsClient({ cert, key });
    await once(open, "secureConnect");
    const next = authority.issue("next", { names: "DNS:localhost,DNS:second" });
    copyFileSync(next.certificate, files.certificate);
    await expect.poll(() => events.at(-1)?.kind).toBe("failed"); // the key is still the first one's
    expect(await serverNames()).toBe("DNS:localhost, DNS:first");
    copyFileSync(next.privateKey, files.privateKey);
    await expect.poll(() => events.at(-1)?.kind).toBe("loaded");
    expect(await serverNames()).toBe("DNS:localhost, DNS:second");
    expect(open.destroyed).toBe(false);
    open.destroy();
  });

  test("another authority lets its clients in, shuts the ones before out, and ends their connections", async () => {
    using second = new TlsAuthority();
    const { cert, key } = authority.client(vmm);
    const open = tlsClient({ cert, key });
    await once(open, "secureConnect");
    await expect.poll(() => listeners?.connections()).toBe(1);
    copyFileSync(second.certificate, files.clientCA);
    await new Promise<void>((resolve) => open.once("close", () => resolve()));
    const theirs = second.issue("vmm", { names: "DNS:their-vmm" });
    const { cert: theirCert, key: theirKey } = second.client(theirs);
    const credentials = grpc.credentials.createSsl(authority.client(vmm).ca, theirKey, theirCert);
    expect(await whoAmI(`localhost:${port}`, credentials)).toMatch(/^tls-/);
    expect(await refusalOf(vmm)).toMatchObject({ reason: "untrusted" });
  });

  test("a connection ends with its certificate", async () => {
    const soon = new Date(Date.now() + 2000).toISOString().replace(/[-:T]|\.\d+/g, "");
    const brief = authority.issue("brief", { names: "DNS:brief", validTo: soon });
    const { cert, key } = authority.client(brief);
    const open = tlsClient({ cert, key });
    await once(open, "secureConnect");
    await new Promise<void>((resolve) => open.once("close", () => resolve()));
    expect(reasons()).toEqual([]);
  });
});
