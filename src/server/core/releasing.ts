// Groups that nobody has because others may hold descriptors of their devices: given to the host once every copy is closed.
// A backend that sees the last one close tells; where none can, each tick of the daemon asks, and nobody asks in between.

import type { GroupID } from "../../backends/ids.ts";
import type { ArbiterDeps } from "./arbiter.ts";
import type { Resets } from "./reset.ts";

export interface ReleasingDeps extends ArbiterDeps {
  readonly resets: Resets;
}

export class Releasing {
  readonly #deps: ReleasingDeps;
  readonly #running = new Set<GroupID>();

  constructor(deps: ReleasingDeps) {
    this.#deps = deps;
    deps.backend.onClosed((group) => void this.#free(group));
  }

  async freeAll(): Promise<void> {
    const withheld = this.#deps.registry.groups().filter(({ state }) => state === "releasing");
    await Promise.all(withheld.map(({ id }) => this.#free(id)));
  }

  /** One look at a time; what fails is told, whatever it is, and looked at again with the next tick: nobody waits for it. */
  async #free(id: GroupID): Promise<void> {
    if (this.#running.has(id)) return;
    this.#running.add(id);
    const { events, queues, registry, resets } = this.#deps;
    try {
      await queues.run([{ kind: "group", id }], async () => {
        const group = registry.findGroup(id);
        if (group?.state === "releasing") await resets.free(group);
      });
    } catch (error) {
      events.emit({ type: "reapFailed", session: undefined, subject: `group/${id}`, error });
    } finally {
      this.#running.delete(id);
    }
  }
}
