import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { contentDigest, ReplayCache } from "../../../src/server/rpc/replay.ts";

const ROOMY = { scopesMax: 8, entriesPerScopeMax: 8, bytesPerScopeMax: 1000 };

function counting(bytes = 1) {
  let runs = 0;
  return {
    execute: async () => Buffer.alloc(bytes, (runs += 1)),
    get runs() {
      return runs;
    },
  };
}

function key(requestID: string, scope = "s", digest = "d") {
  return { scope, requestID, digest };
}

test("calls in flight share one execution", async () => {
  const cache = new ReplayCache(ROOMY);
  const gate = Promise.withResolvers<Buffer>();
  let runs = 0;
  const execute = () => {
    runs += 1;
    return gate.promise;
  };
  const both = [cache.run(key("a"), execute), cache.run(key("a"), execute)];
  gate.resolve(Buffer.of(7));
  expect(await Promise.all(both)).toEqual([Buffer.of(7), Buffer.of(7)]);
  expect(runs).toBe(1);
});

test("a failure reaches everyone who waits and is then forgotten", async () => {
  const cache = new ReplayCache(ROOMY);
  const gate = Promise.withResolvers<Buffer>();
  const both = [cache.run(key("a"), () => gate.promise), cache.run(key("a"), () => gate.promise)];
  gate.reject(new Error("refused"));
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const again = counting();
  await cache.run(key("a"), again.execute);
  expect(again.runs).toBe(1);
});

test("a shared execution whose own caller had left is not the end of those who joined it: one of them executes", async () => {
  const cache = new ReplayCache(ROOMY);
  const gate = Promise.withResolvers<Buffer>();
  const over = new BrokerError("call_over", "left");
  const joiner = counting();
  const first = cache.run(key("a"), () => gate.promise);
  const joined = [cache.run(key("a"), joiner.execute), cache.run(key("a"), joiner.execute)];
  gate.reject(over);
  await expect(first).rejects.toBe(over);
  expect(await Promise.all(joined)).toEqual([Buffer.of(1), Buffer.of(1)]);
  expect(joiner.runs).toBe(1);
  expect(await cache.run(key("a"), joiner.execute)).toEqual(Buffer.of(1));
  expect(joiner.runs).toBe(1);
});

test("other content under the same id is refused even while the first is in flight", async () => {
  const cache = new ReplayCache(ROOMY);
  const gate = Promise.withResolvers<Buffer>();
  const first = cache.run(key("a"), () => gate.promise);
  await expect(cache.run(key("a", "s", "other"), counting().execute)).rejects.toMatchObject({
    code: "request_conflict",
  });
  gate.resolve(Buffer.of(1));
  await first;
});

test("the oldest answer goes when a scope has too many", async () => {
  const cache = new ReplayCache({ ...ROOMY, entriesPerScopeMax: 2 });
  const call = counting();
  for (const id of ["a", "b", "c"]) await cache.run(key(id), call.execute);
  await cache.run(key("c"), call.execute);
  await cache.run(key("b"), call.execute);
  expect(call.runs).toBe(3);
  await cache.run(key("a"), call.execute);
  expect(call.runs).toBe(4);
});

test("the oldest answers go when a scope holds too many bytes, the newest never", async () => {
  const cache = new ReplayCache({ ...ROOMY, bytesPerScopeMax: 100 });
  const [small, large] = [counting(60), counting(200)];
  await cache.run(key("a"), small.execute);
  await cache.run(key("b"), small.execute);
  await cache.run(key("b"), small.execute);
  expect(small.runs).toBe(2);
  await cache.run(key("a"), small.execute);
  expect(small.runs).toBe(3);
  await cache.run(key("c"), large.execute);
  await cache.run(key("c"), large.execute);
  expect(large.runs).toBe(1);
});

test("calls in flight are not forgotten: one more than fits is refused", async () => {
  const cache = new ReplayCache({ ...ROOMY, entriesPerScopeMax: 2 });
  const gate = Promise.withResolvers<Buffer>();
  const running = ["a", "b"].map((id) => cache.run(key(id), () => gate.promise));
  await expect(cache.run(key("c"), counting().execute)).rejects.toMatchObject({
    code: "limit_reached",
    facts: { limit: "request_ids_in_flight", maximum: 2 },
  });
  gate.resolve(Buffer.of(1));
  await Promise.all(running);
  await cache.run(key("c"), counting().execute);
});

test("the scope not used for longest goes when there are too many", async () => {
  const cache = new ReplayCache({ ...ROOMY, scopesMax: 2 });
  const call = counting();
  for (const scope of ["x", "y", "x", "z"]) await cache.run(key("a", scope), call.execute);
  expect(call.runs).toBe(3);
  await cache.run(key("a", "x"), call.execute);
  expect(call.runs).toBe(3);
  await cache.run(key("a", "y"), call.execute);
  expect(call.runs).toBe(4);
});

test("a scope that was dropped remembers nothing, not even what was in flight", async () => {
  const cache = new ReplayCache(ROOMY);
  const gate = Promise.withResolvers<Buffer>();
  const running = cache.run(key("a"), () => gate.promise);
  cache.drop("s");
  const call = counting();
  await cache.run(key("a"), call.execute);
  gate.resolve(Buffer.of(9));
  await running;
  expect(call.runs).toBe(1);
  expect(await cache.run(key("a"), call.execute)).toEqual(Buffer.of(1));
});

test("the digest tells methods apart that have the same request", () => {
  const bytes = Buffer.of(1, 2);
  expect(contentDigest("/a", bytes)).not.toBe(contentDigest("/b", bytes));
  expect(contentDigest("/a", bytes)).toBe(contentDigest("/a", Buffer.of(1, 2)));
});
