// What the fast ways restate of stage1.ts, stage2.ts and walk.ts: each comparison before an answer, each thing kept.
// A rule left out there answers wrongly only where tables are read through windows, or where a TLB is warm.
// Source: IHI 0070G.b §3.3.3, §3.17; DDI 0487 D8.

import { type Mutant, mutantsOf, type Row } from "./mutant.ts";

const SECTION = { section: "fast", tests: ["test/oracle/windowed.test.ts"] };
const NESTED_ONLY = "with stage 2 the StreamWorld is EL1, which has two halves";
const REFUSED = "reads and fetches do not ask for S2AP[1], and a write is left to the general walk either way";
const NO_KEY = "what is not valid is all zero there, and the key of a nested context is not";
const NO_TLB = "it is reached without TLBs only, which is when nothing is remembered";

/** Ends of run() and #finish(), which restate the same leaf of stage 1. */
const LEAF_TYPE = "if ((leafLo & PAGE) !== PAGE || ipaHi >>> this.#outputShift !== 0) return false;";
const LEAF_DBM = "if ((leafHi & this.#dbm) !== 0 && (leafLo & READ_ONLY) !== 0) return false;";
const GRANTED = "const granted = this.#granted[((leafLo >>> 6) & 3) | ((leafHi >>> 19) & 0xc) | (limits << 4)]!;";
const LEAF = `${LEAF_TYPE}\n    ${LEAF_DBM}\n    ${GRANTED}`;
/** The same of stage 2, which run() and #locate() restate. */
const LEAF2_TYPE = "if ((leafLo2 & PAGE) !== PAGE || paHi >>> this.#outputShift2 !== 0) return false;";
const LEAF2_DBM = "if ((leafHi2 & this.#dbm2) !== 0 && (leafLo2 & S2_WRITABLE) === 0) return false;";
const GRANTED2 = "const permissions = this.#granted2[((leafLo2 >>> 6) & 3) | ((leafHi2 >>> 19) & 0xc)]!;";

function leafRows(where: string, next: string): Row[] {
  const whole = `${LEAF}\n    ${next}`;
  const row = (rule: string, find: string, replace: string): Row => [
    `${where}: ${rule}`,
    whole,
    whole.replace(find, replace),
  ];
  return [
    row("stage 1's type is 0b11", "(leafLo & PAGE) !== PAGE", "(leafLo & PAGE & ~3) !== (PAGE & ~3)"),
    row("stage 1's Access flag", "(leafLo & PAGE) !== PAGE", "(leafLo & 3) !== 3"),
    row("stage 1's output size", " || ipaHi >>> this.#outputShift !== 0", ""),
    row("stage 1's DBM", LEAF_DBM, ""),
    row("stage 1's DBM of a page that is writable", " && (leafLo & READ_ONLY) !== 0", " && (leafLo & READ_ONLY) === 0"),
    row("limits of the Table descriptors", " | (limits << 4)", ""),
    row("stage 1's AP", "((leafLo >>> 6) & 3)", "1"),
    row("stage 1's PXN and UXN", " | ((leafHi >>> 19) & 0xc)", ""),
  ];
}

const WINDOW = "if (words[slot + PA_HI] !== window.hi || offset >= window.bytes) return false;";
const WINDOW2 = "if (words2[slot2 + PA_HI] !== window2.hi || offset2 >= window2.bytes) return false;";
const CACHED = "((words[slot + LO]! & ~GLOBAL) ^ ((lo & (-1 << TABLE_SPAN_BITS)) | (this.#key << 2) | VALID)) |";
const CACHED_TAG = "(words[slot + HI]! ^ hi) |\n      (words[slot + TAG]! ^ this.#tag);";
const CACHED2 = "((words2[slot2 + LO]! & ~GLOBAL) ^ ((leafLo & (-1 << TABLE_SPAN_BITS)) | VALID)) |";
const ENDS = "if ((permissions & need) === 0) return false;\n    this.#counters.transTableWalkAccess += 2;";
const STEP2 =
  "tableHi = memory[(offset >>> 2) + 1]! & 0xffff;\n        if ((word & 3) !== 3 || tableHi >>> this.#outputShift2 !== 0) return false;";
