// Who owns what over TLS: the daemon as a process, clients with certificates of one authority, and the Unix socket beside.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { type BrokerClient, connect } from "../../src/client/client.ts";
import { refusal } from "../support/rpc-server.ts";
import { type Pair, TlsAuthority } from "../support/tls-authority.ts";

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

let authority: TlsAuthority;
let broker: BrokerProcess;
let address: string;
let alice: Pair;
let bob: Pair;

beforeAll(async () => {
  authority = new TlsAuthority();
  alice = authority.issue("alice", { names: "URI:spiffe://example.org/vmm/alice" });
  bob = authority.issue("bob", { names: "URI:spiffe://example.org/vmm/bob" });
  const { certificate, privateKey, clientCA } = authority.server;
  const vmms = { name: "vmms", who: { certificate: ["spiffe://example.org/vmm/*"] }, verbs: ["read", "use"] };
  broker = await startBroker({
    policy: { rules: [vmms] },
    listen: { tcp: "127.0.0.1:0", tls: { certificate, private_key: privateKey, client_ca: clientCA } },
  });
  address = await tcpAddress();
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
  authority[Symbol.dispose]();
});

async function tcpAddress(): Promise<string> {
  for (;;) {
    const [, port] = /"address":"127\.0\.0\.1:(\d+)"/.exec(broker.log.join("\n")) ?? [];
    if (port !== undefined) return `localhost:${port}`;
    await broker.metrics();
  }
}

function client(pair: Pair | undefined): BrokerClient {
  if (pair === undefined) return closing(connect(broker.target));
  const { ca, cert: certificate, key: privateKey } = authority.client(pair);
  return closing(connect(address, { tls: { ca, certificate, privateKey } }));
}

function closing(made: BrokerClient): BrokerClient {
  onTestFinished(() => made.close());
  return made;
}

const EXPLAIN = { device: "devices/0000:01:00.0", iova: 0n };

test("a session belongs to the name in the certificate: its token is of no use to another name, nor to a uid", async () => {
  const { token } = await client(alice).openSession({ displayName: "vm 1", keepAlive: false });
  // The owner gets as far as the device, which is not attached.
  expect((await refusal(client(alice).explainTranslation(token, EXPLAIN))).codeName).toBe("FAILED_PRECONDITION");
  for (const other of [bob, undefined]) {
    const { codeName, message } = await refusal(client(other).explainTranslation(token, EXPLAIN));
    expect([codeName, message]).toEqual(["UNAUTHENTICATED", expect.stringContaining("the session token is not")]);
  }
});

test("a retry of OpenSession on another connection of the same certificate finds the session that the first one opened", async () => {
  const open = (pair: Pair) =>
    client(pair).openSession({ displayName: "vm 2", keepAlive: false, requestId: "retry-2" });
  const first = await open(alice);
  expect((await open(alice)).name).toBe(first.name);
  expect((await open(bob)).name).not.toBe(first.name);
});

test("iommuctl calls over TLS with a certificate, and is hung up on without one", async () => {
  const explain = ["explain", "0000:01:00.0", "0x0", "--address", address];
  const files = ["--tls-ca", authority.certificate, "--tls-cert", alice.certificate, "--tls-key", alice.privateKey];
  const { token } = await client(alice).openSession({ displayName: "vm 3", keepAlive: false });
  expect(await iommuctl([...explain, ...files], token)).toMatchObject({ code: 3 }); // the broker refused: not attached
  expect(await iommuctl(explain, token)).toMatchObject({ code: 4 }); // no broker can be reached
});

async function iommuctl(args: readonly string[], token: string): Promise<{ code: number; text: string }> {
  const env = { ...process.env, IOMMUBROKER_SESSION_TOKEN: token };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      text += String(data);
    });
  }
  const [code] = await once(child, "close");
  return { code, text };
}
