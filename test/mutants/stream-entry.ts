// Rules of an STE: which are illegal, and what is not judged.

import { mutantsOf } from "./mutant.ts";

const TRANSLATE = "src/backends/smmuv3/translate.ts";
const SUBSTREAM = "src/backends/smmuv3/substream.ts";
const SUBSTREAM_TESTS = ["test/backends/smmuv3/substream.test.ts", "test/backends/smmuv3/context-table.test.ts"];
const TRANSLATE_TEST = ["test/backends/smmuv3/translate.test.ts"];
const SUBSTREAM_RULES = ["test/backends/smmuv3/context-table.test.ts", "test/backends/smmuv3/translate.test.ts"];
const IN_TRANSLATE = { file: TRANSLATE, tests: SUBSTREAM_RULES };
const STREAM_CONFIG = { file: "src/backends/smmuv3/stream-config.ts", tests: SUBSTREAM_RULES };

/** C_BAD_STE. Source: IHI 0070G.b §5.2.2 SteIllegal. */
export const STREAM_ENTRY = mutantsOf(
  {
    section: "3.2",
    about: "C_BAD_STE (IHI 0070G.b §5.2.2)",
    file: "src/backends/smmuv3/ste.ts",
    tests: ["test/backends/smmuv3/ste.test.ts", "test/backends/smmuv3/stage2-start.test.ts"],
  },
  [
    ["1 V=0 is illegal", 'if (ste.V === 0) return "V is 0";', ""],
    ["2 Config=0b0xx is legal whatever the rest says", "if (!passes(ste)) return undefined;", ""],
    ["2 Config=0b0xx terminates", "return ste.Config >= 4;", "return ste.Config >= 3;"],
    [
      "2 Config=0b0xx terminates without an event",
      "if (!stream.passes) return SILENT_ABORT;",
      'if (!stream.passes) return this.#terminate(tx, { type: "C_BAD_STE" }, undefined, true);',
      { file: TRANSLATE, tests: TRANSLATE_TEST },
    ],
    ["3 Config=0b1x1 needs S1P", "if (translatesStage1(ste) && !features.stage1)", "if (false)"],
    ["3 Config=0b11x needs S2P", "if (translatesStage2(ste) && !features.stage2)", "if (false)"],
    [
      "4 EATS is judged with IDR0.ATS only",
      "if (!features.ats || ste.Config === 4) return undefined;",
      "if (ste.Config === 4) return undefined;",
    ],
    [
      "4 EATS is not judged in bypass",
      "if (!features.ats || ste.Config === 4) return undefined;",
      "if (!features.ats) return undefined;",
    ],
    ["4 EATS=2 needs Config=0b111", "if (ste.Config !== 7) return `EATS is split", "if (false) return `EATS is split"],
    ["4 EATS=2 excludes S2S", 'if (ste.S2S === 1) return "EATS is split-stage, but S2S is 1";', ""],
    ["4 EATS=2 excludes NS1ATS", "return features.ns1ats ?", "return false ?"],
    ["4 EATS=1 excludes S2S", 'return stage2Stalls ? "EATS is full ATS', 'return false ? "EATS is full ATS'],
    [
      "4 EATS=1 minds S2S with stage 2 only",
      "const stage2Stalls = translatesStage2(ste) && ste.S2S === 1;",
      "const stage2Stalls = ste.S2S === 1;",
    ],
    ["4 EATS=3 is nothing without DPT", "if (!features.dpt) return undefined; // behaves as no ATS", ""],
    [
      "4 EATS=3 needs the EL1 StreamWorld",
      "if (usesSTRW(ste, features) && ste.STRW !== 0) return `EATS asks",
      "if (false) return `EATS asks",
    ],
    ["4 EATS=3 excludes S2S", 'return stage2Stalls ? "EATS asks for DPT', 'return false ? "EATS asks for DPT'],
    ["5 STRW=0bx1 is illegal", "(usesSTRW(ste, features) && ste.STRW % 2 === 1 ?", "(false ?"],
    ["5 STRW=2 is legal", "ste.STRW % 2 === 1 ?", "ste.STRW >= 1 ?"],
    [
      "5 STRW is unused without Hyp",
      "features.stage1 && features.hyp && ste.Config === 5",
      "features.stage1 && ste.Config === 5",
    ],
    ["5 STRW is unused with Config=0b111", "features.hyp && ste.Config === 5", "features.hyp && translatesStage1(ste)"],
    [
      "5 STRW is unused with Config=0b110",
      "features.hyp && ste.Config === 5",
      "features.hyp && (ste.Config === 5 || ste.Config === 6)",
    ],
    ["5 STRW is unused with Config=0b100", "features.hyp && ste.Config === 5", "features.hyp && ste.Config <= 5"],
    [
      "5 STRW is unused without S1P",
      "return features.stage1 && features.hyp",
      "return features.hyp",
      { explained: "Config=0b101 without S1P is illegal by rule 3 before STRW is looked at" },
    ],
    [
      "6 S1STALLD needs STALL_MODEL 0",
      "if (ste.S1STALLD === 1 && features.stallModel !== STALL_MODEL.BOTH)",
      "if (false)",
    ],
    [
      "6 S1STALLD is illegal with STALL_MODEL 1, too",
      "ste.S1STALLD === 1 && features.stallModel !== STALL_MODEL.BOTH",
      "ste.S1STALLD === 1 && features.stallModel === STALL_MODEL.FORCED",
    ],
    [
      "6 S1CDMax is at most SSIDSIZE",
      "if (ste.S1CDMax > features.ssidBits)",
      "if (ste.S1CDMax > features.ssidBits + 1)",
    ],
    ["6 S1CDMax may be SSIDSIZE", "if (ste.S1CDMax > features.ssidBits)", "if (ste.S1CDMax >= features.ssidBits)"],
    ["6 S1CDMax is not judged with SSIDSIZE 0", "if (features.ssidBits !== 0) {", "if (true) {"],
    [
      "6 S1CDMax counts as 0 with SSIDSIZE 0",
      "return features.ssidBits === 0 ? 0 : ste.S1CDMax;",
      "return ste.S1CDMax;",
      { tests: ["test/backends/smmuv3/ste.test.ts", "test/golden/golden.test.ts"] },
    ],
    ["6 two-level tables need CD2L", "twoLevel && !features.cd2l", "false"],
    ["6 S1Fmt=1 is two-level", "ste.S1Fmt === 1 || ste.S1Fmt === 2", "ste.S1Fmt === 2"],
    ["6 S1Fmt=2 is two-level", "ste.S1Fmt === 1 || ste.S1Fmt === 2", "ste.S1Fmt === 1"],
    ["6 S1Fmt=3 behaves as 0", "ste.S1Fmt === 1 || ste.S1Fmt === 2", "ste.S1Fmt !== 0"],
    ["6 S1Fmt is not judged with S1CDMax 0", "if (ste.S1CDMax !== 0 && twoLevel", "if (twoLevel"],
    ["6 S1ContextPtr is within the OAS", "if (ste.Config === 5 && ste.S1ContextPtr", "if (false && ste.S1ContextPtr"],
    ["6 S1ContextPtr as an IPA is left to stage 2", "if (ste.Config === 5 && ste.S1ContextPtr", "if (ste.S1ContextPtr"],
    ["7 S2AA64=0 is not offered", "if (ste.S2AA64 === 0) return", "if (false) return"],
    ["7 S2AA64=1 needs VMSAv8-64 in TTF", "if (!features.aarch64) return", "if (false) return"],
    [
      "7 S2S=1 needs a stall model",
      "if (ste.S2S === 1 && features.stallModel === STALL_MODEL.TERMINATE)",
      "if (false)",
    ],
    [
      "7 S2S=0 is illegal where stalls are forced",
      "if (ste.S2S === 0 && features.stallModel === STALL_MODEL.FORCED)",
      "if (false)",
    ],
    ["7 S2HA needs HTTU", "if ((ste.S2HA === 1 || ste.S2HD === 1)", "if ((ste.S2HD === 1)"],
    ["7 S2HD needs HTTU", "if ((ste.S2HA === 1 || ste.S2HD === 1)", "if ((ste.S2HA === 1)"],
    ["7 S2HD needs dirty state in HTTU", "if (ste.S2HD === 1 && features.httu === 1)", "if (false)"],
    ["7 S2HAFT needs S2HA", "if (ste.S2HAFT === 1 && ste.S2HA === 0 && features.httu === 3)", "if (false)"],
    [
      "7 S2HAFT is judged with HTTU 3 only",
      "ste.S2HA === 0 && features.httu === 3",
      "ste.S2HA === 0 && features.httu >= 2",
    ],
    [
      "7 S2TG is a granule that IDR5 has",
      "if (!features.granules.has(pageBits)) return `S2TG",
      "if (false) return `S2TG",
    ],
    [
      "7 S2TTB is within the effective S2PS",
      "if (stage2Table(ste) >= pow2(tableBits))",
      "if (stage2Table(ste) >= pow2(features.oasBits))",
    ],
    [
      "7 S2PS is capped to the OAS",
      "return Math.min(ADDRESS_SIZE_BITS[ste.S2PS]!, features.oasBits);",
      "return ADDRESS_SIZE_BITS[ste.S2PS]!;",
    ],
    [
      "7 S2TTB of small granules is within 48 bits",
      "pageBits !== 16 && !ds ? Math.min(outputBits, 48)",
      "false ? Math.min(outputBits, 48)",
    ],
    ["7 S2TTB with S2DS is not held to 48 bits", "pageBits !== 16 && !ds ? Math.min", "pageBits !== 16 ? Math.min"],
    ["7 S2TTB with 64 KiB is not held to 48 bits", "pageBits !== 16 && !ds ? Math.min", "!ds ? Math.min"],
    [
      "7 S2T0SZ is at most 39 without STT",
      "features.stt ? (pageBits === 16 ? 47 : 48) : 39",
      "pageBits === 16 ? 47 : 48",
    ],
    ["7 S2T0SZ is at most 48 with STT", "(pageBits === 16 ? 47 : 48) : 39", "(pageBits === 16 ? 47 : 47) : 39"],
    [
      "7 S2T0SZ is at most 47 with STT and 64 KiB",
      "(pageBits === 16 ? 47 : 48) : 39",
      "(pageBits === 16 ? 48 : 48) : 39",
      { explained: "48 bits off leave level 3 no bit to resolve, so S2SL0 refuses it" },
    ],
    ["7 S2T0SZ is at least 64-IAS", "12 : 16, 64 - features.iasBits)", "12 : 16)"],
    ["7 S2T0SZ is at least 16 without S2DS", "pageBits === 16 || ds ? 12 : 16", "true ? 12 : 16"],
    ["7 S2T0SZ is at least 12 with 64 KiB", "pageBits === 16 || ds ? 12 : 16", "ds ? 12 : 16"],
    ["7 S2T0SZ is at least 12 with S2DS", "pageBits === 16 || ds ? 12 : 16", "pageBits === 16 ? 12 : 16"],
    ["7 S2SL0, S2T0SZ and S2TG fit", "if (!isStartLevelConsistent(ste, features, pageBits))", "if (false)"],
    [
      "7 S2ENDI=1 is illegal where tables are little-endian",
      "if (features.ttendian === TTENDIAN.LITTLE && ste.S2ENDI === 1)",
      "if (false)",
    ],
    [
      "7 S2ENDI=0 is illegal where tables are big-endian",
      "if (features.ttendian === TTENDIAN.BIG && ste.S2ENDI === 0)",
      "if (false)",
    ],
    ["7 S2VMID[15:8] needs VMID16", "if (ignored || features.vmid16 || ste.S2VMID < 256)", "if (true)"],
    ["7 S2VMID is 8 bits without VMID16", "ste.S2VMID < 256", "ste.S2VMID < 255"],
    ["7 S2VMID is not judged in bypass", "!features.stage2 || ste.Config === 4 ||", "!features.stage2 ||"],
    ["7 S2POE needs S2PIE", 'if (ste.S2PIE === 0) return "S2POE is 1, but S2PIE is 0";', ""],
    ["7 S2POE excludes S2HWU bits", "if (features.pbha && ste.S2HWU !== 0)", "if (false)"],
    ["7 S2POE is judged with IDR3.S2PO only", "if (features.s2po && ste.S2POE === 1)", "if (ste.S2POE === 1)"],
    ["7 VMSPtr is within the OAS", "ste.S1MPAM === 1 && ste.VMSPtr", "false && ste.VMSPtr"],
    [
      "8 stage 1 that is off is not judged",
      "(translatesStage1(ste) ? checkStage1(ste, features)",
      "(true ? checkStage1(ste, features)",
    ],
    [
      "8 stage 2 that is off is not judged",
      "(translatesStage2(ste) ? checkStage2(ste, features)",
      "(true ? checkStage2(ste, features)",
    ],
  ],
);

