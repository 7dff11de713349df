// Rules of a CD: the encodings that differ from what one expects, and which CDs are illegal.

import { mutantsOf } from "./mutant.ts";

const CD_TS = "src/backends/smmuv3/cd.ts";
const CD_TEST = ["test/backends/smmuv3/cd.test.ts"];
const LAYOUT = { file: "src/spec/cd.ts" };
const ENCODINGS = { file: "src/spec/encodings.ts" };

/** Positions and encodings of the CD that a decode could mix up. Source: IHI 0070G.b §5.4. */
export const CONTEXT_BITS = mutantsOf(
  {
    section: "4.4",
    about: "the CD's fields (IHI 0070G.b §5.4)",
    file: CD_TS,
    tests: [...CD_TEST, "test/golden/golden.test.ts"],
  },
  [
    [
      "TG0: 1 is 64 KiB, 2 is 16 KiB",
      "TG0_PAGE_BITS = [12, 16, 14, -1]",
      "TG0_PAGE_BITS = [12, 14, 16, -1]",
      ENCODINGS,
    ],
    ["TG0: 3 is reserved", "TG0_PAGE_BITS = [12, 16, 14, -1]", "TG0_PAGE_BITS = [12, 16, 14, 12]", ENCODINGS],
    ["TG1: 1 is 16 KiB, 2 is 4 KiB", "TG1_PAGE_BITS = [-1, 14, 12, 16]", "TG1_PAGE_BITS = [-1, 12, 14, 16]", ENCODINGS],
    ["TG1: 3 is 64 KiB", "TG1_PAGE_BITS = [-1, 14, 12, 16]", "TG1_PAGE_BITS = [-1, 14, 12, 12]", ENCODINGS],
    ["TG1: 0 is reserved", "TG1_PAGE_BITS = [-1, 14, 12, 16]", "TG1_PAGE_BITS = [12, 14, 12, 16]", ENCODINGS],
    ["TG1 is not encoded as TG0", "TG1_PAGE_BITS[field(CD.TG1)]!", "TG0_PAGE_BITS[field(CD.TG1)]!"],
    ["EPD1 is the second half's", "EPDx: field(CD.EPD1)", "EPDx: field(CD.EPD0)"],
    ["TBI1 is the second half's", "TBIx: field(CD.TBI1)", "TBIx: field(CD.TBI0)"],
    ["HAD1 is the second half's", "HADx: field(CD.HAD1)", "HADx: field(CD.HAD0)"],
    ["E0PD1 is the second half's", "E0PDx: field(CD.E0PD1)", "E0PDx: field(CD.E0PD0)"],
    ["T1SZ is the second half's", "TxSZ: field(CD.T1SZ)", "TxSZ: field(CD.T0SZ)"],
    ["TTB1 is the second half's", "TTBx: table(CD.TTB1)", "TTBx: table(CD.TTB0)"],
    ["S, R and A are 44, 45 and 46", "  S: 44,\n  R: 45,\n  A: 46,", "  S: 46,\n  R: 45,\n  A: 44,", LAYOUT],
    ["HD is 42, HA 43", "  HD: 42,\n  HA: 43,", "  HA: 42,\n  HD: 43,", LAYOUT],
    ["E0PD0 is 66, HAFT 67", "  E0PD0: 66,\n  HAFT: 67,", "  HAFT: 66,\n  E0PD0: 67,", LAYOUT],
    ["DS is 186, PIE 187", "  DS: 186,\n  PIE: 187,", "  PIE: 186,\n  DS: 187,", LAYOUT],
    [
      "bits [55:52] of TTB are RES0",
      "getAddress(words, 0, of, 4) % pow2(ADDRESS_BITS_MAX)",
      "getAddress(words, 0, of, 4)",
    ],
  ],
);

