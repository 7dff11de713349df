// Where a stage 2 walk starts: every cell of {S2SL0, S2TG}, and every row of start level against S2T0SZ.

import { type Mutant, mutantsOf, type Row } from "./mutant.ts";

const TESTS = ["test/backends/smmuv3/stage2-start.test.ts"];

const LEVELS = {
  12: ["2", "1", "0", "3"],
  14: ["3", "2", "1", "0"],
  16: ["3", "2", "1", "undefined"],
} as const;

/** The cell says another level: the next one down, or none. */
function cellRows(): Row[] {
  return ([12, 14, 16] as const).flatMap((pageBits) =>
    LEVELS[pageBits].map((level, sl0): Row => {
      const row = `  ${pageBits}: [${LEVELS[pageBits].join(", ")}],`;
      const changed = LEVELS[pageBits].map((each, at) =>
        at === sl0 ? (level === "undefined" ? "1" : "undefined") : each,
      );
      return [
        `S2SL0=${sl0} with ${2 ** (pageBits - 10)} KiB: level ${level}`,
        row,
        `  ${pageBits}: [${changed.join(", ")}],`,
      ];
    }),
  );
}

/** Granule and start level of each row; tables that may be concatenated. */
const STARTS = [
  [12, -1, 1],
  [12, 0, 1],
  [12, 1, 16],
  [12, 2, 16],
  [12, 3, 16],
  [14, 0, 1],
  [14, 1, 16],
  [14, 2, 16],
  [14, 3, 16],
  [16, 1, 1],
  [16, 2, 16],
  [16, 3, 16],
] as const;

const BOUNDS = "return startBits >= 1 && startBits <= stride + 4;";

function startRows(): Row[] {
  return STARTS.flatMap(([pageBits, level, tables]): Row[] => {
    const name = `${2 ** (pageBits - 10)} KiB at level ${level}`;
    const here = `pageBits === ${pageBits} && level === ${level}`;
    const without: Row = [`${name}: one table`, BOUNDS, `if (${here} && startBits <= stride) return false; ${BOUNDS}`];
    const none: Row = [`${name}: at least one bit`, BOUNDS, `if (${here} && startBits === 0) return true; ${BOUNDS}`];
    if (tables === 1) return [without, none];
    return [
      without,
      none,
      [`${name}: concatenated tables`, BOUNDS, `if (${here} && startBits > stride) return false; ${BOUNDS}`],
      [`${name}: at most 16 tables`, BOUNDS, `if (${here} && startBits === stride + 5) return true; ${BOUNDS}`],
    ];
  });
}

const UNREACHED_BELOW_ONE_BIT: Readonly<Record<string, string>> = {
  "4 KiB at level 3: at least one bit": "S2T0SZ would be 52, above the maximum of 48",
  "64 KiB at level 3: at least one bit": "S2T0SZ would be 48, above the maximum of 47",
  "16 KiB at level 3: at least one bit": "S2T0SZ would be 50, above the maximum of 48",
};

/** Source: IHI 0070G.b §5.2 (S2SL0, S2T0SZ, S2TG); DDI 0487 D8.2. */
export const STAGE2_START: readonly Mutant[] = [
  ...mutantsOf(
    {
      section: "6.3",
      about: "stage 2 start level (IHI 0070G.b §5.2, S2SL0)",
      file: "src/spec/encodings.ts",
      tests: TESTS,
    },
    cellRows(),
  ),
  ...mutantsOf(
    {
      section: "6.3",
      about: "stage 2 start level and S2T0SZ (DDI 0487 D8.2)",
      file: "src/backends/smmuv3/ste.ts",
      tests: TESTS,
    },
    [
      ...startRows().map(([rule, find, replace]): Row => {
        const explained = UNREACHED_BELOW_ONE_BIT[rule];
        return explained === undefined ? [rule, find, replace] : [rule, find, replace, { explained }];
      }),
      [
        "S2SL0_2=1 with 4 KiB and S2DS: level -1",
        "ste.S2SL0 === 0 ? -1 : undefined",
        "ste.S2SL0 === 0 ? 0 : undefined",
      ],
      ["S2SL0_2=1 with another S2SL0: reserved", "ste.S2SL0 === 0 ? -1 : undefined", "-1"],
      ["S2SL0=3 with 4 KiB needs STT", "if (pageBits === 12 && level === 3 && !features.stt) return false;", ""],
      [
        "S2SL0=3 with 16 KiB needs S2DS",
        "!(effectiveS2DS(ste, features) && features.oasBits >= 52)) return false;",
        "!(features.oasBits >= 52)) return false;",
      ],
      [
        "S2SL0=3 with 16 KiB needs 52 bits",
        "effectiveS2DS(ste, features) && features.oasBits >= 52",
        "effectiveS2DS(ste, features)",
      ],
      [
        "level 0 with 4 KiB needs 44 bits",
        "if (pageBits === 12 && level === 0 && features.oasBits < 44) return false;",
        "",
      ],
      [
        "level 1 with 16 KiB needs 42 bits",
        "if (pageBits === 14 && level === 1 && features.oasBits < 42) return false;",
        "",
      ],
      [
        "level 1 with 64 KiB needs 44 bits",
        "if (pageBits === 16 && level === 1 && features.oasBits < 44) return false;",
        "",
        { explained: "with 42 bits S2T0SZ is 22 at least, which leaves level 1 no bit to resolve" },
      ],
      [
        "the first level's index has the concatenated bits",
        "const startIndexBits = shape.inputBits - shape.pageBits - (3 - shape.startLevel) * stride;",
        "const startIndexBits = Math.min(stride, shape.inputBits - shape.pageBits - (3 - shape.startLevel) * stride);",
        { file: "src/backends/smmuv3/table-format.ts", tests: ["test/backends/smmuv3/table-format.test.ts"] },
      ],
      [
        "S2TTB is aligned to the whole concatenation",
        "const alignBits = Math.max(startIndexBits + 3,",
        "const alignBits = Math.max(Math.min(startIndexBits, stride) + 3,",
        {
          file: "src/backends/smmuv3/table-format.ts",
          tests: ["test/backends/smmuv3/table-format.test.ts", "test/golden/golden.test.ts"],
        },
      ],
    ],
  ),
];
