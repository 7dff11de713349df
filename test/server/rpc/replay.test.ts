import { expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { type AnswerBounds, Answers } from "../../../src/server/core/answers.ts";
import { contentDigest, ReplayCache } from "../../../src/server/rpc/replay.ts";

const ROOMY: AnswerBounds = {
  scopesMax: 8,
  entriesPerScopeMax: 8,
  bytesPerScopeMax: 10_000,
  bytesMax: 100_000,
  durableBytesMax: 1000,
};

function cacheOf(bounds = ROOMY, inFlightMax = 8): ReplayCache {
  return new ReplayCache(new Answers(bounds), inFlightMax);
}

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
  const cache = cacheOf();
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
  const cache = cacheOf();
  const gate = Promise.withResolvers<Buffer>();
  const both = [cache.run(key("a"), () => gate.promise), cache.run(key("a"), () => gate.promise)];
  gate.reject(new Error("refused"));
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const again = counting();
  await cache.run(key("a"), again.execute);
  expect(again.runs).toBe(1);
});

test("a shared execution whose own caller had left is not the end of those who joined it: one of them executes", async () => {
  const cache = cacheOf();
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
  const cache = cacheOf();
  const gate = Promise.withResolvers<Buffer>();
  const first = cache.run(key("a"), () => gate.promise);
  await expect(cache.run(key("a", "s", "other"), counting().execute)).rejects.toMatchObject({
    code: "request_conflict",
  });
  gate.resolve(Buffer.of(1));
  await first;
});

test("an answer that the store forgot is no answer: the call executes again", async () => {
  const cache = cacheOf({ ...ROOMY, entriesPerScopeMax: 2 });
  const call = counting();
  for (const id of ["a", "b", "c", "c", "b"]) await cache.run(key(id), call.execute);
  expect(call.runs).toBe(3);
  await cache.run(key("a"), call.execute);
  expect(call.runs).toBe(4);
});

test("an answer is kept in the turn in which the call ends: nothing else runs in between", async () => {
  const kept: string[] = [];
  const store = { find: () => undefined, drop: () => {}, keep: () => kept.push("kept") };
  const cache = new ReplayCache(store, 8);
  const change = Promise.withResolvers<Buffer>();
  const answered = cache.run(key("a"), async () => await change.promise);
  setImmediate(() => {
    change.resolve(Buffer.of(1));
    setImmediate(() => kept.push("next turn"));
  });
  await answered;
  await new Promise((resolve) => setImmediate(resolve));
  expect(kept).toEqual(["kept", "next turn"]);
});

test("calls in flight are not forgotten: one more than fits is refused", async () => {
  const cache = cacheOf(ROOMY, 2);
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

test("a scope that was dropped remembers nothing, not even what was in flight", async () => {
  const cache = cacheOf();
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
