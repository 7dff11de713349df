import { closeSync, openSync, writeSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { openEventfd } from "../../src/os/libc.ts";
import { Poller } from "../../src/os/poller.ts";

function poller(): Poller {
  const made = new Poller((error) => {
    throw error;
  });
  onTestFinished(() => made.close());
  return made;
}

/** A descriptor that a test makes readable. */
function signal() {
  const opened = openEventfd();
  if (!opened.ok) throw new Error(opened.errno);
  onTestFinished(() => closeSync(opened.fd));
  return { fd: opened.fd, raise: () => writeSync(opened.fd, new BigUint64Array([1n])) };
}

/** Resolves when `watched` was told of; gives how many times it ever was. */
function told(on: Poller, fd: number): { readonly first: Promise<void>; count: () => number; stop: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const stop = on.watch(fd, () => {
    count += 1;
    resolve();
  });
  return { first: promise, count: () => count, stop };
}

describe("a descriptor", () => {
  test("is told of when it becomes readable, once, though it stays so", async () => {
    const on = poller();
    const one = signal();
    const heard = told(on, one.fd);
    expect(on.size).toBe(1);
    one.raise();
    await heard.first;
    const second = signal();
    const later = told(on, second.fd);
    second.raise();
    await later.first;
    expect([heard.count(), on.size]).toEqual([1, 0]);
  });

  test("that was readable before is told of too, and so is one that comes while the wait is on", async () => {
    const on = poller();
    const early = signal();
    early.raise();
    await told(on, early.fd).first;
    const late = signal();
    const heard = told(on, late.fd);
    late.raise();
    await heard.first;
  });

  test("that was stopped is not told of, and its neighbours are", async () => {
    const on = poller();
    const signals = [signal(), signal(), signal()];
    const [first, second, third] = signals.map(({ fd }) => told(on, fd));
    second!.stop();
    for (const { raise } of signals) raise();
    await Promise.all([first!.first, third!.first]);
    expect(second!.count()).toBe(0);
    second!.stop();
  });

  test("may be watched again once it was told of", async () => {
    const on = poller();
    const one = signal();
    one.raise();
    await told(on, one.fd).first;
    await told(on, one.fd).first;
  });

  test("that epoll does not take is refused", () => {
    const on = poller();
    const file = openSync(import.meta.filename, "r"); // a regular file is always ready: EPERM, epoll_ctl(2)
    onTestFinished(() => closeSync(file));
    expect(() => on.watch(file, () => {})).toThrow(/cannot be watched/);
    expect(on.size).toBe(0);
  });

  test("among more of them than one wait brings is told of like the others", async () => {
    const on = poller();
    const signals = Array.from({ length: 200 }, signal);
    const all = signals.map(({ fd }) => told(on, fd));
    for (const { raise } of signals) raise();
    await Promise.all(all.map(({ first }) => first));
    expect(all.map(({ count }) => count())).toEqual(Array(200).fill(1));
  });
});

describe("closing", () => {
  test("ends the wait and tells nobody", async () => {
    const on = poller();
    const one = signal();
    const heard = told(on, one.fd);
    await on.close();
    one.raise();
    expect(heard.count()).toBe(0);
    await on.close();
    expect(() => on.watch(one.fd, () => {})).toThrow(/cannot be watched/);
  });

  test("one that never waited is done at once", async () => {
    await poller().close();
  });
});
