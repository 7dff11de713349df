// Scripts of whatever clients, an operator and the broker may do and however they end, at random, seed after seed for as
// long as there is time; what must hold is checked after every step. A failure prints its seed and path, which
// `npm run sim -- --seed N --path P` repeats.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Command, scripts } from "./commands.ts";
import { checkEnd, checkInvariants } from "./invariants.ts";
import { perform } from "./perform.ts";
import { Reached } from "./reached.ts";
import { World } from "./world.ts";

const SECONDS = Number(process.env.IOMMU_BROKER_SIM_SECONDS ?? 60);
const STEPS = Number(process.env.IOMMU_BROKER_SIM_STEPS ?? 60);
/** fast-check prints it with a failure: straight to the smallest script. */
const PATH = process.env.IOMMU_BROKER_SIM_PATH ?? "";
/** This one alone; absent: 1, 2, 3… */
const SEED = process.env.IOMMU_BROKER_SIM_SEED;
const FIRST_SEED = Number(process.env.IOMMU_BROKER_SIM_FIRST_SEED ?? 1);
const SCRIPTS_PER_SEED = 25;
const SHRINKING_MS = 60_000;

interface Figures {
  scripts: number;
  steps: number;
  deaths: number;
  readonly reached: Reached;
}

async function runScript(script: readonly (readonly Command[])[], figures: Figures): Promise<void> {
  figures.scripts += 1;
  const world = new World(figures.reached);
  try {
    await runIn(world, script, figures);
  } finally {
    world.close();
  }
}

async function runIn(world: World, script: readonly (readonly Command[])[], figures: Figures): Promise<void> {
  await world.start();
  const how = { graceMs: 0, hangsOnProcess: true };
  await Promise.all([world.open(0, { ...how, eager: true }), world.open(1, { ...how, eager: false })]);
  for (const together of script) {
    world.step += 1;
    await Promise.all(together.map((command) => perform(world, command)));
    if (together.some((command) => command.kind === "die")) {
      await world.restart();
      figures.deaths += 1;
    }
    await world.settle();
    await checkInvariants(world);
    figures.steps += 1;
  }
  await checkEnd(world);
}

/** Scripts until `endMs`; one that fails has a while more to become small. */
async function runSeed(seed: number, endMs: number, figures: Figures): Promise<void> {
  let lastMs = endMs;
  const property = fc.asyncProperty(scripts(STEPS), async (script) => {
    if (Date.now() >= lastMs) return;
    try {
      await runScript(script, figures);
    } catch (error) {
      if (lastMs === endMs) {
        process.stdout.write(
          `simulation: found after ${figures.scripts} scripts, ${figures.steps} steps; it becomes small\n`,
        );
      }
      lastMs = endMs + SHRINKING_MS;
      throw error;
    }
  });
  const numRuns = SEED === undefined ? SCRIPTS_PER_SEED : 2 ** 31 - 1;
  // not before the first script of a seed, which fast-check takes for a failure
  const interruptAfterTimeLimit = endMs - Date.now() + (SEED === undefined ? SHRINKING_MS : 0);
  try {
    await fc.assert(property, { seed, path: PATH, numRuns, interruptAfterTimeLimit, markInterruptAsFailure: false });
  } catch (error) {
    const path = error instanceof Error ? (/path: "([^"]*)"/.exec(error.message)?.[1] ?? "") : "";
    process.stdout.write(`simulation: again by npm run sim -- --seed ${seed} --steps ${STEPS} --path ${path}\n`);
    throw error;
  }
}

test(
  "whatever clients, an operator and the broker do and however they end, every invariant holds after every step",
  async () => {
    const figures: Figures = { scripts: 0, steps: 0, deaths: 0, reached: new Reached() };
    const first = SEED === undefined ? FIRST_SEED : Number(SEED);
    const end = Date.now() + SECONDS * 1000;
    let seed = first;
    try {
      for (; Date.now() < end; seed += 1) {
        await runSeed(seed, end, figures);
        if (SEED !== undefined) break;
      }
    } finally {
      const seeds = SEED === undefined ? `seeds ${first} to ${seed - 1}` : `seed ${first}`;
      const { deaths, reached, scripts: count, steps } = figures;
      process.stdout.write(
        `simulation: ${seeds}: ${count} scripts, ${steps} steps, ${deaths} deaths of the broker, in ${SECONDS} s\n` +
          `simulation: reached: ${reached}\n`,
      );
    }
    expect(figures.steps).toBeGreaterThan(0);
  },
  SECONDS * 1000 + 120_000,
);
