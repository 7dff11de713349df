// The policy of a daemon as a process: other users, reloads by SIGHUP, the admin socket, the audit log.
// Calls of another user come from a process of that user, so these tests need root.

import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { Channel } from "../../src/client/channel.ts";
import { type BrokerClient, type BrokerSession, connect } from "../../src/client/client.ts";
import { cryptoIdentifiers } from "../../src/server/identifiers.ts";
import { ADMIN } from "../../src/server/rpc/services.ts";
import { DaemonProcess, MAIN } from "../support/daemon-process.ts";
import { refusal } from "../support/rpc-server.ts";

const CALLS = fileURLToPath(new URL("../support/call-process.ts", import.meta.url));
const OTHER_UID = 12_345;
const isRoot = process.getuid?.() === 0;
const run = promisify(execFile);

let directory: string;
let config: string;
let daemon: DaemonProcess | undefined;
const clients: BrokerClient[] = [];
const channels: Channel[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "policy-"));
  chmodSync(directory, 0o755);
  config = join(directory, "broker.yaml");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const channel of channels.splice(0)) channel.close();
  await daemon?.kill();
  daemon = undefined;
  rmSync(directory, { recursive: true });
});

const at = (name: string): string => join(directory, "run", name);

function configure(settings: Readonly<Record<string, unknown>>): void {
  writeFileSync(config, stringify({ simulator_api: true, metrics: { tcp: "127.0.0.1:0" }, ...settings }));
}

async function start(): Promise<DaemonProcess> {
  daemon = new DaemonProcess(["--config", config], { RUNTIME_DIRECTORY: join(directory, "run") });
  await daemon.logged("memory root");
  return daemon;
}

async function session(): Promise<BrokerSession> {
  const client = connect(`unix:${at("broker.sock")}`);
  clients.push(client);
  return await client.openSession({ displayName: "vm 1", keepAlive: false });
}

/** What each call of a process of another user ends with. */
async function callsAs(uid: number, socket: string, ...calls: string[]): Promise<string[]> {
  chmodSync(join(directory, "run"), 0o755);
  chmodSync(socket, 0o666);
  const { stdout } = await run(process.execPath, [CALLS, `unix:${socket}`, ...calls], { uid, gid: uid });
  return JSON.parse(stdout);
}

function admin(): Channel {
  const channel = new Channel(`unix:${at("admin.sock")}`, {});
  channels.push(channel);
  return channel;
}

async function metric(name: string): Promise<string | undefined> {
  const line = await daemon?.logged("serving metrics");
  const text = await (await fetch(String(line?.address))).text();
  return text.split("\n").find((line) => line.startsWith(name));
}

describe.runIf(isRoot)("another user", () => {
  test("is denied everything without a policy, and told by what", async () => {
    configure({});
    await start();
    expect(await callsAs(OTHER_UID, at("broker.sock"), "ListDevices", "OpenSession")).toEqual([
      "PERMISSION_DENIED default deny",
      "PERMISSION_DENIED default deny",
    ]);
    expect(await metric('iommu_broker_policy_denials_total{rule="default deny",verb="OpenSession"}')).toMatch(/ 1$/);
  });

  test("is allowed by a reload, and a file with a fault changes nothing and is told with what is wrong", async () => {
    configure({ log: { level: "info" } });
    const running = await start();
    const socket = at("broker.sock");
    const mine = await session();
    configure({ policy: { rules: [{ name: "vms", who: { uid: [OTHER_UID] }, verbs: ["read", "OpenSession"] }] } });
    running.signal("SIGHUP");
    await running.logged("reloaded: policy, admin uids, log level; other settings need a restart");
    expect(await callsAs(OTHER_UID, socket, "ListDevices", "OpenSession")).toEqual(["OK", "OK"]);
    configure({ policy: { rules: [{ name: "vms", who: { uid: [OTHER_UID] }, verbs: ["reed"] }] } });
    running.signal("SIGHUP");
    const problem = 'policy.rules[0].verbs[0]: "reed" is neither an RPC nor a group of them: did you mean read?';
    await expect
      .poll(() => running.log().filter(({ level, msg }) => level === "error" && msg.startsWith("not reloaded: ")))
      .toMatchObject([{ msg: expect.stringContaining(problem), source: expect.stringContaining(config) }]);
    expect(await callsAs(OTHER_UID, socket, "OpenSession")).toEqual(["OK"]);
    expect(await metric('iommu_broker_reloads_total{outcome="failed"}')).toMatch(/ 1$/);
    expect(await metric('iommu_broker_reloads_total{outcome="done"}')).toMatch(/ 1$/);
    await mine.createAddressSpace();
  });

  test("is told apart by what it runs", async () => {
    const node = realpathSync(process.execPath);
    const who = (executable: string) => ({ uid: [OTHER_UID], executable: [executable] });
    const rules = [
      { name: "not-node", effect: "deny", who: who(node), verbs: ["OpenSession"] },
      { name: "other", who: who("/usr/bin/qemu*"), verbs: ["ListDevices"] },
      { name: "node", who: who(`${dirname(node)}/*`), verbs: ["all"] },
    ];
    configure({ policy: { rules } });
    await start();
    expect(await callsAs(OTHER_UID, at("broker.sock"), "OpenSession", "ListDevices")).toEqual([
      "PERMISSION_DENIED not-node",
      "OK",
    ]);
  });

  test("may call nothing on the admin socket, though the policy allows it everything", async () => {
    configure({ policy: { rules: [{ name: "all", who: { anyone: true }, verbs: ["all"] }] } });
    await start();
    expect(await callsAs(OTHER_UID, at("admin.sock"), "Drain", "ListDevices")).toEqual([
      "PERMISSION_DENIED admin.uids",
      "PERMISSION_DENIED admin.uids",
    ]);
    expect(await callsAs(OTHER_UID, at("broker.sock"), "Drain", "ListDevices")).toEqual(["UNIMPLEMENTED", "OK"]);
  });

  test("in admin.uids may, after a reload that puts it there", async () => {
    configure({});
    const running = await start();
    configure({ admin: { uids: [0, OTHER_UID] } });
    running.signal("SIGHUP");
    await running.logged("reloaded: policy, admin uids, log level; other settings need a restart");
    expect(await callsAs(OTHER_UID, at("admin.sock"), "GetLogLevel", "ListDevices")).toEqual(["OK", "OK"]);
    expect(await callsAs(OTHER_UID, at("broker.sock"), "OpenSession")).toEqual(["PERMISSION_DENIED default deny"]);
  });
});

