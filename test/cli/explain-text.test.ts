import { describe, expect, test } from "vitest";
import { explanationText } from "../../src/cli/explain-text.ts";
import { type Explanation, FaultClass, FaultStage, TransactionOutcome } from "../../src/client/client.ts";

type Step = Explanation["steps"][number];
type End = NonNullable<Explanation["end"]>;

const STEP: Step = {
  structure: "CD",
  ipa: 0x4000_0000n,
  raw: [0x8000_0000n, 0n, 5n, 0n],
  fields: [
    { name: "V", value: 1n },
    { name: "ASID", value: 0x1_2345n },
    { name: "WXN", value: 0n },
  ],
  decision: "SubstreamID 0 has its translation here",
  section: "§5.4",
};
const NOTE: Step = {
  structure: "a step of tomorrow",
  raw: [],
  fields: [],
  decision: "the next table is at 0x40001000",
  section: "§3.4, DDI 0487 D8.3",
};
const END: End = {
  outcome: TransactionOutcome.TRANSACTION_OUTCOME_OK,
  bypass: false,
  ipa: 0x4018_0123n,
  pageBytes: 4096n,
  recorded: false,
  notCovered: "",
};
const ANSWER: Explanation = {
  device: "devices/0000:01:00.0",
  virtualStreamId: 0x42,
  steps: [STEP, NOTE],
  end: END,
  writes: [],
};
const ASKED = { iova: 0xffff_ffff_ffff_ffffn, access: "read" };
const PIPE = { columns: undefined, hasColour: false };

test("a step is a line in columns, with its value and the fields that are not 0 beneath it", () => {
  expect(explanationText(ANSWER, ASKED, PIPE)).toBe(
    [
      "devices/0000:01:00.0, read of 0xffff_ffff_ffff_ffff, virtual StreamID 0x42",
      "",
      " 1  CD                  IPA 0x4000_0000  SubstreamID 0 has its translation here  §5.4",
      "    0x0000_0000_8000_0000 0x0000_0000_0000_0000 0x0000_0000_0000_0005",
      "    V=1 ASID=0x1_2345",
      " 2  a step of tomorrow                   the next table is at 0x4000_1000  §3.4, DDI 0487 D8.3",
      " =  translates to IPA 0x4018_0123, in a page or block of 4 KiB",
      "From the tables as they are now; a cache may still hold older ones.",
      "",
    ].join("\n"),
  );
});

test.each([40, 60, 80, 120])("in %d columns no line is longer, and no word is lost", (columns) => {
  const words = (text: string): string[] => text.split(/\s+/);
  const narrow = explanationText(ANSWER, ASKED, { columns, hasColour: false });
  const longest = Math.max(...narrow.split("\n").map((line) => line.length));
  expect(longest).toBeLessThanOrEqual(columns);
  expect(words(narrow).sort()).toEqual(words(explanationText(ANSWER, ASKED, PIPE)).sort());
});

test("the title tells what was asked", () => {
  const [title] = explanationText(
    { device: ANSWER.device, steps: [], end: END, writes: [] },
    { iova: 0x1000n, access: "write", privileged: true, substream: 3 },
    PIPE,
  ).split("\n");
  expect(title).toBe("devices/0000:01:00.0, privileged write of 0x1000, SubstreamID 3, no virtual StreamID");
});

