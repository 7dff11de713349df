import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type QueueKey, WorkQueues } from "../../../src/server/core/work-queues.ts";
import { AssertionFailure } from "../../../src/spec/assert.ts";
import { refusal, turn } from "../../support/host.ts";

const SPACE: QueueKey = { kind: "address-space", id: "a" };
const VIRTUAL: QueueKey = { kind: "virtual-iommu", id: "v" };
const GROUP: QueueKey = { kind: "group", id: 7 };

/** A promise and the function that resolves it. */
function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

describe("one object, one writer", () => {
  test("calls for one object run one at a time, in the order they came", async () => {
    const queues = new WorkQueues(8);
    const log: string[] = [];
    const work = (name: string) =>
      queues.run([GROUP], async () => {
        log.push(`${name} begins`);
        await turn();
        log.push(`${name} ends`);
      });
    await Promise.all([work("a"), work("b"), work("c")]);
    expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  });

  test("calls for different objects do not wait for each other", async () => {
    const queues = new WorkQueues(8);
    const { opened, open } = gate();
    const slow = queues.run([GROUP], () => opened);
    expect(await queues.run([{ kind: "group", id: 8 }], async () => "done")).toBe("done");
    expect(await queues.run([VIRTUAL], async () => "done")).toBe("done");
    open();
    await slow;
  });

  test("a call that fails leaves the object free for the next", async () => {
    const queues = new WorkQueues(8);
    const failing = queues.run([SPACE, GROUP], async () => {
      throw new Error("on purpose");
    });
    await expect(failing).rejects.toThrow("on purpose");
    expect(await queues.run([SPACE, GROUP], async () => 1)).toBe(1);
    expect(queues.depth()).toBe(0);
  });

  test("objects out of order, or two of a kind, are a bug and not a wait", async () => {
    const queues = new WorkQueues(8);
    for (const keys of [
      [GROUP, SPACE],
      [GROUP, VIRTUAL],
      [VIRTUAL, SPACE],
      [GROUP, { kind: "group", id: 8 } as const],
    ]) {
      await expect(queues.run(keys, async () => {})).rejects.toThrow(AssertionFailure);
    }
  });

  test("an object is held exactly while somebody holds it or waits for it", async () => {
    const queues = new WorkQueues(8);
    const { opened, open } = gate();
    const first = queues.run([GROUP], () => opened);
    const second = queues.run([GROUP], async () => {});
    expect([queues.isHeld(GROUP), queues.isHeld(SPACE), queues.depth()]).toEqual([true, false, 2]);
    open();
    await Promise.all([first, second]);
    expect([queues.isHeld(GROUP), queues.depth()]).toEqual([false, 0]);
  });
});

describe("waiting is bounded", () => {
  test("one call too many is refused at once, has not begun, and holds nothing", async () => {
    const queues = new WorkQueues(2);
    const { opened, open } = gate();
    const running = [queues.run([GROUP], () => opened), queues.run([SPACE, GROUP], async () => {})];
    await turn();
    let hasBegun = false;
    const error = await refusal(() =>
      queues.run([VIRTUAL, GROUP], async () => {
        hasBegun = true;
      }),
    );
    expect(error).toMatchObject({ code: "limit_reached", facts: { limit: "queue_depth_max", maximum: 2 } });
    expect(hasBegun).toBe(false);
    expect(queues.isHeld(VIRTUAL)).toBe(false);
    open();
    await Promise.all(running);
    expect(queues.depth()).toBe(0);
  });
});

describe("no deadlock", () => {
  test("random sets of objects, taken in the order of all, always come to an end, never two on one object", async () => {
    const key = (kind: QueueKey["kind"]) =>
      fc.option(
        fc.nat({ max: 2 }).map((id): QueueKey => ({ kind, id })),
        { nil: undefined },
      );
    const set = fc
      .tuple(key("address-space"), key("virtual-iommu"), key("group"))
      .map((keys) => keys.filter((one) => one !== undefined));
    await fc.assert(
      fc.asyncProperty(fc.array(set, { maxLength: 30 }), async (sets) => {
        const queues = new WorkQueues(64);
        const busy = new Set<string>();
        const runs = sets.map((keys, index) =>
          queues.run(keys, async () => {
            const names = keys.map(({ kind, id }) => `${kind}/${id}`);
            expect(names.filter((name) => busy.has(name))).toEqual([]);
            for (const name of names) busy.add(name);
            for (let wait = 0; wait < index % 3; wait += 1) await Promise.resolve();
            for (const name of names) busy.delete(name);
          }),
        );
        await Promise.all(runs);
        expect(queues.depth()).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
