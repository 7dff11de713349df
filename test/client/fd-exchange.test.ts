import { once } from "node:events";
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PutRefused, putMemory, takeDescriptors } from "../../src/client/fd-exchange.ts";
import { receiveMessage } from "../../src/os/descriptors.ts";
import { descriptorOf } from "../../src/os/libc.ts";
import { memfd, openDescriptors } from "../support/memfd.ts";

let directory: string;
let path: string;
let server: Server;
let fd: number;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "put-"));
  path = join(directory, "fd.sock");
  fd = memfd(4096);
});
afterEach(() => {
  closeSync(fd);
  server.close();
  rmSync(directory, { recursive: true });
});

/** Answers whatever comes with these bytes. */
async function answering(bytes: Uint8Array, look: (socket: Socket) => void = () => {}): Promise<void> {
  server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => {});
    setTimeout(() => {
      look(socket);
      socket.write(bytes);
      socket.destroySoon();
    }, 5);
  }).listen(path);
  await once(server, "listening");
}

test("the request goes out with the descriptor, and the answer's ticket comes back", async () => {
  // Header of 36 bytes, the ticket, 10,000 ms: docs/fd-exchange.md.
  const answer = Buffer.from(`494f464401002400${Buffer.from("a".repeat(32)).toString("hex")}10270000`, "hex");
  const came: ReturnType<typeof receiveMessage>[] = [];
  await answering(answer, (socket) => {
    came.push(receiveMessage(descriptorOf(socket) ?? -1, 64));
  });
  expect(await putMemory(path, { fd, label: "ram" })).toEqual({ ticket: "a".repeat(32), expiresMs: 10_000 });
  const [message] = came;
  if (message?.kind !== "message") throw new Error("nothing came");
  expect(Buffer.from(message.bytes).toString("hex")).toBe("494f46440101010372616d");
  expect(message.descriptors).toHaveLength(1);
  for (const each of message.descriptors) closeSync(each);
});

test("a refusal is thrown with its status and reason", async () => {
  await answering(Buffer.from(`494f464401030500${Buffer.from("full!").toString("hex")}`, "hex"));
  const error = await putMemory(path, { fd, label: "ram" }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PutRefused);
  expect(error).toMatchObject({ status: "limit", message: "full!" });
});

test.each([
  ["nothing", ""],
  ["half an answer", "494f4644010024"],
  ["something else", "48545450"],
])("a broker that says %s is an error, and nothing stays open", async (_, hex) => {
  await answering(Buffer.from(hex, "hex"));
  const before = openDescriptors();
  await expect(putMemory(path, { fd, label: "ram" })).rejects.toThrow("without an answer");
  await expect.poll(() => openDescriptors()).toBe(before);
});

test("a label that the broker would not take, and a descriptor that is not open, are not sent", async () => {
  await answering(Buffer.alloc(0));
  await expect(putMemory(path, { fd, label: "guest ram" })).rejects.toThrow("printable");
  await expect(putMemory(path, { fd: 12_345, label: "ram" })).rejects.toThrow("is it open?");
});

test.each([
  ["putMemory", () => putMemory(path, { fd, label: "ram" })],
  ["takeDescriptors", () => takeDescriptors(path, "a".repeat(32))],
])("%s refuses where no socket is, with its path and the system's error", async (_, attempt) => {
  server = createServer();
  const error = await attempt().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PutRefused);
  expect(error).toMatchObject({ status: "failed", cause: { code: "ENOENT" } });
  expect(error).toHaveProperty("message", expect.stringContaining(path));
});
