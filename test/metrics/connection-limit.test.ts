import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { limitConnections } from "../../src/metrics/connection-limit.ts";

const MAXIMUM = 4;

async function served(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  limitConnections(server, MAXIMUM);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  onTestFinished(() => void socket.destroy());
  return socket;
}

test("the one that has said nothing for longest makes room", async () => {
  const port = await served((_, response) => response.end("ok"));
  const silent: Socket[] = [];
  for (let index = 0; index < MAXIMUM; index++) silent.push(await opened(port));
  const closed = once(silent[0]!, "close");
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  await closed;
  expect(silent.slice(1).every((socket) => !socket.destroyed)).toBe(true);
});

test("what has been asked is answered, however many come meanwhile", async () => {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const port = await served(async (_, response) => {
    asked.resolve();
    await gate.promise;
    response.end("at last");
  });
  const waiting = fetch(`http://127.0.0.1:${port}/`);
  await asked.promise;
  for (let index = 0; index < 3 * MAXIMUM; index++) await opened(port);
  gate.resolve();
  expect(await (await waiting).text()).toBe("at last");
});

test("with every connection busy a new one is closed", async () => {
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const port = await served(async (_, response) => {
    asked += 1;
    await gate.promise;
    response.end("done");
  });
  const busy = Array.from({ length: MAXIMUM }, () => fetch(`http://127.0.0.1:${port}/`));
  await expect.poll(() => asked).toBe(MAXIMUM);
  const late = await opened(port);
  await once(late.resume(), "close");
  gate.resolve();
  for (const each of busy) expect(await (await each).text()).toBe("done");
});

test("where every connection leaves its answer lying, the oldest of them makes room", async () => {
  const port = await served(({ url }, response) => response.end(url === "/" ? "ok" : Buffer.alloc(32 * 2 ** 20)));
  const lying: Socket[] = [];
  for (let index = 0; index < MAXIMUM; index++) {
    const socket = await opened(port);
    socket.write("GET /large HTTP/1.1\r\nHost: broker\r\n\r\n");
    await once(socket, "readable"); // some of it is there, and nobody takes it
    lying.push(socket);
  }
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("ok");
  await new Promise((resolve) => lying[0]?.once("close", resolve).resume());
  expect(lying.slice(1).every((socket) => !socket.destroyed)).toBe(true);
});