describe("a session that a new policy denies", () => {
  test("keeps what it holds and gives it back, and takes nothing more", async () => {
    configure({});
    const running = await start();
    const mine = await session();
    const space = await mine.createAddressSpace();
    const virtual = await mine.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
    const device = "devices/0000:01:00.0";
    await mine.attachDevice({ device, virtualIommu: virtual.name });
    configure({ policy: { rules: [{ name: "nobody", effect: "deny", who: { anyone: true }, verbs: ["all"] }] } });
    running.signal("SIGHUP");
    await running.logged("reloaded: policy, admin uids, log level; other settings need a restart");
    const more = { device: "devices/0000:00:01.0", virtualIommu: virtual.name };
    for (const call of [mine.createAddressSpace(), mine.attachDevice(more)]) {
      expect((await refusal(call)).metadata.rule).toBe("nobody");
    }
    expect((await mine.detachDevice({ device })).owner).toBe("");
    await mine.close();
  });
});

describe("the admin socket", () => {
  test("lists and revokes a session of a running daemon, sets its log level, and drains it", async () => {
    configure({});
    const running = await start();
    const mine = await session();
    const { sessions } = await admin().unary(ADMIN.listSessions, {}, undefined);
    expect(sessions.map((each) => each.session?.displayName)).toEqual(["vm 1"]);
    const name = sessions[0]?.session?.name ?? "";
    await admin().unary(ADMIN.revokeSession, { session: name, reason: "left behind" }, undefined);
    const error = await refusal(mine.createAddressSpace());
    expect([error.reason, error.metadata.reason]).toEqual(["LEASE_EXPIRED", "revoked"]);
    await admin().unary(ADMIN.setLogLevel, { level: "debug" }, undefined);
    await session();
    await running.logged("session opened");
    await admin().unary(ADMIN.drain, { reason: "kernel update" }, undefined);
    expect(await running.exited()).toEqual({ code: 0, signal: null });
    expect(existsSync(at("admin.sock"))).toBe(false);
  });
});

describe("the audit log", () => {
  test("goes to its file, with no token nor digest in it, and follows a rotation on SIGHUP", async () => {
    const file = join(directory, "audit.log");
    configure({ audit: { destination: file } });
    const running = await start();
    const mine = await session();
    const space = await mine.createAddressSpace({ requestId: "r-1" });
    await refusal(mine.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/absent"] }));
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const events = lines.map((line) => JSON.parse(line));
    expect(events.map(({ event, verb, outcome }) => [event, verb, outcome])).toEqual([
      ["session", undefined, undefined],
      ["call", "OpenSession", "done"],
      ["call", "CreateAddressSpace", "done"],
      ["call", "CreateVirtualIommu", "iommu_unknown"],
    ]);
    expect(events[2]).toMatchObject({ request_id: "r-1", owner: "vm 1", pid: process.pid });
    const all = lines.join("\n");
    for (const secret of [mine.token, cryptoIdentifiers.digest(mine.token)]) expect(all).not.toContain(secret);
    expect(running.stdout).not.toContain(mine.token);
    renameSync(file, `${file}.1`);
    running.signal("SIGHUP");
    await running.logged("reloaded: policy, admin uids, log level; other settings need a restart");
    await mine.createAddressSpace();
    expect(readFileSync(file, "utf8")).toContain("CreateAddressSpace");
    expect(readFileSync(`${file}.1`, "utf8")).toBe(`${all}\n`);
  });
});

describe("--explain-policy", () => {
  test.each([
    [["--as", "uid=0", "--verb", "AttachDevice", "--device", "0000:01:00.0"], 0, "allowed: AttachDevice"],
    [["--as", "uid=5", "--verb", "AttachDevice"], 2, "denied: AttachDevice, by default deny"],
    [["--as", "uid=5", "--verb", "Attach"], 64, ""],
    [["--verb", "AttachDevice"], 64, ""],
  ])("%j ends with %i", async (args, code, begins) => {
    const outcome = await run(process.execPath, [MAIN, "--explain-policy", ...args]).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => error,
    );
    expect(outcome.code).toBe(code);
    expect(outcome.stdout.startsWith(begins)).toBe(true);
  });
});