const STEP2_WINDOW = "if (tableHi !== window.hi || offset >= window.bytes) return false;\n        const word";
const LEAF2_WINDOW = "if (tableHi !== window.hi || offset >= window.bytes) return false;\n    const leafLo";
const LOCATE_TYPE = "if ((leafLo & PAGE) !== PAGE || paHi >>> this.#outputShift2 !== 0) return false;";
const LOCATE_DBM = "if ((leafHi & this.#dbm2) !== 0 && (leafLo & S2_WRITABLE) === 0) return false;";
const LOCATE_GRANTED = "const permissions = this.#granted2[((leafLo >>> 6) & 3) | ((leafHi >>> 19) & 0xc)]!;";
const LOCATE_NEED = "if ((permissions & need) === 0) return false;\n    this.#counters.transTableWalkAccess += reads;";
const STEP = "if ((word & 3) !== 3 || tableHi >>> this.#outputShift !== 0) return false;\n      limits";
const STEP_WINDOW = "if (this.#paHi !== window.hi || offset >= window.bytes) return false;";
const HIT2_HI = "(words[slot + HI]! ^ hi) |\n        (words[slot + TAG]! ^ this.#tag2);\n      if";
const KNOWN_HI = "(words[slot + HI]! ^ hi) |\n        (words[slot + TAG]! ^ this.#tag2);\n      isKnown";
const BEGINNING = "if ((granted & need) === 0 || ipaHi >>> this.#inputShift2 !== 0) return false;";

