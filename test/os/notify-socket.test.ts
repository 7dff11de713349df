import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NotifySocket } from "../../src/os/notify-socket.ts";
import { NotifyReceiver, requirePython } from "../support/service-manager.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "notify-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test.for(["path", "abstract"])(
  "lines arrive as one datagram at a receiver with an %s address",
  async (kind, context) => {
    const address = kind === "path" ? join(directory, "notify") : `@${directory}`;
    const receiver = await NotifyReceiver.bind(requirePython(context), address, 10);
    receiver.read();
    const socket = new NotifySocket(address);
    expect(socket.send(["READY=1", "STATUS=serving"])).toBe("sent");
    expect(socket.send(["WATCHDOG=1"])).toBe("sent");
    expect(await receiver.next()).toEqual(["READY=1", "STATUS=serving"]);
    expect(await receiver.next()).toEqual(["WATCHDOG=1"]);
    socket.close();
  },
);

test("a receiver that does not read is full at some time, which blocks nobody, and takes more once it has read", async (context) => {
  const address = join(directory, "notify");
  const receiver = await NotifyReceiver.bind(requirePython(context), address, 10);
  const socket = new NotifySocket(address);
  let sent = 0;
  for (; socket.send([`X_COUNT=${sent}`]) === "sent"; sent++) expect(sent).toBeLessThan(100_000);
  expect(socket.send(["X_MORE=1"])).toBe("full");
  receiver.read();
  for (let at = 0; at < sent; at++) expect(await receiver.next()).toEqual([`X_COUNT=${at}`]);
  expect(socket.send(["X_MORE=1"])).toBe("sent");
  socket.close();
});

test("where nobody listens sending fails, and throws nothing", () => {
  const socket = new NotifySocket(join(directory, "nobody"));
  expect(socket.send(["READY=1"])).toBe("failed");
  socket.close();
});

test.each(["relative/path", "@", "vsock:2:1234", `/${"x".repeat(107)}`, `@${"x".repeat(108)}`])(
  "the address %s is refused by name",
  (address) => {
    expect(() => new NotifySocket(address)).toThrow(`NOTIFY_SOCKET ${address}`);
  },
);

test("the longest addresses that the kernel takes are taken", () => {
  for (const address of [`/${"x".repeat(106)}`, `@${"x".repeat(107)}`]) new NotifySocket(address).close();
});
