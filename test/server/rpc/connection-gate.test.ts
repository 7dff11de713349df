import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http2 from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Listeners, openListeners } from "../../../src/server/rpc/listener.ts";
import { echoServer, whoAmI } from "../../support/echo-server.ts";

let directory: string;
let socket: string;
let server: grpc.Server;
let listeners: Listeners | undefined;
let refused: string[];
let clients: Socket[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "connection-gate-"));
  socket = join(directory, "broker.sock");
  server = echoServer();
  refused = [];
  clients = [];
});

afterEach(() => {
  for (const client of clients) client.destroy();
  listeners?.stop();
  listeners?.cut();
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

async function open(wish: { connectionsPerIdentityMax?: number; handshakeTimeoutMs?: number }): Promise<Listeners> {
  listeners = await openListeners({
    server,
    socket,
    tcp: { host: "127.0.0.1", port: 0 },
    connectionsMax: 16,
    connectionsPerIdentityMax: wish.connectionsPerIdentityMax ?? 16,
    handshakeTimeoutMs: wish.handshakeTimeoutMs ?? 60_000,
    onRefused: (limit, who) => refused.push(`${limit} ${who}`),
  });
  return listeners;
}

async function connected(): Promise<Socket> {
  const client = connect(socket)
    .on("error", () => undefined)
    .resume();
  clients.push(client);
  await once(client, "connect");
  return client;
}

function closed(client: Socket): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

test("one identity's connections have a limit of their own, and others come in beside it", async () => {
  const { connections, addresses } = await open({ connectionsPerIdentityMax: 2 });
  await connected();
  const second = await connected();
  await expect.poll(() => connections()).toBe(2);
  await closed(await connected());
  expect(refused).toEqual([`connections_per_identity_max uid:${process.getuid?.()}`]);
  expect(await whoAmI(addresses[1] ?? "")).toMatch(/^tcp-/);
  second.destroy();
  await expect.poll(() => connections()).toBe(1);
  expect(await whoAmI(`unix:${socket}`)).toMatch(/^uds-/);
});

test.each([
  ["says nothing", Buffer.alloc(0)],
  ["begins the preface and leaves it at that", Buffer.from("PRI * HTTP/2.0\r\n")],
  ["sends the preface and no SETTINGS", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
])("a client that connects and %s is hung up on after the time for it", async (_what, bytes) => {
  const { connections } = await open({ handshakeTimeoutMs: 100 });
  const client = await connected();
  client.write(bytes);
  await closed(client);
  expect(refused).toEqual([`handshake_timeout_ms uid:${process.getuid?.()}`]);
  await expect.poll(() => connections()).toBe(0);
});

test("a client that has said what HTTP/2 asks stays, also when it calls nothing", async () => {
  await open({ handshakeTimeoutMs: 100 });
  const session = http2.connect("http://localhost", { createConnection: () => connect(socket) });
  await once(session, "remoteSettings");
  const silent = await connected();
  await closed(silent); // connected later: its time was over after the session's
  expect(session.closed).toBe(false);
  expect(refused).toHaveLength(1);
  session.destroy();
});
