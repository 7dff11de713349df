// Rules of devices whose descriptors are in others' hands, asked of the simulation where chance gets there: within its minute.

import { mutantsOf } from "./mutant.ts";

const EXCHANGE = "src/server/fds/device-tickets.ts";
const RECOVERY = "src/server/core/recovery.ts";
const SIMULATED = "src/backends/sim/backend.ts";

/** Source: docs/fd-exchange.md, "A device's descriptors". */
export const DESCRIPTORS = mutantsOf(
  {
    section: "8",
    about: "descriptors that are out (docs/fd-exchange.md)",
    file: "src/server/core/descriptors.ts",
    tests: ["test/simulation/broker.test.ts"],
  },
  [
    [
      "from the ticket on the stage is not the broker's alone",
      "if (!group.handedOut) registry.putGroup({ ...group, handedOut: true });",
      "",
    ],
    ["nobody vends a device that is withheld", "requireNotReleasing(backend, group, device);", ""],
    ["what was fetched is vended anew only after a detach", "this.#unfetched.delete(registry.groupOf(device).id);", ""],
    [
      "nobody attaches a device that is withheld",
      "requireNotReleasing(backend, group, device);",
      "",
      { file: "src/server/core/attach.ts" },
    ],
    [
      "a bind of a vended device is refused as such",
      "requireNotVended(group, device);\n    requireAttached(",
      "requireAttached(",
      { file: "src/server/core/bind.ts" },
    ],
    [
      "a ticket is good once",
      "this.#tickets.delete(name);\n    return { device",
      "return { device",
      { file: EXCHANGE },
    ],
    [
      "a ticket is one process's",
      "if (peer.pid === 0 || peer.pid !== holder.pid || peer.uid !== holder.uid) {",
      "if (false) {",
      { file: EXCHANGE },
    ],
    [
      "a ticket is void when its device leaves",
      "for (const id of group.devices) ports.deviceTickets.void(id);",
      "",
      // chance seldom has the same session ask again within a ticket's life
      { file: "src/server/core/reset.ts", tests: ["test/server/core/descriptors.test.ts"] },
    ],
    [
      "nothing is given back while a copy is open",
      "if (!(await this.#deps.backend.reclaim(group.id))) return group;",
      "await this.#deps.backend.reclaim(group.id);",
      { file: "src/server/core/reset.ts" },
    ],
    [
      "a copy of any device withholds its group",
      "return devicesOf(group).some(",
      "return devicesOf(group).slice(0, 1).some(",
      { file: "src/backends/sim/hand-outs.ts" },
    ],
    [
      "what closes is looked at, and what is open still is watched",
      "if (hasWriters(standIn.readingEnd)) {\n        this.#watch",
      "if (false) {\n        this.#watch",
      { file: "src/os/stand-in-fifos.ts" },
    ],
    [
      "the last copy that closes gives the device back",
      "deps.backend.onClosed((group) => void this.#free(group));",
      "deps.backend.onClosed(() => {});",
      { file: "src/server/core/releasing.ts" },
    ],
    [
      "who waits is woken when it is given back",
      'if (event.type === "stageChanged") this.#stir(event.group);',
      'if (event.type === "stageChanged" && event.from !== "releasing") this.#stir(event.group);',
      { file: "src/server/core/waiting.ts" },
    ],
    [
      "what is withheld is blocked",
      "this.#stages.block(group);\n    this.#handOuts.letGo(group);",
      "this.#handOuts.letGo(group);",
      { file: SIMULATED },
    ],
    [
      "what is withheld is closed by the broker itself",
      "this.#stages.block(group);\n    this.#handOuts.letGo(group);",
      "this.#stages.block(group);",
      { file: SIMULATED },
    ],
    [
      "what was handed out is not the broker's alone after a restart",
      "const { state, generation, handedOut = false } = durable;",
      "const { state, generation } = durable;\n    const handedOut = false;",
      { file: RECOVERY },
    ],
    [
      "what was withheld is withheld after a restart",
      "} else if (handedOut) {",
      "} else if (false) {",
      { file: RECOVERY },
    ],
  ],
);
