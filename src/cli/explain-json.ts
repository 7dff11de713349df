// An explanation as JSON, in the forms of protobuf's JSON mapping: lower camel case, 64-bit values as decimal strings,
// enums by name. Absent fields are left out.

import { type Explanation, FaultClass, FaultStage, TransactionOutcome } from "../client/client.ts";

/** The document, with a line break at its end. */
export function explanationJson(answer: Explanation): string {
  const { end } = answer;
  const fault = end?.fault && {
    ...end.fault,
    stage: FaultStage[end.fault.stage],
    class: FaultClass[end.fault.class],
  };
  const named = { ...answer, end: end && { ...end, outcome: TransactionOutcome[end.outcome], fault } };
  return `${withoutControls(JSON.stringify(named, decimal, 2))}\n`;
}

/** For JSON.stringify: 64-bit values as protobuf's JSON mapping has them. */
export function decimal(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** JSON.stringify leaves the controls above 0x7f and the bidirectional overrides as they are. */
export function withoutControls(json: string): string {
  return json.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character === "\n"
      ? character
      : [...Array(character.length).keys()]
          .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
          .join(""),
  );
}
