// What a fault does: terminate, stall, record; and where addresses are too large.

import { mutantsOf, type Row } from "./mutant.ts";

const TRANSLATE = "src/backends/smmuv3/translate.ts";
const RESPOND = {
  file: "src/backends/smmuv3/respond.ts",
  tests: ["test/backends/smmuv3/respond.test.ts", "test/judge/stalls.test.ts"],
};
const STALL = {
  file: "src/backends/smmuv3/stall.ts",
  tests: ["test/backends/smmuv3/stall.test.ts", "test/judge/stalls.test.ts"],
};
const COMMANDS = {
  file: "src/backends/smmuv3/command-queue.ts",
  tests: ["test/judge/stalls.test.ts", "test/judge/command-errors.test.ts"],
};

/** Where a stall finds no room, the flag decides. */
const RESPOND_TESTS = { tests: RESPOND.tests };

/** A, R, S, S2R, S2S and stalls. Source: IHI 0070G.b §5.5, §3.12.2, §4.7.1, §7.2.1. */
export const FAULT_RESPONSES = mutantsOf(
  {
    section: "5",
    about: "what a fault does (IHI 0070G.b §5.5, §3.12)",
    file: TRANSLATE,
    tests: ["test/backends/smmuv3/translate.test.ts", "test/judge/stalls.test.ts"],
  },
  [
    ["S=0 R=0 A=0: RAZ/WI, no event", "record: R === 1 };", "record: true };"],
    ["S=0 R=1 A=0: RAZ/WI, not abort", 'A === 1 ? "abort" : "raz-wi"', '"abort"'],
    ["S=0 R=0 A=1: abort, no event", "record: R === 1 };", "record: R === 1 || A === 1 };"],
    ["S=0 R=1 A=1: abort, not RAZ/WI", 'A === 1 ? "abort" : "raz-wi"', '"raz-wi"'],
    ["S=0 R=1: an event", "record: R === 1 };", "record: false };"],
    ["S=1: stall", "if (S === 1) return this.#stall(tx, found, access);", ""],
    [
      "S=1: recorded whatever R says",
      'response: "stall", record: true',
      'response: "stall", record: false',
      RESPOND_TESTS,
    ],
    ["A, R, S bend F_TRANSLATION", 'found.type === "F_TRANSLATION" ||', ""],
    ["A, R, S bend F_ADDR_SIZE", 'found.type === "F_ADDR_SIZE" ||', ""],
    ["A, R, S bend F_ACCESS", 'found.type === "F_ACCESS" ||', "", { tests: ["test/golden/golden.test.ts"] }],
    ["A, R, S bend F_PERMISSION", ' ||\n      found.type === "F_PERMISSION";', ";"],
    [
      "everything else aborts and is recorded",
      "if (!isTranslationRelated) return this.#terminate(tx, found, access, true);",
      "",
    ],
    ["stage 2: S2S stalls", "if (stream.stage2?.stall === true) return this.#stall(tx, found, access);", ""],
    [
      "stage 2: S2R records",
      "return this.#terminate(tx, found, access, stream.stage2?.record === true);",
      "return this.#terminate(tx, found, access, true);",
    ],
    ["stage 2: without S2R no event, with it one", "stream.stage2?.record === true", "stream.stage2?.record !== true"],
    [
      "stage 2: a fault of a CD or table fetch follows S2R and S2S",
      "if (found.stage === 2) {",
      'if (found.stage === 2 && found.class === "IN") {',
    ],
    [
      "stage 2: it follows S2R and S2S, not the CD",
      "if (found.stage === 2) {",
      "if (found.stage === 2 && context === undefined) {",
    ],
    ["a stalled transaction is held", 'if (response === "stall" && this.#stalls.hasRoom()) {', "if (false) {", RESPOND],
    [
      "STALL_MAX bounds the stalls",
      "return this.#held.size < this.#max;",
      "return this.#held.size <= this.#max;",
      STALL,
    ],
    [
      "without room the transaction aborts",
      'kind: response === "stall" ? "abort" : response',
      'kind: response === "stall" ? "raz-wi" : response',
      RESPOND,
    ],
    [
      "each stall has a STAG of its own",
      "while (this.#held.has(this.#nextTag)) this.#nextTag = (this.#nextTag + 1) % STAG_COUNT;",
      "",
      STALL,
    ],
    ["a stall record is never lost: it waits", "this.#stalls.setUnrecorded(stag);", "{}", RESPOND],
    [
      "a waiting stall record is written once there is room",
      "this.#events.recordStall(encodeEvent(verdict.fault, stag));\n        continue;",
      "continue;",
      RESPOND,
    ],
    [
      "a waiting stall is tried again",
      'if (verdict.kind === "fault" && verdict.response === "stall") {',
      'if (verdict.kind === "fault") {',
      RESPOND,
    ],
    [
      "a waiting stall that no longer faults goes on",
      "this.#stalls.release(transaction.streamID, stag);\n      this.#stalls.answer",
      "this.#stalls.release(transaction.streamID, stag);\n      if (false) this.#stalls.answer",
      RESPOND,
    ],
    [
      "waiting stalls are written oldest first",
      "for (const stag of this.#unrecorded) {",
      "for (const stag of [...this.#unrecorded].reverse()) {",
      STALL,
    ],
    [
      "a stall is never merged",
      "if (!this.#events.recordStall(encodeEvent(fault, stag)))",
      "if (!this.#events.record(encodeEvent(fault, stag), true))",
      RESPOND,
    ],
    [
      "the record says the STAG",
      "recordStall(encodeEvent(fault, stag))) this",
      "recordStall(encodeEvent(fault))) this",
      RESPOND,
    ],
    ["RESUME: Ac=1 retries", 'CMD_RESUME.Ac) === 1 ? "retry" :', 'CMD_RESUME.Ac) === 1 ? "abort" :', COMMANDS],
    [
      "RESUME: Ab=1 aborts, Ab=0 is RAZ/WI",
      "const aborts = this.#field(CMD_RESUME.Ab) === 1 ||",
      "const aborts = this.#field(CMD_RESUME.Ab) === 0 ||",
      COMMANDS,
    ],
    [
      "RESUME: TERM_MODEL 1 always aborts",
      "CMD_RESUME.Ab) === 1 || this.#features.termModel === 1;",
      "CMD_RESUME.Ab) === 1;",
      COMMANDS,
    ],
    [
      "RESUME: an unknown STAG has no effect",
      "if (transaction === undefined) return;\n    const outcome",
      "const outcome",
      RESPOND,
    ],
    [
      "RESUME: another stream's STAG has no effect",
      "transaction === undefined || transaction.streamID !== streamID",
      "transaction === undefined",
      STALL,
    ],
    ["RESUME: a STAG is answered once", "this.#held.delete(stag);\n    this.#unrecorded", "this.#unrecorded", STALL],
    [
      "RESUME: a retry looks at the configuration again",
      "this.settle(transaction, this.#translator.translate(transaction))",
      '({ kind: "abort", fault: undefined, recorded: false })',
      RESPOND,
    ],
    [
      "RESUME and STALL_TERM are CERROR_ILL with STALL_MODEL 1",
      "if (this.#features.stallModel === STALL_MODEL.TERMINATE) return CERROR.ILL;",
      "",
      COMMANDS,
    ],
    [
      "STALL_TERM ends every stall of its stream",
      "for (const { stag, transaction } of this.#stalls.held(streamID)) this",
      "for (const { stag, transaction } of this.#stalls.held(streamID).slice(0, 1)) this",
      RESPOND,
    ],
    [
      "STALL_TERM ends no other stream's stalls",
      "streamID === undefined ? all : all.filter((each) => each.transaction.streamID === streamID)",
      "all",
      STALL,
    ],
    [
      "STALL_TERM aborts",
      'this.resume(transaction.streamID, stag, "abort")',
      'this.resume(transaction.streamID, stag, "raz-wi")',
      RESPOND,
    ],
    [
      "clearing SMMUEN terminates stalls",
      "if (wasEnabled && !switches.smmuEnabled) responder.terminateStalls();",
      "",
      {
        file: "src/backends/smmuv3/register-interface.ts",
        tests: RESPOND.tests.concat("test/judge/disabled-and-registers.test.ts"),
      },
    ],
    [
      "stall records wait while the queue is full",
      "return this.isEnabled && !isBroken && !isFull(this.#shape, this.#prod, this.#cons);",
      "return this.isEnabled && !isBroken;",
      {
        file: "src/backends/smmuv3/event-queue.ts",
        tests: ["test/backends/smmuv3/event-queue.test.ts", "test/judge/stalls.test.ts"],
      },
    ],
  ] satisfies readonly Row[],
);

