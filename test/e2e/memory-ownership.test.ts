import { execFile } from "node:child_process";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { connect } from "../../src/client/client.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";
import { refusal } from "../support/rpc-server.ts";

const VMM = fileURLToPath(new URL("../support/map-process.ts", import.meta.url));
const MINE = 12_345;
const THEIRS = 12_346;
const isRoot = process.getuid?.() === 0;

function guestRam(directory: DaemonDirectory, name: string, uid: number): string {
  const path = join(directory.memoryRoot, name);
  writeFileSync(path, Buffer.alloc(4096), { mode: 0o600 });
  chownSync(path, uid, uid);
  return path;
}

/** What a VMM under `uid`, in the socket's group, is told of each file. */
async function mapAs(uid: number, directory: DaemonDirectory, files: readonly string[]): Promise<unknown> {
  chmodSync(directory.path, 0o755); // the way to the socket; who may use that is in its own directory
  const { stdout } = await promisify(execFile)(process.execPath, [VMM, directory.target, ...files], { uid, gid: 0 });
  return JSON.parse(stdout);
}

test.runIf(isRoot)("a VMM maps its own user's guest memory, and never another's, root's or the daemon's", async () => {
  const rules = [{ name: "mine", who: { uid: [MINE] }, verbs: ["read", "use"] }];
  const directory = new DaemonDirectory({ memory_owner_uids: [0, THEIRS], policy: { rules } });
  await directory.start();
  const files = [MINE, THEIRS, 0].map((uid) => guestRam(directory, `ram-of-${uid}`, uid));
  expect(await mapAs(MINE, directory, files)).toEqual([
    ["mapped"],
    ["PERMISSION_DENIED", "POLICY_DENIED", String(THEIRS), String(MINE)],
    ["PERMISSION_DENIED", "POLICY_DENIED", "0", String(MINE)],
  ]);
});

test.runIf(isRoot)("a TCP client maps what memory_owner_uids allows, and nothing else", async () => {
  const directory = new DaemonDirectory({
    memory_owner_uids: [THEIRS],
    listen: { socket: "off", tcp: "127.0.0.1:0", tcp_insecure: true },
  });

  const { log } = await directory.start();
  const address = log.map((line) => /"address":"(127[^"]+)"/.exec(line)?.[1]).find((found) => found !== undefined);
  const client = connect(address ?? "");
  const session = await client.openSession({ displayName: "over TCP", keepAlive: false });
  const space = await session.createAddressSpace();
  const mapping = { ipa: 0n, bytes: 4096n, source: 0, offset: 0n, readable: true, writable: true };
  const map = (path: string) =>
    session.mapMemory({ addressSpace: space.name, sources: [{ path }], mappings: [mapping] });
  const error = await refusal(map(guestRam(directory, "ram-of-0", 0)));
  expect([error.codeName, error.metadata.file_uid, error.metadata.caller_uid]).toEqual([
    "PERMISSION_DENIED",
    "0",
    "unknown",
  ]);
  expect((await map(guestRam(directory, "ram", THEIRS))).mappingCount).toBe(1);
  client.close();
});
