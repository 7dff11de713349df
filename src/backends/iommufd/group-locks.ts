// One verb at a time on an IOMMU group: what binds a device's node and what asks an IOMMU through it exclude each other,
// because the kernel refuses a node that is bound already, whoever has it (drivers/vfio/vfio_main.c, vfio_df_open).
// Whoever holds one group's turn waits for no other's.

import type { GroupID } from "../ids.ts";

export class GroupLocks {
  /** Of each group that something is under way with, the end of the last in line. */
  readonly #last = new Map<GroupID, Promise<void>>();

  /** Nothing is under way with it. */
  isFree(group: GroupID): boolean {
    return !this.#last.has(group);
  }

  /** In the order of the calls, whatever becomes of those before. */
  async run<T>(group: GroupID, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(group);
    const { promise: end, resolve } = Promise.withResolvers<void>();
    this.#last.set(group, end);
    try {
      if (before !== undefined) await before;
      return await act();
    } finally {
      if (this.#last.get(group) === end) this.#last.delete(group);
      resolve();
    }
  }
}
