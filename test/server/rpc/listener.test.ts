import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import http2 from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Listeners, openListeners } from "../../../src/server/rpc/listener.ts";
import { echoServer, PATH, whoAmI } from "../../support/echo-server.ts";

const same = (bytes: Buffer): Buffer => bytes;

let directory: string;
let server: grpc.Server;
let listeners: Listeners | undefined;
let refused: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "listener-"));
  refused = [];
  server = echoServer();
});

afterEach(() => {
  listeners?.stop();
  listeners = undefined;
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

interface Wish {
  readonly socket?: string;
  readonly tcp?: { readonly host: string; readonly port: number };
  readonly connectionsMax?: number;
  readonly connectionsPerIdentityMax?: number;
  readonly handshakeTimeoutMs?: number;
}

async function open(wish: Wish) {
  listeners = await openListeners({
    server,
    socket: wish.socket,
    tcp: wish.tcp,
    connectionsMax: wish.connectionsMax ?? 16,
    connectionsPerIdentityMax: wish.connectionsPerIdentityMax ?? 16,
    handshakeTimeoutMs: wish.handshakeTimeoutMs ?? 60_000,
    onRefused: (limit, who) => refused.push(`${limit} ${who}`),
  });
  return listeners;
}

const peerSeenBy = (target: string, use?: (peer: string) => void) =>
  whoAmI(target, grpc.credentials.createInsecure(), use);

test("a call over the Unix socket finds its caller through getPeer(): uid, gid, process and what that runs", async () => {
  const socket = join(directory, "broker.sock");
  const { peerOf, addresses } = await open({ socket });
  expect(addresses).toEqual([`unix:${socket}`]);
  expect((statSync(socket).mode & 0o777).toString(8)).toBe("660");
  let peer: unknown;
  await peerSeenBy(`unix:${socket}`, (name) => {
    peer = peerOf(name);
  });
  expect(peer).toEqual({
    kind: "unix",
    credentials: { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() },
    identity: {
      executable: realpathSync(process.execPath),
      cgroup: /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1],
      startTime: expect.any(Number),
    },
  });
});

test("two connections have two names, and a closed one is forgotten", async () => {
  const socket = join(directory, "broker.sock");
  const { peerOf, connections } = await open({ socket });
  const first = await peerSeenBy(`unix:${socket}`);
  const second = await peerSeenBy(`unix:${socket}`);
  expect(first).not.toBe(second);
  await expect.poll(() => connections()).toBe(0);
  expect(peerOf(first)).toBeUndefined();
});

test("TCP on loopback says which port was found, and names its callers by address", async () => {
  const { addresses, peerOf } = await open({ tcp: { host: "127.0.0.1", port: 0 } });
  const [address = ""] = addresses;
  expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  let peer: unknown;
  const name = await peerSeenBy(address, (seen) => {
    peer = peerOf(seen);
  });
  expect(name).toMatch(/^tcp-\d+$/);
  expect(peer).toEqual({ kind: "tcp", address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
});

test("a TCP client that comes back under the address and port of another has a name of its own", async () => {
  const { addresses, peerOf } = await open({ tcp: { host: "127.0.0.1", port: 0 } });
  const port = Number(addresses[0]?.split(":")[1]);
  const names: string[] = [];
  const from: unknown[] = [];
  let localPort: number | undefined;
  for (let turn = 0; turn < 2; turn++) {
    const socket = connect({ host: "127.0.0.1", port, ...(localPort === undefined ? {} : { localPort }) });
    await once(socket, "connect");
    localPort = socket.localPort;
    const session = http2.connect("http://localhost", { createConnection: () => socket });
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5));
    const [answer] = await once(stream, "data");
    const name = answer.subarray(5).toString(); // after the length that precedes a gRPC message
    names.push(name);
    from.push(peerOf(name));
    session.on("error", () => undefined);
    socket.resetAndDestroy(); // so that the port is free at once
    await expect.poll(() => listeners?.connections()).toBe(0);
  }
  expect(from[1]).toEqual(from[0]);
  expect(names[1]).not.toBe(names[0]);
});

test.each(["0.0.0.0", "192.168.1.1", "::", "example.com", "127.0.0.1.example.com"])(
  "TCP on %s is refused: only loopback is trusted",
  async (host) => {
    await expect(open({ tcp: { host, port: 0 } })).rejects.toMatchObject({
      code: "argument_invalid",
      message: expect.stringContaining("use 127.0.0.1 or [::1]"),
    });
  },
);

test("a TCP port in use is refused by name, and the Unix socket opened before it is taken down again", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const taken = other.address();
  const port = typeof taken === "object" && taken !== null ? taken.port : 0;
  const socket = join(directory, "broker.sock");
  await expect(open({ socket, tcp: { host: "127.0.0.1", port } })).rejects.toMatchObject({
    code: "in_use",
    facts: { address: `127.0.0.1:${port}` },
  });
  expect(existsSync(socket)).toBe(false);
  other.close();
});

test("one connection past the limit is closed at once and reported; a closed one makes room", async () => {
  const socket = join(directory, "broker.sock");
  const { connections } = await open({ socket, connectionsMax: 2 });
  const sockets: Socket[] = [];
  for (let count = 0; count < 2; count++) {
    const one = connect(socket);
    await once(one, "connect");
    sockets.push(one);
  }
  await expect.poll(() => connections()).toBe(2);
  const third = connect(socket);
  third.resume();
  await once(third, "close");
  expect(refused).toEqual(["connections_max Unix socket"]);
  for (const one of sockets) one.destroy();
  await expect.poll(() => connections()).toBe(0);
  expect(await peerSeenBy(`unix:${socket}`)).toMatch(/^uds-/);
});

test("stopping removes the socket and lets connections that are open finish", async () => {
  const socket = join(directory, "broker.sock");
  const { stop } = await open({ socket });
  const client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
  });
  const call = (): Promise<string> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(PATH, same, same, Buffer.alloc(0), (error, answer) =>
        error === null ? resolve(String(answer)) : reject(error),
      );
    });
  const before = await call();
  stop();
  expect(existsSync(socket)).toBe(false);
  expect(await call()).toBe(before);
  client.close();
});

describe(":authority as clients send it", () => {
  async function statusWith(authority: string): Promise<string> {
    const socket = join(directory, "broker.sock");
    await open({ socket });
    const session = http2.connect("http://localhost", { createConnection: () => connect(socket) });
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      ":authority": authority,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5));
    stream.resume();
    try {
      const trailers = once(stream, "trailers").then(([headers]) => `grpc-status ${headers["grpc-status"]}`);
      const failure = once(stream, "error").then(([error]) => String(error.message));
      return await Promise.race([trailers, failure.catch(String)]).catch(String);
    } finally {
      session.destroy();
    }
  }

  test.each(["localhost", "localhost:9400", "iommu-broker", "%2Frun%2Fiommu-broker%2Fbroker.sock"])(
    "%j is served",
    async (authority) => {
      expect(await statusWith(authority)).toBe("grpc-status 0");
    },
  );

  test.each(["/run/iommu-broker/broker.sock", ""])(
    "%j never reaches us: HTTP/2 does not allow it",
    async (authority) => {
      expect(await statusWith(authority)).toContain("NGHTTP2_PROTOCOL_ERROR");
    },
  );
});
