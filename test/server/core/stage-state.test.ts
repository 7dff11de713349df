import { describe, expect, test } from "vitest";
import {
  bindTrigger,
  next,
  STAGE_STATES,
  STAGE_TRIGGERS,
  type StageState,
  type StageTrigger,
  TRANSITIONS,
} from "../../../src/server/core/stage-state.ts";
import { refusal } from "../../support/host.ts";

// The thread of 2018 and HOUSE's table, written out again: rows are states, columns triggers, "-" is refused.
// A quarantined group has lost its owner already: losing it again changes nothing.
//                      attach         attachAborted  bindBypass     bindAbort      bindTranslate  unbind         release           ownerLost      quarantine
const TABLE = `
  default-domain        nest-parent    guest-abort    -              -              -              -              default-domain    default-domain -
  nest-parent           -              -              nest-parent    guest-abort    guest-nested   nest-parent    default-domain    guest-abort    quarantined
  guest-abort           -              -              nest-parent    guest-abort    guest-nested   nest-parent    default-domain    guest-abort    quarantined
  guest-nested          -              -              nest-parent    guest-abort    guest-nested   nest-parent    default-domain    guest-abort    quarantined
  quarantined           -              -              -              -              -              -              default-domain    quarantined    -
`;
const COLUMNS: readonly StageTrigger[] = [
  "attach",
  "attachAborted",
  "bindBypass",
  "bindAbort",
  "bindTranslate",
  "unbind",
  "release",
  "ownerLost",
  "quarantine",
];
const ROWS = TABLE.trim()
  .split("\n")
  .map((line) => line.trim().split(/\s+/));

describe("every state and every trigger", () => {
  test("the table of this test has a row for each state and a column for each trigger, and no other", () => {
    expect(ROWS.map(([state]) => state)).toEqual([...STAGE_STATES]);
    expect(COLUMNS).toEqual([...STAGE_TRIGGERS]);
    expect(Object.keys(TRANSITIONS)).toEqual([...STAGE_STATES]);
  });

  for (const [state, ...cells] of ROWS) {
    for (const [column, expected] of cells.entries()) {
      const trigger = COLUMNS[column]!;
      const from = STAGE_STATES.find((one) => one === state)!;
      if (expected === "-") {
        test(`${trigger} is refused in ${state}, and the error says state, trigger and what to do`, async () => {
          const error = await refusal(() => next(from, trigger));
          expect(error.code).toBe("transition_illegal");
          expect(error.facts).toEqual({ state: from, trigger });
          expect(error.message).toMatch(
            from === "default-domain"
              ? /attach the device first/
              : from === "quarantined"
                ? /an administrator must release it/
                : /detach the device first/,
          );
        });
      } else {
        test(`${trigger} leads from ${state} to ${expected}`, () => {
          expect(next(from, trigger)).toBe(expected);
        });
      }
    }
  }
});

describe("failing closed", () => {
  test("a lost owner is a legal trigger in every state, and never lets a guest's table stand", () => {
    for (const state of STAGE_STATES) {
      const to: StageState = next(state, "ownerLost");
      expect(["default-domain", "guest-abort", "quarantined"], state).toContain(to);
    }
  });

  test("release leads to the default domain from everywhere", () => {
    expect(STAGE_STATES.map((state) => next(state, "release"))).toEqual(STAGE_STATES.map(() => "default-domain"));
  });
});

test("what a guest's STE asks for is the trigger of the same name", () => {
  expect((["abort", "bypass", "translate"] as const).map(bindTrigger)).toEqual([
    "bindAbort",
    "bindBypass",
    "bindTranslate",
  ]);
});
