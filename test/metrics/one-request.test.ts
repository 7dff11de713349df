import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { oneRequestAtATime } from "../../src/metrics/one-request.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: broker\r\n\r\n";

async function served(answer: (response: ServerResponse) => void) {
  const server = createServer(oneRequestAtATime((_, response) => answer(response)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const socket = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
  socket.on("error", () => undefined).setEncoding("utf8");
  await once(socket, "connect");
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Not `once` of node:events: that fails at the error before. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

test("a connection is kept for who waits for each answer", async () => {
  const socket = await served((response) => response.end("ok"));
  for (let index = 0; index < 5; index++) {
    socket.write(REQUEST);
    const [answer] = await once(socket, "data");
    expect(answer, `request ${index}`).toMatch(/^HTTP\/1.1 200 /);
  }
  expect(socket.destroyed).toBe(false);
});

test("of thousands that come in one piece the first is looked at, and the connection is closed", async () => {
  let looked = 0;
  const socket = await served(() => {
    looked += 1;
  });
  const closed = closing(socket.resume());
  socket.write(REQUEST.repeat(5000));
  await closed;
  expect(looked).toBe(1);
});

test("a second one that comes before the answer closes the connection", async () => {
  const asked = Promise.withResolvers<void>();
  const socket = await served(() => asked.resolve());
  const closed = closing(socket.resume());
  socket.write(REQUEST);
  await asked.promise;
  socket.write(REQUEST);
  await closed;
});
