import { fstatSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { KernelPool, type KernelPoolOptions } from "../../src/os/kernel-pool.ts";
import { memfd } from "../support/memfd.ts";
import { sleepingClose } from "../support/sleeping-close.ts";

function pool(options?: KernelPoolOptions): KernelPool {
  const made = new KernelPool(options);
  onTestFinished(() => made.close());
  return made;
}

/** Turns of the event loop, each through a timer. */
async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setTimeout(resolve, 0));
}

test("a call that sleeps in the kernel holds up neither the event loop nor the other threads", async () => {
  const on = pool({ threadsMax: 2 });
  const { fd, wake } = await sleepingClose();
  let isClosed = false;
  const closed = on.run({ kind: "close", fd }).then(() => {
    isClosed = true;
  });
  await turns(20);
  expect(await on.run({ kind: "open", path: "/nowhere" })).toMatchObject({ result: -2n });
  expect([isClosed, on.load]).toEqual([false, { running: 1, waiting: 0 }]);
  wake();
  await closed;
});

test("no more calls run than there are threads; the line has an end, but never for what gives something back", async () => {
  const on = pool({ threadsMax: 1, waitingMax: 1 });
  const { fd, wake } = await sleepingClose();
  const first = on.run({ kind: "close", fd });
  const second = on.run({ kind: "open", path: "/nowhere" });
  expect(on.load).toEqual({ running: 1, waiting: 1 });
  await expect(on.run({ kind: "open", path: "/nowhere" })).rejects.toMatchObject({
    code: "limit_reached",
    facts: { limit: "kernel_calls_waiting", maximum: 1 },
  });
  const given = memfd(4096);
  const third = on.run({ kind: "close", fd: given });
  wake();
  expect(await second).toMatchObject({ result: -2n });
  await Promise.all([first, third]);
  expect(() => fstatSync(given)).toThrow(/EBADF/);
  expect(on.load).toEqual({ running: 0, waiting: 0 });
});

test("behind a call that sleeps owners take turns: one with many calls keeps another's first one waiting for one of them", async () => {
  const on = pool({ threadsMax: 1 });
  const { fd, wake } = await sleepingClose();
  const order: string[] = [];
  const open = (owner: string): Promise<unknown> =>
    on.run({ kind: "open", path: "/nowhere" }, owner).then(() => order.push(owner));
  const calls = [on.run({ kind: "close", fd }), ...Array.from({ length: 40 }, () => open("greedy"))];
  calls.push(open("modest"), open("modest"));
  expect(on.load).toEqual({ running: 1, waiting: 42 });
  wake();
  await Promise.all(calls);
  expect(order.slice(0, 5)).toEqual(["greedy", "modest", "greedy", "modest", "greedy"]);
});

test("one owner's part of the line has an end of its own; others and the daemon itself still find room", async () => {
  const on = pool({ threadsMax: 1, waitingPerOwnerMax: 2 });
  const { fd, wake } = await sleepingClose();
  const open = (owner?: string) => on.run({ kind: "open", path: "/nowhere" }, owner);
  const calls: Promise<unknown>[] = [on.run({ kind: "close", fd }), open("greedy"), open("greedy")];
  await expect(open("greedy")).rejects.toMatchObject({
    code: "limit_reached",
    message: expect.stringContaining("kernel_calls_waiting_per_session"),
    facts: { limit: "kernel_calls_waiting_per_session", maximum: 2 },
  });
  calls.push(open("modest"), open(), open(), open(), on.run({ kind: "close", fd: memfd(4096) }, "greedy"));
  expect(on.load).toEqual({ running: 1, waiting: 7 });
  wake();
  await Promise.all(calls);
});

test("shutting down waits for what runs and what waits, and takes nothing new", async () => {
  const on = pool({ threadsMax: 1 });
  const { fd, wake } = await sleepingClose();
  const order: string[] = [];
  const calls = [
    on.run({ kind: "close", fd }).then(() => order.push("slept")),
    on.run({ kind: "open", path: "/nowhere" }).then(() => order.push("waited")),
  ];
  const down = on.close().then(() => order.push("down"));
  await expect(on.run({ kind: "close", fd: 12_345 })).rejects.toMatchObject({ code: "draining" });
  await turns(5);
  expect(order).toEqual([]);
  wake();
  await Promise.all([...calls, down]);
  expect(order).toEqual(["slept", "waited", "down"]);
});

test("a call that kills its thread fails, and the next one gets another", async () => {
  const on = pool({ threadsMax: 1 });
  const tooLong = { fd: 0, request: 0, bytes: new Uint8Array(4097) };
  await expect(on.run({ kind: "ioctls", steps: [tooLong] })).rejects.toMatchObject({
    code: "backend_failed",
    cause: expect.objectContaining({ message: expect.stringContaining("4097 bytes are more than a call takes") }),
  });
  expect(await on.run({ kind: "open", path: "/nowhere" })).toMatchObject({ result: -2n });
});

test("a call that does not even fit is refused here, and the thread lives on", async () => {
  const on = pool({ threadsMax: 1 });
  const request = { fd: 0, request: 0, bytes: new Uint8Array(2 ** 21) };
  await expect(on.run({ kind: "ioctls", steps: [request] })).rejects.toThrow("more than a call takes");
  expect(await on.run({ kind: "open", path: "/nowhere" })).toMatchObject({ result: -2n });
});

test("many calls at once all come back, each with its own answer", async () => {
  const on = pool({ threadsMax: 3 });
  const paths = Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? "/nowhere" : "/dev/null/nowhere"));
  const answers = await Promise.all(paths.map((path) => on.run({ kind: "open", path })));
  expect(answers.map(({ result }) => result)).toEqual(paths.map((_, n) => (n % 2 === 0 ? -2n : -20n))); // ENOTDIR
});

test("one that was never used is done at once", async () => {
  await new KernelPool().close();
});
