// What may happen in a step of the simulation, as fast-check draws it. perform.ts does it.

import fc from "fast-check";
import { FAILING_VERBS, PAGES, POOL } from "./pool.ts";

const slot = fc.nat({ max: 2 });
const device = fc.nat({ max: POOL.length - 1 });
const page = fc.nat({ max: PAGES - 1 });
const stage = fc.constantFrom("bypass" as const, "abort" as const);
const kind = <K extends string>(name: K) => fc.constant(name);
const few = (max: number) => fc.option(fc.nat({ max }), { nil: undefined });
const rarely = (max: number) => fc.option(fc.nat({ max }), { nil: undefined, freq: 1 });

/** What the policy says of one slot's uid. */
const STANDING = fc.record({
  isAllowed: fc.integer({ min: 0, max: 5 }).map((draw) => draw > 0),
  sessions: rarely(2),
  devices: rarely(3),
  pages: rarely(PAGES),
  priority: fc.integer({ min: -1, max: 1 }),
  mayPreempt: fc.boolean(),
});
export type Standing = typeof STANDING extends fc.Arbitrary<infer T> ? T : never;

const LIFE = [
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind("open"),
      slot,
      eager: fc.boolean(),
      graceMs: fc.constantFrom(0, 700),
      hangsOnProcess: fc.integer({ min: 0, max: 2 }).map((draw) => draw > 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("close"), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("crash"), slot }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("renew"), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("resume"), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("claim"), slot, by: slot }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("advance"), ms: fc.nat({ max: 600 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("reap") }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("jump") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind("die"),
      turns: fc.nat({ max: 30 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      tail: fc.constantFrom("nothing" as const, "zeroes" as const, "rubbish" as const),
    }),
  },
];

const ARBITRATION = [
  { weight: 8, arbitrary: fc.record({ kind: kind("attach"), slot, device, stage }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: kind("wait"),
      slot,
      device,
      stage,
      waitMs: fc.integer({ min: 1, max: 5000 }),
      preempt: fc.boolean(),
      /** Of the call; undefined: none. */
      deadlineMs: rarely(3000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("cancel"), slot }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("rush"), device }) },
  { weight: 5, arbitrary: fc.record({ kind: kind("detach"), slot, device }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("policy"), standings: fc.tuple(STANDING, STANDING, STANDING) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("revoke"), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("force"), device }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("plug"), slot, device }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("unplug"), slot, device }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind("wear"),
      device,
      reset: fc.constantFrom("done" as const, "failed" as const, "absent" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind("reset"), slot, device }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("unquarantine"), device }) },
];

const TRANSLATION = [
  { weight: 3, arbitrary: fc.record({ kind: kind("map"), slot, page }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("unmap"), slot, page }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind("bind"),
      slot,
      device,
      to: fc.constantFrom("abort" as const, "bypass" as const, "translate" as const, "elsewhere" as const),
      name: few(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("unbind"), slot, device }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("mode"), slot, stage }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("invalidate"), slot }) },
  { weight: 6, arbitrary: fc.record({ kind: kind("dma"), slot, device, pages: fc.array(page, { maxLength: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("dmaBeside"), slot, device }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("drain"), slot }) },
  { weight: 2, arbitrary: fc.record({ kind: kind("fail"), verb: fc.constantFrom(...FAILING_VERBS) }) },
];

const pick = fc.nat({ max: 20 });

/** Most fetch at once what they asked for. */
const fetches = fc.integer({ min: 0, max: 3 }).map((draw) => draw > 0);

const DESCRIPTORS = [
  { weight: 8, arbitrary: fc.record({ kind: kind("handOut"), slot, device, fetches }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("vend"), slot, device, fetches }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("redeem"), slot, pick }) },
  { weight: 3, arbitrary: fc.record({ kind: kind("share"), pick }) },
  { weight: 4, arbitrary: fc.record({ kind: kind("closeCopies"), pick, all: fc.boolean() }) },
];

export const COMMAND = fc.oneof(...LIFE, ...ARBITRATION, ...TRANSLATION, ...DESCRIPTORS);
export type Command = typeof COMMAND extends fc.Arbitrary<infer T> ? T : never;

/** A script: in each step one to three commands at once. */
export function scripts(stepsMax: number) {
  const together = fc.array(COMMAND, { minLength: 1, maxLength: 3 });
  return fc.array(together, { minLength: 1, maxLength: stepsMax, size: "max" });
}
