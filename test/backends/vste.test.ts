import { describe, expect, test } from "vitest";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE, encodeVSTE } from "../../src/backends/vste.ts";
import { refusal } from "../support/host.ts";

// IHI 0070G.b §5.2: V 0, Config [3:1], S1Fmt [5:4], S1ContextPtr [55:6], S1CDMax [63:59];
// S1DSS [65:64], S1CIR [67:66], S1COR [69:68], S1CSH [71:70], MEV 83, S1STALLD 91, EATS [93:92], STRW [95:94].
const TRANSLATE = 0b1011n; // V=1, Config=0b101

/** Bits a guest may set: Linux's STRTAB_STE_0_NESTING_ALLOWED and STRTAB_STE_1_NESTING_ALLOWED, counted by hand. */
function isAllowed(bit: number): boolean {
  if (bit <= 5) return true; // V, Config, S1Fmt
  if (bit <= 51) return true; // S1ContextPtr[51:6]
  if (bit >= 59 && bit <= 63) return true; // S1CDMax
  return (bit >= 64 && bit <= 71) || (bit >= 91 && bit <= 93); // S1DSS … S1CSH, S1STALLD, EATS
}

function withBit(bit: number): [bigint, bigint] {
  const whole = TRANSLATE | (1n << BigInt(bit));
  return [whole & 0xffff_ffff_ffff_ffffn, whole >> 64n];
}

describe("every bit of the first two doublewords, alone in a translating STE", () => {
  for (let bit = 6; bit < 128; bit++) {
    if (isAllowed(bit) && bit !== 93) {
      test(`bit ${bit} is a guest's to set and is installed as it came`, () => {
        const [dword0, dword1] = withBit(bit);
        expect(checkVSTE(dword0, dword1)).toEqual({ dword0, dword1, disposition: "translate" });
      });
    } else {
      test(`bit ${bit} is refused and named`, async () => {
        const error = await refusal(() => checkVSTE(...withBit(bit)));
        expect(error.code).toBe("vste_invalid");
        expect(error.fields).toHaveLength(1);
        expect(error.fields[0]!.path).toBe(NAMES.find(([msb, lsb]) => bit <= msb && bit >= lsb)?.[2] ?? `bit ${bit}`);
      });
    }
  }
});

/** Fields of §5.2 that hold the refused bits; the rest of [127:0] has no name there. */
const NAMES: readonly (readonly [number, number, string])[] = [
  [55, 52, "S1ContextPtr[55:52]"],
  [72, 72, "S2HWU59"],
  [73, 73, "S2HWU60"],
  [74, 74, "S2HWU61"],
  [75, 75, "S2HWU62"],
  [76, 76, "DRE"],
  [80, 77, "CONT"],
  [81, 81, "DCP"],
  [82, 82, "PPAR"],
  [83, 83, "MEV"],
  [88, 88, "S1PIE"],
  [89, 89, "S2FWB"],
  [90, 90, "S1MPAM"],
  [93, 92, "EATS"],
  [95, 94, "STRW"],
  [99, 96, "MemAttr"],
  [100, 100, "MTCFG"],
  [104, 101, "ALLOCCFG"],
  [109, 108, "SHCFG"],
  [111, 110, "NSCFG"],
  [113, 112, "PRIVCFG"],
  [115, 114, "INSTCFG"],
];

describe("what an STE asks for", () => {
  test("V=0 is abort whatever the other bits say, and nothing of them is kept", () => {
    expect(checkVSTE(0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn)).toEqual({
      dword0: 0n,
      dword1: 0n,
      disposition: "abort",
    });
  });

  test.each([0b000n, 0b001n, 0b010n, 0b011n])("Config 0b0xx (%d) is abort and becomes 0b000", (config) => {
    const pointer = 0x4000_0000n;
    expect(checkVSTE(1n | (config << 1n) | pointer, 2n)).toEqual({
      dword0: 1n | pointer,
      dword1: 2n,
      disposition: "abort",
    });
  });

  test("Config 0b100 is bypass and 0b101 translates", () => {
    expect(checkVSTE(0b1001n, 0n).disposition).toBe("bypass");
    expect(checkVSTE(0b1011n, 0n).disposition).toBe("translate");
  });

  test.each([0b110n, 0b111n])("Config %d asks for stage 2 and is refused", async (config) => {
    const error = await refusal(() => checkVSTE(1n | (config << 1n), 0n));
    expect(error.code).toBe("vste_invalid");
    expect(error.fields[0]!.path).toBe("Config");
  });

  test.each([2n, 3n])("EATS %d is not for a guest, whatever Config says", async (eats) => {
    for (const dword0 of [0b0001n, 0b1001n, 0b1011n]) {
      const error = await refusal(() => checkVSTE(dword0, eats << 28n)); // EATS [93:92]
      expect(error.code).toBe("vste_invalid");
      expect(error.fields[0]!.path).toBe("EATS");
    }
  });

  test("every wrong field is named in the message, and the doublewords are in the facts", async () => {
    const error = await refusal(() => checkVSTE(TRANSLATE | (1n << 53n), (1n << 19n) | (1n << 60n)));
    expect(error.message).toMatch(/S1ContextPtr\[55:52\], MEV, bit 124/);
    expect(error.facts).toMatchObject({ doubleword0: "0x2000000000000b", doubleword1: "0x1000000000080000" });
  });

  test("the constants are the abort and the bypass STE", () => {
    expect(ABORT_VSTE).toEqual({ dword0: 1n, dword1: 0n, disposition: "abort" });
    expect(BYPASS_VSTE).toEqual({ dword0: 0b1001n, dword1: 0n, disposition: "bypass" });
  });
});

const FIELDS = {
  S1ContextPtr: 0xf_ffff_ffff_ffc0n,
  S1Fmt: 2,
  S1CDMax: 20,
  S1DSS: 2,
  S1CIR: 1,
  S1COR: 1,
  S1CSH: 3,
  S1STALLD: true,
  EATS: 1,
};

describe("an STE from fields", () => {
  test("each field lands on the bits of §5.2", () => {
    expect(encodeVSTE(FIELDS)).toEqual({
      dword0: 0xa00f_ffff_ffff_ffebn, // S1CDMax 20 << 59, pointer, S1Fmt 2 << 4, Config 5 << 1, V
      dword1: 0x1800_00d6n, // EATS 1 << 28, S1STALLD 1 << 27, S1CSH 3 << 6, S1COR 1 << 4, S1CIR 1 << 2, S1DSS 2
      disposition: "translate",
    });
  });

  test.each([
    ["S1ContextPtr", 0x20n],
    ["S1ContextPtr", 2n ** 52n],
    ["S1ContextPtr", -64n],
  ])("%s %d is refused", async (name, value) => {
    const error = await refusal(() => encodeVSTE({ ...FIELDS, S1ContextPtr: value }));
    expect(error.code).toBe("vste_invalid");
    expect(error.fields[0]!.path).toBe(name);
  });

  test.each([
    ["S1Fmt", 4],
    ["S1CDMax", 32],
    ["S1DSS", 4],
    ["S1CIR", 4],
    ["S1COR", -1],
    ["S1CSH", 1.5],
    ["EATS", 4],
    ["EATS", 2],
  ] as const)("%s %d is refused by name", async (name, value) => {
    const error = await refusal(() => encodeVSTE({ ...FIELDS, [name]: value }));
    expect(error.code).toBe("vste_invalid");
    expect(error.fields[0]!.path).toBe(name);
  });
});
