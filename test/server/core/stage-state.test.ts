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
// A vended group is its holder's: whoever loses it, it is free only through releasing.
//              attach         attachAborted  bindBypass     bindAbort      bindTranslate  unbind         release        ownerLost      quarantine     vend           withhold
const TABLE = `
  default-domain nest-parent    guest-abort    -              -              -              -              default-domain default-domain -              vended         -
  nest-parent    -              -              nest-parent    guest-abort    guest-nested   nest-parent    default-domain guest-abort    quarantined    -              releasing
  guest-abort    -              -              nest-parent    guest-abort    guest-nested   nest-parent    default-domain guest-abort    quarantined    -              releasing
  guest-nested   -              -              nest-parent    guest-abort    guest-nested   nest-parent    default-domain guest-abort    quarantined    -              releasing
  quarantined    -              -              -              -              -              -              default-domain quarantined    -              -              -
  vended         -              -              -              -              -              -              -              vended         -              -              releasing
  releasing      -              -              -              -              -              -              default-domain releasing      quarantined    -              -
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
  "vend",
  "withhold",
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
                : from === "releasing"
                  ? /every copy of its descriptors must be closed/
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

/** States whose stages are the broker's to set. */
const OURS = STAGE_STATES.filter((state) => state !== "vended");

describe("failing closed", () => {
  test("a lost owner is a legal trigger in every state, and never lets a guest's table stand", () => {
    for (const state of OURS) {
      const to: StageState = next(state, "ownerLost");
      expect(["default-domain", "guest-abort", "quarantined", "releasing"], state).toContain(to);
    }
  });

  test("release leads to the default domain from everywhere", () => {
    expect(OURS.map((state) => next(state, "release"))).toEqual(OURS.map(() => "default-domain"));
  });

  test("what others may hold descriptors of is nobody's before it was withheld, whatever the broker's own stage", () => {
    const held = ["nest-parent", "guest-abort", "guest-nested", "vended"] as const;
    expect(held.map((state) => next(state, "withhold"))).toEqual(held.map(() => "releasing"));
  });
});

test("what a guest's STE asks for is the trigger of the same name", () => {
  expect((["abort", "bypass", "translate"] as const).map(bindTrigger)).toEqual([
    "bindAbort",
    "bindBypass",
    "bindTranslate",
  ]);
});