const CONTEXT_TABLE = {
  file: "src/backends/smmuv3/context-table.ts",
  tests: ["test/backends/smmuv3/context-table.test.ts"],
};
const GOLDEN = { tests: ["test/backends/smmuv3/translate.test.ts", "test/golden/golden.test.ts"] };

/** C_BAD_SUBSTREAMID. Source: IHI 0070G.b §7.3.9. */
export const SUBSTREAMS = mutantsOf(
  {
    section: "4.2",
    about: "C_BAD_SUBSTREAMID (IHI 0070G.b §7.3.9)",
    file: SUBSTREAM,
    tests: SUBSTREAM_TESTS,
  },
  [
    ["a SubstreamID without stage 1", "substreamID === undefined ? BYPASS_STAGE1 : BAD_SUBSTREAMID", "BYPASS_STAGE1"],
    ["a SubstreamID with S1CDMax 0", "if (stream.cdBits === 0 || substreamID >=", "if (substreamID >="],
    ["a SubstreamID of 2^S1CDMax", "substreamID >= pow2(stream.cdBits)", "substreamID > pow2(stream.cdBits)"],
    ["the last SubstreamID is legal", "substreamID >= pow2(stream.cdBits)", "substreamID >= pow2(stream.cdBits) - 1"],
    ["SSIDSIZE 0 has no substreams", "cdBits: effectiveS1CDMax(ste, features),", "cdBits: ste.S1CDMax,", STREAM_CONFIG],
    ["L1CD.V=0", "if (get(this.#l1cd, 0, L1CD.V) === 0 || !isReachable)", "if (!isReachable)", CONTEXT_TABLE],
    ["L1CD.L2Ptr out of range", "L1CD.V) === 0 || !isReachable)", "L1CD.V) === 0)", CONTEXT_TABLE],
    [
      "an abort STE comes first",
      "if (!stream.passes) return SILENT_ABORT;",
      "if (!stream.passes && tx.substreamID === undefined) return SILENT_ABORT;",
      IN_TRANSLATE,
    ],
    [
      "it aborts and is recorded",
      'choice.kind === "fault") return this.#terminate(tx, choice.fault, undefined, true)',
      'choice.kind === "fault") return this.#terminate(tx, choice.fault, undefined, false)',
      IN_TRANSLATE,
    ],
  ],
);

