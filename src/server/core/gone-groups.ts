// Generations of groups that were removed: a group that comes again goes on counting, so that whoever knew it before is
// fenced. Bounded: the group that went first is forgotten, and from then on groups of which nothing is known begin no
// lower than it would have.

import type { GroupID } from "../../backends/ids.ts";
import type { DurableRecord } from "./durable.ts";

const GROUPS_MAX = 1024;

export class GoneGroups {
  readonly #groupsMax: number;
  /** Where each one begins again; the one that went last is last. */
  readonly #generations = new Map<GroupID, number>();
  #floor = 0;

  constructor(groupsMax = GROUPS_MAX) {
    this.#groupsMax = groupsMax;
  }

  /** @returns what shall outlive the daemon: nothing for a group that never had a stage change */
  add(id: GroupID, generation: number): readonly DurableRecord[] {
    if (generation === 0) return [];
    return this.restore(id, generation + 1);
  }

  /** @param generation  where it shall begin */
  restore(id: GroupID, generation: number): readonly DurableRecord[] {
    this.#generations.delete(id);
    this.#generations.set(id, generation);
    const records: DurableRecord[] = [{ type: "groupGone", id, generation }];
    for (const [oldest, forgotten] of this.#generations) {
      if (this.#generations.size <= this.#groupsMax) break;
      this.#generations.delete(oldest);
      if (forgotten <= this.#floor) continue;
      this.#floor = forgotten;
      records.push({ type: "generationFloor", value: forgotten });
    }
    return records;
  }

  restoreFloor(generation: number): void {
    this.#floor = Math.max(this.#floor, generation);
  }

  /** Where a group that comes now begins. */
  take(id: GroupID): number {
    const generation = this.#generations.get(id) ?? this.#floor;
    this.#generations.delete(id);
    return generation;
  }

  durable(): readonly DurableRecord[] {
    const floor: DurableRecord[] = this.#floor === 0 ? [] : [{ type: "generationFloor", value: this.#floor }];
    const gone = [...this.#generations].map(
      ([id, generation]): DurableRecord => ({ type: "groupGone", id, generation }),
    );
    return [...floor, ...gone];
  }
}