describe("the end", () => {
  const FAULT: NonNullable<End["fault"]> = {
    type: "F_TRANSLATION",
    typeNumber: 0x10,
    stage: FaultStage.FAULT_STAGE_2,
    class: FaultClass.FAULT_CLASS_TTD,
    inputAddress: 0n,
    ipa: 0x7000_0000n,
    read: true,
    instruction: false,
    privileged: false,
  };
  const BARE = {
    ...{ type: "C_BAD_CD", typeNumber: 0xa },
    ...{ stage: FaultStage.FAULT_STAGE_UNSPECIFIED, class: FaultClass.FAULT_CLASS_UNSPECIFIED },
  };
  const { TRANSACTION_OUTCOME_ABORT, TRANSACTION_OUTCOME_RAZ_WI, TRANSACTION_OUTCOME_STALLED } = TransactionOutcome;

  test.each<[Partial<End>, string]>([
    [
      { outcome: TRANSACTION_OUTCOME_ABORT, fault: FAULT, recorded: true },
      "F_TRANSLATION, stage 2, class TTD, IPA 0x7000_0000: terminated with an abort, an event is recorded",
    ],
    [
      { outcome: TRANSACTION_OUTCOME_RAZ_WI, fault: BARE },
      "C_BAD_CD: terminated: reads are zero, writes ignored, no event is recorded",
    ],
    [
      {
        outcome: TRANSACTION_OUTCOME_STALLED,
        fault: { ...BARE, fetchAddress: 0x4000_0000n },
        recorded: true,
      },
      "C_BAD_CD, fetch of 0x4000_0000: stalled until the host resumes it, an event is recorded",
    ],
    [{ outcome: TRANSACTION_OUTCOME_ABORT }, "terminated with an abort, no event is recorded"],
    [
      { outcome: TransactionOutcome.TRANSACTION_OUTCOME_UNSPECIFIED, notCovered: "VMSAv8-32 stage 1" },
      "not covered: VMSAv8-32 stage 1",
    ],
    [{ bypass: true, ipa: 0x1000n, pageBytes: 0n }, "passes untranslated, IPA 0x1000"],
    [{ pa: 0x10_0000_0123n }, "translates to IPA 0x4018_0123, PA 0x10_0000_0123, in a page or block of 4 KiB"],
  ])("%#", (end, line) => {
    const text = explanationText({ ...ANSWER, end: { ...END, ...end } }, ASKED, PIPE);
    expect(text).toContain(`\n =  ${line}\n`);
  });

  test("comes after what the hardware would write", () => {
    const writes = [{ ipa: 0x4000_3028n, value: 0x40n }];
    expect(explanationText({ ...ANSWER, writes }, ASKED, PIPE)).toMatch(
      /\n \+ {2}the hardware would write 0x0000_0000_0000_0040 to IPA 0x4000_3028\n = /,
    );
  });
});

test("a structure that has both addresses shows both", () => {
  const steps = [{ ...STEP, pa: 0x10_0000_0000n }];
  expect(explanationText({ ...ANSWER, steps }, ASKED, PIPE)).toContain("    PA 0x10_0000_0000\n");
});

test("colours change no character, and are there only on a terminal", () => {
  const plain = explanationText(ANSWER, ASKED, { columns: 80, hasColour: false });
  const coloured = explanationText(ANSWER, ASKED, { columns: 80, hasColour: true });
  const [ESC] = "\u001b";
  expect(plain).not.toContain(ESC);
  expect(coloured).toContain(`${ESC}[32m =  translates`);
  expect(coloured.replaceAll(new RegExp(`${ESC}\\[\\d+m`, "g"), "")).toBe(plain);
});

test("nothing that a broker sends reaches the terminal unescaped", () => {
  const evil = "\u001b]0;owned\u0007\u202e\n";
  const step = { ...STEP, structure: evil, decision: evil, section: evil, fields: [{ name: evil, value: 1n }] };
  const fault = { type: evil, typeNumber: 0, stage: 0, class: 0 } as const;
  const ends = [
    { ...END, notCovered: evil },
    { ...END, outcome: TransactionOutcome.TRANSACTION_OUTCOME_ABORT, fault },
  ];
  for (const end of ends) {
    const text = explanationText({ ...ANSWER, device: evil, steps: [step], end }, ASKED, PIPE);
    expect(text.match(/[\p{C}]/gu)?.filter((character) => character !== "\n") ?? []).toEqual([]);
    expect(text.split("\n")).toHaveLength(8);
  }
});