/** What S1DSS does with each kind of traffic. Source: IHI 0070G.b §5.2 S1DSS, §7.3.7. */
export const S1DSS_TABLE = mutantsOf(
  {
    section: "4.3",
    about: "S1DSS (IHI 0070G.b §5.2, §7.3.7)",
    file: SUBSTREAM,
    tests: SUBSTREAM_TESTS,
  },
  [
    [
      "S1DSS=0, no SSID: F_STREAM_DISABLED",
      "BYPASS_STAGE1 : STREAM_DISABLED",
      'BYPASS_STAGE1 : { kind: "cd", substreamID: 0 }',
    ],
    [
      "S1DSS=0, no SSID: not bypass",
      "stream.ste.S1DSS === S1DSS.BYPASS ? BYPASS_STAGE1",
      "stream.ste.S1DSS <= S1DSS.BYPASS ? BYPASS_STAGE1",
    ],
    ["S1DSS=1, no SSID: bypass", "stream.ste.S1DSS === S1DSS.BYPASS ? BYPASS_STAGE1", "false ? BYPASS_STAGE1"],
    [
      "S1DSS=1, no SSID: stage 2 still applies",
      'choice.kind === "bypass") return this.#withoutStage1(tx, stream)',
      'choice.kind === "bypass") return this.#bypass()',
      IN_TRANSLATE,
    ],
    [
      "S1DSS=2, no SSID: CD 0",
      "stream.cdBits === 0 || stream.ste.S1DSS === S1DSS.SSID0) return {",
      "stream.cdBits === 0) return {",
    ],
    [
      "S1DSS=3, no SSID: as 0",
      "stream.ste.S1DSS === S1DSS.BYPASS ? BYPASS_STAGE1",
      "stream.ste.S1DSS % 2 === 1 ? BYPASS_STAGE1",
    ],
    [
      "S1DSS=3, no SSID: not as 2",
      "stream.cdBits === 0 || stream.ste.S1DSS === S1DSS.SSID0) return {",
      "stream.cdBits === 0 || stream.ste.S1DSS >= S1DSS.SSID0) return {",
    ],
    ["S1DSS is not looked at with S1CDMax 0", "if (stream.cdBits === 0 || stream.ste.S1DSS", "if (stream.ste.S1DSS"],
    [
      "S1DSS=0, SSID 0: CD 0",
      "if (substreamID === 0 && stream.ste.S1DSS === S1DSS.SSID0)",
      "if (substreamID === 0 && stream.ste.S1DSS % 2 === 0)",
    ],
    [
      "S1DSS=1, SSID 0: CD 0",
      "if (substreamID === 0 && stream.ste.S1DSS === S1DSS.SSID0)",
      "if (substreamID === 0 && (stream.ste.S1DSS === 1 || stream.ste.S1DSS === 2))",
    ],
    [
      "S1DSS=2, SSID 0: F_STREAM_DISABLED",
      "if (substreamID === 0 && stream.ste.S1DSS === S1DSS.SSID0) return STREAM_DISABLED;",
      "",
    ],
    [
      "S1DSS=3, SSID 0: as 0",
      "if (substreamID === 0 && stream.ste.S1DSS === S1DSS.SSID0)",
      "if (substreamID === 0 && stream.ste.S1DSS >= S1DSS.SSID0)",
    ],
    ["S1DSS=2, another SSID: its CD", "if (substreamID === 0 && stream.ste.S1DSS", "if (stream.ste.S1DSS"],
    [
      "F_STREAM_DISABLED is its own event",
      'const STREAM_DISABLED: SubstreamChoice = refuse("F_STREAM_DISABLED");',
      'const STREAM_DISABLED: SubstreamChoice = refuse("C_BAD_SUBSTREAMID");',
      GOLDEN,
    ],
  ],
);
