import { describe, expect, test } from "vitest";
import { type AnswerBounds, Answers } from "../../../src/server/core/answers.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { refusal } from "../../support/host.ts";

const ROOMY: AnswerBounds = {
  scopesMax: 8,
  entriesPerScopeMax: 8,
  bytesPerScopeMax: 10_000,
  bytesMax: 100_000,
  durableBytesMax: 100,
};

/** What an entry costs besides its answer. */
const ENTRY = 256;

function key(requestID: string, scope = "s", digest = "d") {
  return { scope, requestID, digest };
}

function kept(answers: Answers, scope: string, ids: readonly string[]): string[] {
  return ids.filter((id) => answers.find(key(id, scope)) !== undefined);
}

test("an answer is found by its key, and other content under its request_id is refused", async () => {
  const answers = new Answers(ROOMY);
  answers.keep(key("a"), Buffer.of(1, 2));
  expect(answers.find(key("a"))).toEqual(Buffer.of(1, 2));
  expect([answers.find(key("b")), answers.find(key("a", "other"))]).toEqual([undefined, undefined]);
  const error = await refusal(() => answers.find(key("a", "s", "other")));
  expect(error).toMatchObject({ code: "request_conflict", facts: { request_id: "a" } });
  expect(error.fields).toEqual([{ path: "request_id", description: "was used with other content" }]);
});

describe("bounds", () => {
  test("the oldest answer goes when a scope has too many", () => {
    const answers = new Answers({ ...ROOMY, entriesPerScopeMax: 2 });
    for (const id of ["a", "b", "c"]) answers.keep(key(id), Buffer.of(1));
    expect(kept(answers, "s", ["a", "b", "c"])).toEqual(["b", "c"]);
  });

  test("the oldest answers go when a scope holds too many bytes, the newest never", () => {
    const answers = new Answers({ ...ROOMY, bytesPerScopeMax: 2 * ENTRY + 100 });
    for (const id of ["a", "b"]) answers.keep(key(id), Buffer.alloc(50));
    expect(kept(answers, "s", ["a", "b"])).toEqual(["a", "b"]);
    answers.keep(key("c"), Buffer.alloc(51));
    expect(kept(answers, "s", ["a", "b", "c"])).toEqual(["c"]);
    answers.keep(key("d"), Buffer.alloc(5000));
    expect(kept(answers, "s", ["c", "d"])).toEqual(["d"]);
  });

  test("the scope not used for longest goes when there are too many, or all hold too much", () => {
    for (const bounds of [
      { ...ROOMY, scopesMax: 2 },
      { ...ROOMY, bytesMax: 2 * ENTRY + 2 },
    ]) {
      const answers = new Answers(bounds);
      for (const scope of ["x", "y"]) answers.keep(key("a", scope), Buffer.of(1));
      answers.find(key("a", "x"));
      answers.keep(key("a", "z"), Buffer.of(1));
      expect(["x", "y", "z"].filter((scope) => kept(answers, scope, ["a"]).length > 0)).toEqual(["x", "z"]);
    }
  });

  test("what was dropped gives its bytes back", () => {
    const answers = new Answers({ ...ROOMY, bytesMax: 2 * ENTRY + 2 });
    for (let round = 0; round < 5; round += 1) {
      answers.keep(key("a", "x"), Buffer.of(1));
      answers.keep(key("a", "y"), Buffer.of(1));
      expect([kept(answers, "x", ["a"]), kept(answers, "y", ["a"])]).toEqual([["a"], ["a"]]);
      answers.drop("x");
      answers.drop("y");
    }
    expect(answers.durable()).toEqual([]);
  });
});

describe("on the disk", () => {
  test("is each answer, and what is restored from there is found again", () => {
    const answers = new Answers(ROOMY);
    const noted: DurableRecord[] = [];
    answers.onChange((records) => noted.push(...records));
    answers.keep(key("a"), Buffer.from("answer"));
    // base64("answer"), RFC 4648 §4
    const record = {
      type: "answer",
      value: { session: "s", requestID: "a", digest: "d", answer: "YW5zd2Vy" },
    } as const;
    expect(noted).toEqual([record]);
    expect(answers.durable()).toEqual([record]);
    const again = new Answers(ROOMY);
    again.onChange(() => expect.unreachable("what is restored is on the disk"));
    again.restore(record.value);
    expect(again.find(key("a"))).toEqual(Buffer.from("answer"));
  });

  test("a long answer is not: the same daemon still gives it, a later one says that the call was executed", async () => {
    const answers = new Answers(ROOMY);
    answers.keep(key("long"), Buffer.alloc(101));
    expect(answers.find(key("long"))).toHaveLength(101);
    const [record] = answers.durable();
    if (record?.type !== "answer") throw new Error("nothing is kept");
    expect(record.value).toEqual({ session: "s", requestID: "long", digest: "d", answer: null });
    const again = new Answers(ROOMY);
    again.restore(record.value);
    const error = await refusal(() => again.find(key("long")));
    expect(error).toMatchObject({ code: "request_conflict", message: expect.stringContaining("too long to be kept") });
    expect(again.durable()).toEqual([record]);
  });
});