const NESTED: readonly Mutant[] = mutantsOf(
  { ...SECTION, about: "pages of both stages", file: "src/backends/smmuv3/nested-walk.ts" },
  [
    ...leafRows("cached", "const words2"),
    ...leafRows("finish", "const ipaLo"),
    ["walk cache: address", CACHED, "((words[slot + LO]! & ~GLOBAL & 0x1f_ffff) ^ ((this.#key << 2) | VALID)) |"],
    [
      "walk cache: key",
      CACHED,
      "((words[slot + LO]! & ~GLOBAL & ~0xffc) ^ ((lo & (-1 << TABLE_SPAN_BITS)) | VALID)) |",
    ],
    ["walk cache: valid", CACHED, CACHED.replace("~GLOBAL)", "~GLOBAL | VALID)"), { explained: NO_KEY }],
    ["walk cache: upper half of the address", CACHED_TAG, "(words[slot + TAG]! ^ this.#tag);"],
    ["walk cache: tag", CACHED_TAG, "(words[slot + HI]! ^ hi);"],
    ["cached: upper half of the window", WINDOW, "if (offset >= window.bytes) return false;"],
    ["cached: end of the window", WINDOW, "if (words[slot + PA_HI] !== window.hi) return false;"],
    ["stage 2 walk cache: address", CACHED2, "((words2[slot2 + LO]! & ~GLOBAL & 0x1f_ffff) ^ VALID) |"],
    ["stage 2 walk cache: upper half of the address", "(words2[slot2 + HI]! ^ ipaHi) |", ""],
    [
      "stage 2 walk cache: tag",
      "(words2[slot2 + HI]! ^ ipaHi) |\n      (words2[slot2 + TAG]! ^ this.#tag2);",
      "(words2[slot2 + HI]! ^ ipaHi);",
    ],
    ["cached: stage 1's permission", BEGINNING, "if (ipaHi >>> this.#inputShift2 !== 0) return false;"],
    [
      "cached: stage 2's input size",
      BEGINNING,
      "if ((granted & need) === 0) return false;",
      { explained: "an address beyond is in no walk cache" },
    ],
    ["cached: upper half of stage 2's window", WINDOW2, "if (offset2 >= window2.bytes) return false;"],
    ["cached: end of stage 2's window", WINDOW2, "if (words2[slot2 + PA_HI] !== window2.hi) return false;"],
    [
      "cached: stage 2's type is 0b11",
      LEAF2_TYPE,
      LEAF2_TYPE.replace("(leafLo2 & PAGE) !== PAGE", "(leafLo2 & PAGE & ~3) !== (PAGE & ~3)"),
    ],
    [
      "cached: stage 2's Access flag",
      LEAF2_TYPE,
      LEAF2_TYPE.replace("(leafLo2 & PAGE) !== PAGE", "(leafLo2 & 3) !== 3"),
    ],
    ["cached: stage 2's output size", LEAF2_TYPE, LEAF2_TYPE.replace(" || paHi >>> this.#outputShift2 !== 0", "")],
    ["cached: stage 2's DBM", LEAF2_DBM, "", { explained: REFUSED }],
    ["cached: S2AP", GRANTED2, GRANTED2.replace("((leafLo2 >>> 6) & 3)", "3")],
    ["cached: stage 2's XN", GRANTED2, GRANTED2.replace(" | ((leafHi2 >>> 19) & 0xc)", "")],
    ["cached: stage 2's permission", ENDS, "this.#counters.transTableWalkAccess += 2;"],
    [
      "cached: what is remembered is what both allow",
      "if (this.#hasTlb) this.#remember(hi, lo, granted & permissions, (leafLo & NG) === 0);",
      "if (this.#hasTlb) this.#remember(hi, lo, granted, (leafLo & NG) === 0);",
      { explained: NO_TLB },
    ],
    [
      "finish: what is remembered is what both allow",
      "this.#remember(hi, lo, granted & this.#permissions, (leafLo & NG) === 0)",
      "this.#remember(hi, lo, granted, (leafLo & NG) === 0)",
    ],
    [
      "finish: nG",
      "this.#remember(hi, lo, granted & this.#permissions, (leafLo & NG) === 0)",
      "this.#remember(hi, lo, granted & this.#permissions, true)",
    ],
    [
      "finish: a global page",
      "this.#remember(hi, lo, granted & this.#permissions, (leafLo & NG) === 0)",
      "this.#remember(hi, lo, granted & this.#permissions, false)",
    ],
    [
      "finish: stage 1's permission",
      "if ((granted & need) === 0 || !this.#locate(ipaHi, ipaLo, need)) return false;",
      "if (!this.#locate(ipaHi, ipaLo, need)) return false;",
    ],
    [
      "attributes: stage 1's",
      "const own = this.#attributes[stage1AttributeIndex(this.#leafLo)]!;",
      "const own = this.#attributes[0]!;",
    ],
    [
      "attributes: stage 2's",
      "combineStages(own, this.#attributes2[stage2AttributeIndex(this.#leafLo2)]!",
      "combineStages(own, this.#attributes2[0]!",
    ],
    ["attributes: S2FWB", "(this.#leafLo2)]!, this.#fwb);", "(this.#leafLo2)]!, false);"],
    ["by levels: S2PTW", "if (this.#protectsTables || this.#hasTables", "if (this.#hasTables"],
    ["by levels: upper half of the window", STEP_WINDOW, "if (offset >= window.bytes) return false;"],
    ["by levels: end of the window", STEP_WINDOW, "if (this.#paHi !== window.hi) return false;"],
    ["by levels: type of a table", STEP, STEP.replace("(word & 3) !== 3 || ", "")],
    ["by levels: output size of a table", STEP, STEP.replace(" || tableHi >>> this.#outputShift !== 0", "")],
    ["by levels: limits", "limits |= upper;", ""],
    ["by levels: limits without HAD only", "this.#isHierarchical ? ((limits", "true ? ((limits"],
    [
      "by levels: where a table is for its parent",
      "fill.ipaHi = found[2];\n    fill.ipaLo = found[3];",
      "fill.ipaHi = found[0];\n    fill.ipaLo = found[1] & -0x1000;",
    ],
    [
      "by levels: where a table is",
      "fill.paHi = found[0];\n    fill.paLo = found[1] & -0x1000;",
      "fill.paHi = found[2];\n    fill.paLo = found[3];",
    ],
    ["by levels: limits of a table kept", "fill.permissions = limits;", "fill.permissions = 0;"],
    [
      "by levels: a table belongs to its ASID",
      "fill.isGlobal = !this.#hasTwoHalves;",
      "fill.isGlobal = false;",
      { explained: NESTED_ONLY },
    ],
    [
      "remembered: global without halves",
      "fill.isGlobal = isGlobal || !this.#hasTwoHalves;",
      "fill.isGlobal = isGlobal;",
      { explained: NESTED_ONLY },
    ],
    ["stage 2: input size", "if (hi >>> this.#inputShift2 !== 0) return false;\n    const mixed", "const mixed"],
    [
      "stage 2 TLB: address",
      "((words[slot + LO]! & ~GLOBAL) ^ ((lo & -0x1000) | VALID)) |",
      "((words[slot + LO]! & ~GLOBAL & 0xfff) ^ VALID) |",
    ],
    ["stage 2 TLB: upper half of the address", HIT2_HI, HIT2_HI.replace("(words[slot + HI]! ^ hi) |\n        ", "")],
    ["stage 2 TLB: tag", HIT2_HI, HIT2_HI.replace(" |\n        (words[slot + TAG]! ^ this.#tag2)", "")],
    ["stage 2 TLB: permission", "return (permissions & need) !== 0;", "return true;"],
    ["stage 2 TLB: attributes", "((info >>> 16) & 0x3c)", "((info >>> 16) & 0x0c)"],
    ["stage 2 TLB: shareability", "((info >>> 14) & 0x300)", "0"],
    [
      "stage 2 leaf table: address",
      "((words[slot + LO]! & ~GLOBAL) ^ ((lo & (-1 << TABLE_SPAN_BITS)) | VALID)) |",
      "((words[slot + LO]! & ~GLOBAL & 0x1f_ffff) ^ VALID) |",
    ],
    [
      "stage 2 leaf table: upper half of the address",
      KNOWN_HI,
      KNOWN_HI.replace("(words[slot + HI]! ^ hi) |\n        ", ""),
    ],
    ["stage 2 leaf table: tag", KNOWN_HI, KNOWN_HI.replace(" |\n        (words[slot + TAG]! ^ this.#tag2)", "")],
    [
      "stage 2 levels: upper half of the window",
      STEP2_WINDOW,
      "if (offset >= window.bytes) return false;\n        const word",
    ],
    ["stage 2 levels: end of the window", STEP2_WINDOW, "if (tableHi !== window.hi) return false;\n        const word"],
    ["stage 2 levels: type of a table", STEP2, STEP2.replace("(word & 3) !== 3 || ", "")],
    ["stage 2 levels: output size of a table", STEP2, STEP2.replace(" || tableHi >>> this.#outputShift2 !== 0", "")],
    [
      "stage 2 leaf: upper half of the window",
      LEAF2_WINDOW,
      "if (offset >= window.bytes) return false;\n    const leafLo",
    ],
    ["stage 2 leaf: end of the window", LEAF2_WINDOW, "if (tableHi !== window.hi) return false;\n    const leafLo"],
    [
      "stage 2 leaf: type is 0b11",
      LOCATE_TYPE,
      LOCATE_TYPE.replace("(leafLo & PAGE) !== PAGE", "(leafLo & PAGE & ~3) !== (PAGE & ~3)"),
    ],
    ["stage 2 leaf: Access flag", LOCATE_TYPE, LOCATE_TYPE.replace("(leafLo & PAGE) !== PAGE", "(leafLo & 3) !== 3")],
    ["stage 2 leaf: output size", LOCATE_TYPE, LOCATE_TYPE.replace(" || paHi >>> this.#outputShift2 !== 0", "")],
    ["stage 2 leaf: DBM", LOCATE_DBM, "", { explained: REFUSED }],
    ["stage 2 leaf: S2AP", LOCATE_GRANTED, LOCATE_GRANTED.replace("((leafLo >>> 6) & 3)", "3")],
    ["stage 2 leaf: XN", LOCATE_GRANTED, LOCATE_GRANTED.replace(" | ((leafHi >>> 19) & 0xc)", "")],
    ["stage 2 leaf: permission", LOCATE_NEED, "this.#counters.transTableWalkAccess += reads;"],
    [
      "plain: granule, endianness, DS, HAFT",
      "const isSpecial = format.ds || format.bigEndian || format.haft ||",
      "const isSpecial =",
    ],
    ["plain: no concatenation", " || format.startIndexBits > 9;", ";"],
    ["plain: input of 32 bits", "format.startLevel < 3 && format.inputBits >= 32", "format.startLevel < 3"],
  ],
);

