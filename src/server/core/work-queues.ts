// One object, one writer: a queue for each address space, virtual IOMMU and IOMMU group.
// A verb names the objects it changes, in the order address space, virtual IOMMU, group; that order, kept by all, is
// what rules out deadlock. Waiting is bounded, and a queue that nobody waits in takes no memory.

import { limitReached } from "../../backends/errors.ts";
import { assert } from "../../spec/assert.ts";
import type { CallGate } from "./call-gate.ts";

export type QueueKey = { readonly kind: "address-space" | "virtual-iommu" | "group"; readonly id: string | number };

const RANK = { "address-space": 0, "virtual-iommu": 1, group: 2 } as const;

interface Queue {
  tail: Promise<void>;
  depth: number;
}

export class WorkQueues {
  readonly #queues = new Map<string, Queue>();
  readonly #depthMax: number;

  constructor(depthMax: number) {
    this.#depthMax = depthMax;
  }

  /**
   * Runs `work` once every named object is free, and keeps them until it settles.
   * @throws BrokerError limit_reached when too many calls already wait for one of them, call_over when nobody waits for
   *         the answer any more; `work` has then not begun
   */
  async run<T>(keys: readonly QueueKey[], work: () => Promise<T>, gate?: CallGate): Promise<T> {
    assert(
      keys.every((key, index) => index === 0 || RANK[keys[index - 1]!.kind] < RANK[key.kind]),
      "objects are taken in the order address space, virtual IOMMU, group, one of each",
    );
    const releases: (() => void)[] = [];
    try {
      for (const key of keys) releases.push(await this.#enter(key));
      gate?.requireOpen();
      return await work();
    } finally {
      for (const release of releases.reverse()) release();
    }
  }

  /** Somebody holds the object, or waits for it. */
  isHeld(key: QueueKey): boolean {
    return this.#queues.has(nameOf(key));
  }

  /** Calls that hold or wait for any object, for a metric. */
  depth(): number {
    let sum = 0;
    for (const queue of this.#queues.values()) sum += queue.depth;
    return sum;
  }

  async #enter(key: QueueKey): Promise<() => void> {
    const name = nameOf(key);
    const queue = this.#queues.get(name) ?? { tail: Promise.resolve(), depth: 0 };
    if (queue.depth >= this.#depthMax) {
      throw limitReached("queue_depth_max", this.#depthMax, `too many calls wait for ${name}; wait for answers first`);
    }
    this.#queues.set(name, queue);
    queue.depth += 1;
    const before = queue.tail;
    let leave = (): void => {};
    queue.tail = new Promise((resolve) => {
      leave = resolve;
    });
    await before;
    return () => {
      queue.depth -= 1;
      if (queue.depth === 0) this.#queues.delete(name);
      leave();
    };
  }
}

function nameOf(key: QueueKey): string {
  return `${key.kind}/${key.id}`;
}