/** Address sizes. Source: IHI 0070G.b §3.4. */
export const ADDRESS_SIZES = mutantsOf(
  {
    section: "5.1",
    about: "address sizes (IHI 0070G.b §3.4)",
    file: TRANSLATE,
    tests: ["test/backends/smmuv3/translate.test.ts", "test/golden/golden.test.ts"],
  },
  [
    [
      "SMMUEN=0 and above the OAS: abort",
      "switches.bypassAborts || !fitsIn(this.#hi, this.#lo, features.oasBits)",
      "switches.bypassAborts",
      { tests: ["test/backends/smmuv3/translate.test.ts", "test/judge/disabled-and-registers.test.ts"] },
    ],
    [
      "SMMUEN=0: no event",
      "!fitsIn(this.#hi, this.#lo, features.oasBits)) return SILENT_ABORT;",
      '!fitsIn(this.#hi, this.#lo, features.oasBits)) return this.#terminate(tx, { type: "F_ADDR_SIZE" }, undefined, true);',
      { tests: ["test/backends/smmuv3/translate.test.ts", "test/judge/disabled-and-registers.test.ts"] },
    ],
    ["bypass above the OAS: F_ADDR_SIZE", "if (!fitsIn(hi, lo, bits)) {", "if (false) {"],
    [
      "bypass above the OAS: stage 1, CLASS=IN",
      'type: "F_ADDR_SIZE", stage: 1, class: "IN" });',
      'type: "F_ADDR_SIZE", stage: 2, class: "IN" });',
    ],
    [
      "bypass above the OAS: recorded",
      "BYPASS_SIZE_FAULT, effectiveAccess(tx, stream.ste, features), true",
      "BYPASS_SIZE_FAULT, effectiveAccess(tx, stream.ste, features), false",
    ],
    [
      "stage 1 bypassed on stage 2: above the IAS",
      "stream.stage2 === undefined ? features.oasBits : features.iasBits",
      "stream.stage2 === undefined ? features.oasBits : 64",
    ],
    [
      "stage 2 input beyond S2T0SZ: F_TRANSLATION",
      "if (!fitsIn(hi, lo, config.format.inputBits)) return",
      "if (false) return",
      { file: "src/backends/smmuv3/stage2.ts" },
    ],
    [
      "stage 1 output is held to the effective IPS",
      "outputBits: stage1OutputBits(cd, features),",
      "outputBits: 52,",
      { file: "src/backends/smmuv3/table-format.ts" },
    ],
    [
      "stage 2 output is held to the effective S2PS",
      "outputBits: stage2OutputBits(ste, features),",
      "outputBits: 52,",
      { file: "src/backends/smmuv3/table-format.ts" },
    ],
    [
      "stage 1 input: VA[55] selects the table",
      "context.halves[(hi >>> 23) & 1]",
      "context.halves[(hi >>> 31) & 1]",
      { file: "src/backends/smmuv3/stage1.ts" },
    ],
    [
      "stage 1 input: the upper bits equal VA[55]",
      "hasTwoHalves && ((hi >>> 23) & 1) === 1 ? -1 : 0",
      "0",
      { file: "src/backends/smmuv3/stage1.ts" },
    ],
    [
      "stage 1 input: TBI leaves the top byte out",
      "half.tbi ? (hi << 8) >> 8 : hi | 0",
      "hi | 0",
      { file: "src/backends/smmuv3/stage1.ts" },
    ],
    [
      "stage 1 input: without TBI the top byte counts",
      "half.tbi ? (hi << 8) >> 8 : hi | 0",
      "(hi << 8) >> 8",
      { file: "src/backends/smmuv3/stage1.ts" },
    ],
  ],
);
