import { once } from "node:events";
import { closeSync, fstatSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { deviceID } from "../../../src/backends/ids.ts";
import { takeDescriptors } from "../../../src/client/fd-exchange.ts";
import { sendMessage } from "../../../src/os/descriptors.ts";
import { descriptorOf } from "../../../src/os/libc.ts";
import { createMemoryFiles, type OpenMemoryFiles } from "../../../src/os/memory-files.ts";
import { IssuedTickets } from "../../../src/server/fds/device-tickets.ts";
import { type Exchange, openExchange, type RefusedPut } from "../../../src/server/fds/exchange.ts";
import { parseAnswer, putRequest, takeRequest } from "../../../src/server/fds/protocol.ts";
import { Tickets } from "../../../src/server/fds/tickets.ts";
import { CALLER, ManualClock } from "../../support/host.ts";
import { memfd, openDescriptors, socketPair } from "../../support/memfd.ts";

/** What random() of beforeEach gives first. */
const FIRST_TICKET = "1".padStart(32, "0");
const SELF = { ...CALLER, uid: process.getuid?.() ?? 0, pid: process.pid };

let directory: string;
let path: string;
let files: OpenMemoryFiles;
let tickets: Tickets;
let deviceTickets: IssuedTickets;
let exchange: Exchange;
let refused: RefusedPut[];
let clock: ManualClock;
let before: number;
let serial: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "exchange-"));
  path = join(directory, "fd.sock");
  files = createMemoryFiles({ roots: [], ownerUids: [], daemonUid: 0, openFilesMax: 8 });
  clock = new ManualClock();
  refused = [];
  serial = 0;
  tickets = new Tickets({
    clock,
    random: () => String(++serial).padStart(32, "0"),
    ttlMs: 1000,
    ticketsMax: 2,
    ticketsPerPeerMax: 2,
    onUsed: () => {},
    onExpired: () => {},
  });
  deviceTickets = new IssuedTickets({
    clock,
    random: () => String(++serial).padStart(32, "0"),
    ttlMs: 1000,
    ticketsMax: 2,
    ticketsPerPeerMax: 2,
    onExpired: () => {},
  });
  exchange = await openExchange({
    path,
    tickets,
    deviceTickets,
    connectionsMax: 8,
    requestTimeoutMs: 100,
    adopt: (passed, label) => files.adopt(passed, label),
    onRefused: (put) => refused.push(put),
    onBug: (error) => {
      throw error;
    },
  });
  before = openDescriptors();
});

afterEach(() => {
  exchange.stop();
  rmSync(directory, { recursive: true });
});

async function connected(): Promise<Socket> {
  const socket = connect(path);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** What the exchange says until it hangs up; undefined: nothing. */
async function answerOf(socket: Socket): Promise<ReturnType<typeof parseAnswer>> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await new Promise((resolve) => socket.once("close", resolve)); // also after a reset, for bytes that nobody read
  return parseAnswer(Buffer.concat(chunks));
}

function send(socket: Socket, bytes: Uint8Array, descriptors: readonly number[]): void {
  expect(sendMessage(descriptorOf(socket) ?? -1, bytes, descriptors)).toBe(true);
}

async function put(descriptors: readonly number[], bytes: Uint8Array = putRequest("ram")) {
  const socket = await connected();
  send(socket, bytes, descriptors);
  return await answerOf(socket);
}

test("one memfd gives a ticket, which gives the memory to the process that put it", async () => {
  const fd = memfd(8192);
  const answer = await put([fd]);
  closeSync(fd);
  expect(answer).toEqual({ kind: "ticket", ticket: FIRST_TICKET, expiresMs: 1000 });
  const file = tickets.take(FIRST_TICKET, SELF);
  expect(file.bytes).toBe(8192);
  expect(file.label).toBe("ram");
});

test("the socket is for its owner and group only", () => {
  expect(statSync(path).mode & 0o777).toBe(0o660);
});

describe("a request in pieces", () => {
  test("is put together, with the descriptor on any of them", async () => {
    const fd = memfd(4096);
    const bytes = putRequest("guest-ram");
    const socket = await connected();
    send(socket, bytes.subarray(0, 3), []);
    send(socket, bytes.subarray(3, 9), [fd]);
    send(socket, bytes.subarray(9), []);
    expect(await answerOf(socket)).toMatchObject({ kind: "ticket" });
    closeSync(fd);
  });

  test("with a second descriptor on the way is refused, and both are closed", async () => {
    const fd = memfd(4096);
    const bytes = putRequest("guest-ram");
    const socket = await connected();
    send(socket, bytes.subarray(0, 9), [fd]);
    send(socket, bytes.subarray(9), [fd]);
    expect(await answerOf(socket)).toMatchObject({ status: "invalid" });
    closeSync(fd);
    await expect.poll(() => openDescriptors()).toBe(before);
  });
});

