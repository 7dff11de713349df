import { expect, test } from "vitest";
import { explanationJson } from "../../src/cli/explain-json.ts";
import { type Explanation, FaultClass, FaultStage, TransactionOutcome } from "../../src/client/client.ts";

const EVIL = 'quote " bell \u0007 c1 \u009b bidi \u202e plane \u{e0001} end';
const ANSWER: Explanation = {
  device: EVIL,
  virtualStreamId: 7,
  steps: [
    {
      structure: "CD",
      ipa: 2n ** 52n - 64n,
      raw: [2n ** 64n - 1n],
      fields: [{ name: "V", value: 1n }],
      decision: "good",
      section: "§5.4",
    },
  ],
  end: {
    outcome: TransactionOutcome.TRANSACTION_OUTCOME_ABORT,
    bypass: false,
    pageBytes: 0n,
    fault: {
      type: "F_ACCESS",
      typeNumber: 18,
      stage: FaultStage.FAULT_STAGE_1,
      class: FaultClass.FAULT_CLASS_IN,
      inputAddress: 2n ** 64n - 1n,
      read: true,
      instruction: false,
      privileged: false,
    },
    recorded: true,
    notCovered: "",
  },
  writes: [],
};

test("64-bit values are exact decimal strings, enums have their names, absent fields are left out", () => {
  expect(JSON.parse(explanationJson(ANSWER))).toEqual({
    device: EVIL,
    virtualStreamId: 7,
    steps: [
      {
        structure: "CD",
        ipa: "4503599627370432",
        raw: ["18446744073709551615"],
        fields: [{ name: "V", value: "1" }],
        decision: "good",
        section: "§5.4",
      },
    ],
    end: {
      outcome: "TRANSACTION_OUTCOME_ABORT",
      bypass: false,
      pageBytes: "0",
      fault: {
        ...{ type: "F_ACCESS", typeNumber: 18, stage: "FAULT_STAGE_1", class: "FAULT_CLASS_IN" },
        ...{ inputAddress: "18446744073709551615", read: true, instruction: false, privileged: false },
      },
      recorded: true,
      notCovered: "",
    },
    writes: [],
  });
});

test("the document has no control character but its line breaks", () => {
  const controls = explanationJson(ANSWER).match(/[\p{C}\p{Zl}\p{Zp}]/gu) ?? [];
  expect(controls.filter((character) => character !== "\n")).toEqual([]);
});