const PROBE = "((words[slot + LO]! & ~GLOBAL) ^ ((lo & -0x1000) | this.#marks)) |";
const FAST: readonly Mutant[] = mutantsOf(
  { ...SECTION, about: "the probe of the TLB", file: "src/backends/smmuv3/fast-path.ts" },
  [
    [
      "a half that is enabled",
      "if (!half.isEnabled || half.e0pd",
      "if (half.e0pd",
      { tests: ["test/oracle/windowed.test.ts", "test/backends/smmuv3/fast-path.test.ts"] },
    ],
    ["E0PD", "|| half.e0pd ", ""],
    ["ranges below 32 bits", " || half.inputBits < 32) return;", ") return;"],
    ["version", "this.#version !== this.#cache.version ||", ""],
    ["StreamID", "this.#streamID !== tx.streamID ||", ""],
    ["SubstreamID", "this.#substreamID !== tx.substreamID ||", ""],
    [
      "range",
      "this.#substreamID !== tx.substreamID ||\n      hi >> this.#rangeShift !== 0",
      "this.#substreamID !== tx.substreamID",
    ],
    ["access", "if (this.#access !== tx.access || this.#privileged", "if (this.#privileged"],
    ["privilege", "this.#access !== tx.access || this.#privileged !== tx.privileged", "this.#access !== tx.access"],
    ["address", PROBE, "((words[slot + LO]! & ~GLOBAL & 0xfff) ^ this.#marks) |"],
    ["valid", PROBE, PROBE.replace("~GLOBAL)", "~GLOBAL | TLB_MARK.VALID)")],
    ["key", PROBE, "((words[slot + LO]! & ~GLOBAL & ~0xffc) ^ ((lo & -0x1000) | TLB_MARK.VALID)) |"],
    ["upper half of the address", "(words[slot + HI]! ^ hi) |\n", "\n"],
    ["tag", "(words[slot + HI]! ^ hi) |\n      (words[slot + TAG]! ^ this.#tag);", "(words[slot + HI]! ^ hi);"],
    ["permission", "if (isOther !== 0 || (info & this.#need) === 0) {", "if (isOther !== 0) {"],
    ["size of the answer", "answer.pageBits = (info >>> 6) & 0x3f;", "answer.pageBits = 12;"],
    ["attributes of the answer", "answer.found = info >>> 18;", "answer.found = (info >>> 18) & 0xff;"],
  ],
);

