// Descriptors whose close(2) sleeps: a TCP connection with SO_LINGER whose peer reads nothing. The sleep ends when the
// peer goes away, or after a minute. It is a real sleep in the kernel, which every machine has.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import koffi from "koffi";
import { onTestFinished } from "vitest";
import { descriptorOf } from "../../src/os/libc.ts";

const libc = koffi.load(null);
const dup = libc.func("int dup(int fd)");
const setsockopt = libc.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t bytes)");
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const LINGER_SECONDS = 60;

export interface SleepingClose {
  readonly fd: number;
  /** Ends the sleep. */
  wake(): void;
}

export async function sleepingClose(): Promise<SleepingClose> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ pauseOnConnect: true }, accepted.resolve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect(portOf(server.address()), "127.0.0.1");
  await once(socket, "connect");
  const peer = await accepted.promise;
  for (const each of [socket, peer]) each.on("error", () => {}); // the end is not a polite one
  while (socket.writableLength === 0 || !(await isStuck(socket))) socket.write(Buffer.alloc(2 ** 20));
  const fd = Number(dup(descriptorOf(socket) ?? -1));
  setsockopt(fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, LINGER_SECONDS), 8);
  socket.destroy(); // Node's descriptor goes; the copy keeps the connection
  await once(socket, "close");
  const wake = (): void => {
    peer.resetAndDestroy();
    server.close();
  };
  onTestFinished(wake);
  return { fd, wake };
}

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** What was written stays in Node: the kernel takes no more. */
async function isStuck(socket: Socket): Promise<boolean> {
  const before = socket.writableLength;
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  return socket.writableLength === before;
}
