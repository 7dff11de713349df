import { expect, test } from "vitest";
import { StallTable } from "../../../src/backends/smmuv3/stall.ts";
import type { Transaction } from "../../../src/backends/smmuv3/transaction.ts";

function transaction(streamID: number): Transaction {
  return { streamID, iova: 0x1000n, access: "read", privileged: false };
}

test("holds up to its maximum, each under a STAG of its own", () => {
  const stalls = new StallTable(3);
  const tags = [1, 1, 2].map((streamID) => stalls.hold(transaction(streamID)));
  expect(new Set(tags).size).toBe(3);
  expect(stalls.hasRoom()).toBe(false);
  expect(stalls.held(1).map((each) => each.stag)).toEqual(tags.slice(0, 2));
  expect(stalls.held()).toHaveLength(3);
});

test("gives a transaction up only to its own stream, and once", () => {
  const stalls = new StallTable(1);
  const stag = stalls.hold(transaction(1));
  expect(stalls.release(2, stag)).toBeUndefined();
  expect(stalls.release(1, stag)).toEqual(transaction(1));
  expect(stalls.release(1, stag)).toBeUndefined();
});

test("does not give a STAG to two, however many have come and gone", () => {
  const stalls = new StallTable(2);
  const first = stalls.hold(transaction(1));
  for (let count = 0; count < 65_536; count++) {
    const stag = stalls.hold(transaction(2));
    if (stag === first) throw new Error("a STAG in use was given out again");
    stalls.release(2, stag);
  }
});

test("hands out stalls without a record oldest first, without those that were released", () => {
  const stalls = new StallTable(4);
  const tags = [1, 2, 3].map((streamID) => stalls.hold(transaction(streamID)));
  for (const stag of tags) stalls.setUnrecorded(stag);
  stalls.release(2, tags[1]!);
  expect([stalls.nextUnrecorded()?.stag, stalls.nextUnrecorded()?.stag, stalls.nextUnrecorded()]).toEqual([
    tags[0],
    tags[2],
    undefined,
  ]);
});

test("keeps the last 65,536 answers where nobody collects them", () => {
  const stalls = new StallTable(1);
  const outcome = { kind: "abort", fault: undefined, recorded: false } as const;
  for (let count = 0; count < 65_538; count++) {
    stalls.answer({ stag: count % 65_536, transaction: transaction(count), outcome });
  }
  const answers = stalls.take();
  expect([answers.length, answers[0]?.transaction.streamID, answers.at(-1)?.transaction.streamID]).toEqual([
    65_536, 2, 65_537,
  ]);
  expect(stalls.take()).toEqual([]);
});