describe("a put is refused with the reason, and no descriptor stays open", () => {
  test.each<readonly [string, () => readonly number[], Uint8Array, string, string]>([
    ["without a descriptor", () => [], putRequest("ram"), "invalid", "no descriptor"],
    ["with two", () => [0, 1], putRequest("ram"), "invalid", "more than one"],
    ["with twenty", () => Array.from({ length: 20 }, () => 0), putRequest("ram"), "invalid", "more than one"],
    ["of a socket", () => [socketPair()[0]], putRequest("ram"), "invalid", "is no memory"],
    ["with other bytes", () => [0], Buffer.from("GET / HTTP/1.1\r\n\r\n"), "invalid", "begins with"],
    ["with too many bytes", () => [0], Buffer.alloc(500, "IOFD"), "unsupported", "version"],
  ])("%s", async (_, descriptors, bytes, status, why) => {
    const passed = descriptors();
    const own = openDescriptors();
    expect(await put(passed, bytes)).toMatchObject({ kind: "refused", status, why: expect.stringContaining(why) });
    await expect.poll(() => openDescriptors()).toBe(own);
    expect(refused).toMatchObject([{ uid: SELF.uid, pid: SELF.pid, limit: undefined }]);
  });

  test("beyond the tickets there may be", async () => {
    const fds = [memfd(4096), memfd(4096), memfd(4096)];
    for (const fd of fds.slice(0, 2)) expect(await put([fd])).toMatchObject({ kind: "ticket" });
    expect(await put(fds.slice(2))).toMatchObject({ kind: "refused", status: "limit" });
    expect(refused).toMatchObject([{ limit: "tickets_max" }]);
    for (const fd of fds) closeSync(fd);
    clock.advance(1000);
    tickets.expire();
    expect(files.openCount()).toBe(0);
    await expect.poll(() => openDescriptors()).toBe(before);
  });
});

test("a silent client is cut after its time, and so is one that stops in the middle, and its descriptor closed", async () => {
  const fd = memfd(4096);
  const silent = await connected();
  const stuck = await connected();
  send(stuck, putRequest("ram").subarray(0, 5), [fd]);
  expect(await Promise.all([answerOf(silent), answerOf(stuck)])).toEqual([undefined, undefined]);
  expect(refused.map(({ why }) => why)).toEqual(Array(2).fill("the request did not come in time"));
  closeSync(fd);
  await expect.poll(() => openDescriptors()).toBe(before);
});

test("a client that hangs up in the middle leaves nothing behind", async () => {
  const fd = memfd(4096);
  const socket = await connected();
  send(socket, putRequest("ram").subarray(0, 5), [fd]);
  socket.destroy();
  closeSync(fd);
  await expect.poll(() => refused.map(({ why }) => why)).toEqual(["the connection ended before the request did"]);
  await expect.poll(() => openDescriptors()).toBe(before);
});

test("one uid has a quarter of the connections; one more is closed, and told to the operator", async () => {
  const held = [await connected(), await connected()];
  const third = await connected();
  expect(await answerOf(third)).toBeUndefined();
  expect(refused).toMatchObject([{ limit: "fd_connections_max" }]);
  for (const socket of held) socket.destroy();
});

test("stop cuts who is connected and removes the socket", async () => {
  const socket = await connected();
  const closed = once(socket, "close");
  exchange.stop();
  socket.resume();
  await closed;
  expect(() => statSync(path)).toThrow("ENOENT");
});

describe("a ticket of a device", () => {
  const DEVICE = deviceID("0000:01:00.0");
  let passed = 0;
  beforeEach(() => {
    passed = 0;
  });
  const issue = (fd: number): string =>
    deviceTickets.issue({
      device: DEVICE,
      holder: SELF,
      open: () => [
        { kind: "iommufd", fd },
        { kind: "vfio-cdev", fd },
      ],
      passed: () => void (passed += 1),
    }).ticket;

  test("gives its descriptors with their labels, once, and the broker keeps its own", async () => {
    const fd = memfd(8192);
    onTestFinished(() => closeSync(fd));
    const ticket = issue(fd);
    const taken = await takeDescriptors(path, ticket);
    expect(taken.map(({ label }) => label)).toEqual(["iommufd", "vfio-cdev"]);
    expect(taken.map((each) => fstatSync(each.fd).size)).toEqual([8192, 8192]);
    expect(new Set([fd, ...taken.map((each) => each.fd)]).size).toBe(3);
    for (const each of taken) closeSync(each.fd);
    expect(passed).toBe(1);
    await expect(takeDescriptors(path, ticket)).rejects.toMatchObject({ status: "invalid" });
    expect(fstatSync(fd).size).toBe(8192);
  });

  test("with a descriptor beside it is refused, and stays good", async () => {
    const fd = memfd(4096);
    onTestFinished(() => closeSync(fd));
    const ticket = issue(fd);
    expect(await put([fd], takeRequest(ticket))).toMatchObject({ kind: "refused", status: "invalid" });
    for (const each of await takeDescriptors(path, ticket)) closeSync(each.fd);
  });

  test("is not told as fetched when the kernel does not take the message", async () => {
    const ticket = issue(2 ** 30); // open nowhere: EBADF
    const socket = await connected();
    send(socket, takeRequest(ticket), []);
    expect(await answerOf(socket)).not.toMatchObject({ kind: "descriptors" });
    expect([passed, refused.length]).toEqual([0, 1]);
  });

  test("is of no use to another process", async () => {
    const fd = memfd(4096);
    onTestFinished(() => closeSync(fd));
    const other = { ...SELF, pid: SELF.pid + 1 };
    const { ticket } = deviceTickets.issue({
      device: DEVICE,
      holder: other,
      open: () => [{ kind: "iommufd", fd }],
      passed: () => {},
    });
    await expect(takeDescriptors(path, ticket)).rejects.toMatchObject({ status: "denied" });
    expect(deviceTickets.waiting).toBe(1);
  });

  test("that stands for nothing any more says why, and nothing is passed", async () => {
    const gone = (): never => {
      throw new BrokerError("not_owner", "it has changed hands");
    };
    const { ticket } = deviceTickets.issue({ device: DEVICE, holder: SELF, open: gone, passed: () => {} });
    await expect(takeDescriptors(path, ticket)).rejects.toMatchObject({ message: "it has changed hands" });
    await vi.waitFor(() => expect(openDescriptors()).toBe(before)); // the connection closes on both sides
  });
});