const LOOP_WINDOW = "if (hi !== windowHi || offset >= bytes) return false;\n      const word";
const END_WINDOW = "if (hi !== windowHi || offset >= bytes) return false;\n    const word";
const PLAIN: readonly Mutant[] = mutantsOf({ ...SECTION, about: "plain tables", file: "src/backends/smmuv3/walk.ts" }, [
  ["plain walk: format", "format.isPlain && this.#runPlain", "this.#runPlain"],
  ["plain walk: upper half of the window", LOOP_WINDOW, "if (offset >= bytes) return false;\n      const word"],
  ["plain walk: end of the window", LOOP_WINDOW, "if (hi !== windowHi) return false;\n      const word"],
  [
    "plain walk: type of a table",
    "if ((word & 3) !== 3 || hi >>> limit !== 0) return false;",
    "if (hi >>> limit !== 0) return false;",
  ],
  [
    "plain walk: output size of a table",
    "if ((word & 3) !== 3 || hi >>> limit !== 0) return false;",
    "if ((word & 3) !== 3) return false;",
  ],
  ["plain walk: upper half of the leaf's window", END_WINDOW, "if (offset >= bytes) return false;\n    const word"],
  ["plain walk: end of the leaf's window", END_WINDOW, "if (hi !== windowHi) return false;\n    const word"],
  [
    "plain walk: type of a page",
    "if ((word & 3) !== 3 || outHi >>> limit !== 0) return false;",
    "if (outHi >>> limit !== 0) return false;",
  ],
  [
    "plain walk: output size of a page",
    "if ((word & 3) !== 3 || outHi >>> limit !== 0) return false;",
    "if ((word & 3) !== 3) return false;",
  ],
  [
    "plain walk: where a leaf is updated",
    "this.#paHi = this.#descriptorHi = hi;\n    this.#paLo = this.#descriptorLo = leafLo;",
    "this.#paHi = hi;\n    this.#paLo = leafLo;",
  ],
  [
    "plain walk: where a table is remembered",
    "this.#paHi = this.#descriptorHi = hi;\n    this.#paLo = this.#descriptorLo = leafLo;",
    "this.#descriptorHi = hi;\n    this.#descriptorLo = leafLo;",
  ],
]);

export const FAST_WAYS: readonly Mutant[] = [...NESTED, ...FAST, ...PLAIN];