/** C_BAD_CD. Source: IHI 0070G.b §5.4.2 CdIllegal. */
export const CONTEXT_RULES = mutantsOf(
  { section: "4.5", about: "C_BAD_CD (IHI 0070G.b §5.4.2)", file: CD_TS, tests: CD_TEST },
  [
    ["1 V=0 is illegal", 'if (cd.V === 0) return "V is 0";', ""],
    ["2 S with STE.S1STALLD", "if (ste.S1STALLD === 1 && cd.S === 1) return", "if (false) return"],
    ["2 A=0 with TERM_MODEL 1", "if (features.termModel === 1 && cd.A === 0) return", "if (false) return"],
    ["2 A=0 is legal with TERM_MODEL 0", "if (features.termModel === 1 && cd.A === 0)", "if (cd.A === 0)"],
    [
      "2 S=1 with STALL_MODEL 1",
      "if (features.stallModel === STALL_MODEL.TERMINATE && cd.S === 1) return",
      "if (false) return",
    ],
    [
      "2 S=0 with STALL_MODEL 2",
      "if (features.stallModel === STALL_MODEL.FORCED && cd.S === 0) return",
      "if (false) return",
    ],
    ["3 AA64=0 is not offered", "if (cd.AA64 === 0) return", "if (false) return"],
    ["3 AA64=1 needs VMSAv8-64 in TTF", "if (!features.aarch64) return", "if (false) return"],
    [
      "4 ENDI=1 where tables are little-endian",
      "TTENDIAN.LITTLE && cd.ENDI === 1) return",
      "TTENDIAN.LITTLE && false) return",
    ],
    ["4 ENDI=0 where tables are big-endian", "TTENDIAN.BIG && cd.ENDI === 0) return", "TTENDIAN.BIG && false) return"],
    [
      "4 ENDI is not judged with both halves off",
      "if (isHalfEnabled(cd, 0, world) || isHalfEnabled(cd, 1, world)) {",
      "if (true) {",
    ],
    [
      "4 ENDI is judged with one half on",
      "if (isHalfEnabled(cd, 0, world) || isHalfEnabled(cd, 1, world)) {",
      "if (isHalfEnabled(cd, 0, world) && isHalfEnabled(cd, 1, world)) {",
    ],
    ["5 HA needs HTTU", "if ((cd.HA === 1 || cd.HD === 1) &&", "if (cd.HD === 1 &&"],
    ["5 HD needs HTTU", "if ((cd.HA === 1 || cd.HD === 1) &&", "if (cd.HA === 1 &&"],
    ["5 HD needs dirty state in HTTU", "if (cd.HD === 1 && features.httu === 1) return", "if (false) return"],
    ["5 HAFT needs HA", "if (cd.HAFT === 1 && cd.HA === 0 && features.httu === 3) return", "if (false) return"],
    ["6 ASID[15:8] needs ASID16", "!features.asid16 && cd.ASID >= 256", "false"],
    ["6 ASID is 8 bits without ASID16", "cd.ASID >= 256", "cd.ASID >= 255"],
    ["6 EL2 has no ASID", 'if (world !== "EL2" && !features.asid16', "if (!features.asid16"],
    ["7 TGx is a granule that IDR5 has", "if (!features.granules.has(half.pageBits)) return", "if (false) return"],
    [
      "7 TxSZ is at most 39 without STT",
      "features.stt ? (half.pageBits === 16 ? 47 : 48) : 39",
      "half.pageBits === 16 ? 47 : 48",
    ],
    ["7 TxSZ is at most 48 with STT", "(half.pageBits === 16 ? 47 : 48) : 39", "(half.pageBits === 16 ? 47 : 47) : 39"],
    [
      "7 TxSZ is at most 47 with STT and 64 KiB",
      "(half.pageBits === 16 ? 47 : 48) : 39",
      "(half.pageBits === 16 ? 48 : 48) : 39",
    ],
    ["7 TxSZ is at least 16", "(half.pageBits === 16 || ds) ? 12 : 16", "(half.pageBits === 16 || ds) ? 12 : 15"],
    ["7 TxSZ is at least 12 with VAX and 64 KiB", "(half.pageBits === 16 || ds) ? 12 : 16", "ds ? 12 : 16"],
    [
      "7 TxSZ is at least 12 with VAX and DS",
      "(half.pageBits === 16 || ds) ? 12 : 16",
      "half.pageBits === 16 ? 12 : 16",
    ],
    ["7 TxSZ below 16 needs VAX", "features.vaBits52 && (half", "(half"],
    [
      "7 TTBx is within the effective IPS",
      "if (half.TTBx >= pow2(tableBits)) return",
      "if (half.TTBx >= pow2(features.oasBits)) return",
    ],
    [
      "7 IPS is capped to the OAS",
      "return Math.min(ADDRESS_SIZE_BITS[cd.IPS]!, features.oasBits);",
      "return ADDRESS_SIZE_BITS[cd.IPS]!;",
    ],
    [
      "7 TTBx of small granules is within 48 bits",
      "half.pageBits !== 16 && !ds ? Math.min(outputBits, 48)",
      "false ? Math.min(outputBits, 48)",
    ],
    [
      "7 TTBx with DS is not held to 48 bits",
      "half.pageBits !== 16 && !ds ? Math.min",
      "half.pageBits !== 16 ? Math.min",
    ],
    ["7 DS needs IDR5.DS", "return features.ds && cd.DS === 1", "return cd.DS === 1"],
    ["7 a half that is off is not judged", "if (!isHalfEnabled(cd, index, world)) return undefined;", ""],
    [
      "7 EL2 judges the first half whatever EPD0 says",
      'if (world === "EL2") return index === 0;',
      'if (world === "EL2") return index === 0 && cd.halves[0].EPDx === 0;',
    ],
    [
      "7 EL2 does not judge the second half",
      'if (world === "EL2") return index === 0;',
      'if (world === "EL2") return true;',
    ],
    [
      "7 EPDx=1 is F_TRANSLATION",
      "return cd.halves[index].EPDx === 0;",
      "return true;",
      { tests: [...CD_TEST, "test/backends/smmuv3/translate.test.ts"] },
    ],
  ],
);
