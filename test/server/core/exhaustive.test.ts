// Breadth first over every distinct state of two clients and one IOMMU group, every verb in each, until nothing new comes.
// A state is reached by its shortest script from an empty host; a refused verb leaves it, so the next one is tried there.

import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { TRANSITIONS } from "../../../src/server/core/stage-state.ts";
import { type Verb, verbsFor } from "../../support/exhaustive-verbs.ts";
import { ExhaustiveWorld } from "../../support/exhaustive-world.ts";

interface Figures {
  states: number;
  edges: number;
  refused: number;
  /** "state trigger" of every stage change there was. */
  readonly cells: Set<string>;
}

async function worldAt(devices: number, script: readonly Verb[]): Promise<ExhaustiveWorld> {
  const world = new ExhaustiveWorld(devices);
  for (const verb of script) {
    world.renewAll();
    await verb.run(world);
  }
  world.renewAll();
  return world;
}

/** Tries one verb and judges what came of it. True: refused. */
async function edge(world: ExhaustiveWorld, verb: Verb, cells: Set<string>): Promise<boolean> {
  const facts = world.facts();
  const before = { picture: world.picture(), generation: world.generation(), events: world.host.events.length };
  const calls = world.failures.calls.length;
  const refused = await refusedBy(world, verb);
  const where = `${verb.name} in ${JSON.stringify(facts)}`;
  expect([where, refused ? "refused" : "accepted"]).toEqual([where, verb.mayPass(facts) ? "accepted" : "refused"]);
  expect([where, ...world.complaints()]).toEqual([where]);
  const changes = world.host.events.slice(before.events).filter((event) => event.type === "stageChanged");
  if (refused) {
    expect([where, world.picture(), changes]).toEqual([where, before.picture, []]);
    expect([where, ...world.failures.calls.slice(calls)]).toEqual([where]);
    return true;
  }
  let [state, generation] = [facts.state, before.generation ?? 0];
  for (const { from, generation: counted, to, trigger } of changes) {
    const row: Partial<Record<string, string>> = TRANSITIONS[from];
    expect([where, from, row[trigger], counted]).toEqual([where, state, to, generation + 1]);
    expect([where, verb.triggers]).toEqual([where, expect.arrayContaining([trigger])]);
    cells.add(`${from} ${trigger}`);
    [state, generation] = [to, counted];
  }
  const after = world.generation();
  if (after === undefined || before.generation === undefined) return false; // the group went, or came
  expect([where, world.facts().state, after]).toEqual([where, state, generation]);
  return false;
}

async function refusedBy(world: ExhaustiveWorld, verb: Verb): Promise<boolean> {
  try {
    await verb.run(world);
    return false;
  } catch (error) {
    if (error instanceof BrokerError && error.code !== "backend_failed") return true;
    throw error;
  }
}

async function explore(devices: number, names: readonly number[]): Promise<Figures> {
  const verbs = verbsFor(devices, names);
  const figures: Figures = { states: 0, edges: 0, refused: 0, cells: new Set() };
  const keyOf = (world: ExhaustiveWorld): string => JSON.stringify(world.facts());
  const start = await worldAt(devices, []);
  const known = new Set([keyOf(start)]);
  const waiting: { readonly key: string; readonly script: readonly Verb[] }[] = [{ key: keyOf(start), script: [] }];
  for (const { key, script } of waiting) {
    let world = await worldAt(devices, script);
    for (const verb of verbs) {
      figures.edges += 1;
      if (await edge(world, verb, figures.cells)) {
        figures.refused += 1;
        continue;
      }
      const reached = keyOf(world);
      if (!known.has(reached)) {
        known.add(reached);
        waiting.push({ key: reached, script: [...script, verb] });
      }
      if (reached === key) world.renewAll();
      else world = await worldAt(devices, script);
    }
  }
  figures.states = known.size;
  process.stdout.write(
    `two clients, a group of ${devices}: ${figures.states} states, ${figures.edges} edges, ${figures.refused} refused\n`,
  );
  return figures;
}

/** Every cell but those of a group that nobody owns: nothing is released or lost there. */
const REACHABLE = Object.entries(TRANSITIONS).flatMap(([state, row]) =>
  Object.keys(row)
    .filter((trigger) => state !== "default-domain" || trigger.startsWith("attach") || trigger === "vend")
    .filter((trigger) => state !== "quarantined" && trigger !== "quarantine") // here every device comes out of its reset
    .map((trigger) => `${state} ${trigger}`),
);
/**
 * An abort is not aborted again, and bypass is not unbound: both are done already. What is vended is not the broker's to
 * abort, and what is releasing has no owner to be lost.
 */
const NEVER = new Set(["guest-abort ownerLost", "nest-parent unbind", "vended ownerLost", "releasing ownerLost"]);

describe("every state of two clients and one group, every verb of every caller", () => {
  test("a device alone: refusals change nothing, what is accepted follows the table", async () => {
    const { cells, states } = await explore(1, [1, 2]);
    expect([...cells].sort()).toEqual(REACHABLE.filter((cell) => !NEVER.has(cell)).sort());
    expect(states).toBeGreaterThan(100);
  }, 300_000);

  test("two devices in one group: one owner, one stage, no guest tables", async () => {
    const { cells, states } = await explore(2, [1]);
    expect([...cells].filter((cell) => cell.includes("guest-nested"))).not.toEqual([]);
    expect(states).toBeGreaterThan(200);
  }, 300_000);
});
