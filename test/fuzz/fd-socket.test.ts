// Random bytes with random descriptors on the descriptor socket of a daemon: it lives, and in the end has none of them.

import { once } from "node:events";
import { constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connect as connectClient } from "../../src/client/client.ts";
import { sendMessage } from "../../src/os/descriptors.ts";
import { descriptorOf } from "../../src/os/libc.ts";
import { parseAnswer, putRequest } from "../../src/server/fds/protocol.ts";
import { DaemonDirectory } from "../support/e2e-daemon.ts";
import { bugLines } from "../support/e2e-refusal.ts";
import { Chance } from "../support/fuzz-chance.ts";
import { closeAll, memfd, openDescriptors, SEAL, socketPair } from "../support/memfd.ts";

const ROUNDS = 300;
const AT_ONCE = 8;
/** Of O_PATH, open(2). */
const O_PATH = 0o10000000;

test("random requests with random descriptors leave the daemon alive and without a descriptor of theirs", async () => {
  const seed = Date.now() % 2 ** 32;
  const chance = new Chance(seed);
  const directory = new DaemonDirectory({
    timing: { ticket_ttl_ms: 100, fd_request_timeout_ms: 50, reap_interval_ms: 20 },
  });
  const daemon = await directory.start();
  const client = connectClient(directory.target);
  onTestFinished(() => client.close());
  await client.ready();
  const before = openDescriptors(daemon.process.pid);
  const [one, other] = socketPair();
  const passed = [
    memfd(4096),
    memfd(2 ** 30, SEAL.shrink),
    memfd(0),
    openSync("/dev/null", constants.O_RDWR),
    openSync("/proc", constants.O_RDONLY),
    openSync("/dev/shm", O_PATH),
    one,
    other,
  ];
  const path = join(dirname(directory.socket), "fd.sock");
  const answers = new Set<string>();
  for (let round = 0; round < ROUNDS; round += AT_ONCE) {
    const said = await Promise.all(Array.from({ length: AT_ONCE }, () => visit(path, passed, chance)));
    for (const each of said) answers.add(each);
  }
  closeAll(passed);
  expect([...answers].sort(), `seed ${seed}`).toEqual(["nothing", "refused", "ticket"]);
  expect(daemon.process.exitCode, `seed ${seed}`).toBe(null);
  expect(await client.listDevices(), `seed ${seed}`).not.toEqual([]);
  await expect.poll(() => openDescriptors(daemon.process.pid), { timeout: 5000, message: `seed ${seed}` }).toBe(before);
  expect(bugLines(daemon.log), `seed ${seed}`).toEqual([]);
});

/** One connection: up to four messages, right or wrong, and then it waits for the end or hangs up. */
async function visit(path: string, passed: readonly number[], chance: Chance): Promise<string> {
  const socket = connect(path);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  await Promise.race([once(socket, "connect").catch(() => {}), closed]);
  for (let messages = chance.below(4) + 1; messages > 0; messages -= 1) sendSome(socket, passed, chance);
  if (chance.below(3) === 0) socket.destroy();
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await closed;
  return parseAnswer(Buffer.concat(chunks))?.kind ?? "nothing";
}

function sendSome(socket: Socket, passed: readonly number[], chance: Chance): void {
  const fd = descriptorOf(socket);
  if (fd === undefined) return;
  const descriptors = Array.from({ length: chance.below(7) }, () => passed[chance.below(passed.length)]!);
  sendMessage(fd, someBytes(chance), chance.below(2) === 0 ? descriptors.slice(0, 1) : descriptors);
}

function someBytes(chance: Chance): Uint8Array {
  const right = Buffer.from(putRequest("fuzz"));
  switch (chance.below(4)) {
    case 0:
      return right;
    case 1:
      return right.subarray(0, chance.below(right.length) + 1);
    case 2:
      right[chance.below(right.length)] = chance.below(256);
      return right;
    default:
      return Uint8Array.from({ length: chance.below(200) + 1 }, () => chance.below(256));
  }
}
