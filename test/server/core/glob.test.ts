import fc from "fast-check";
import { expect, test } from "vitest";
import { matchesGlob } from "../../../src/server/core/glob.ts";

test.each([
  ["0000:01:00.0", "0000:01:00.0", true],
  ["0000:01:00.0", "0000:01:00.1", false],
  ["0000:01:*", "0000:01:00.0", true],
  ["0000:0?:00.0", "0000:01:00.0", true],
  ["0000:0?:00.0", "0000:0:00.0", false],
  ["*", "", true],
  ["?", "", false],
  ["/usr/bin/*", "/usr/bin/qemu", true],
  ["/usr/bin/*", "/usr/bin/evil/qemu", false],
  ["/usr/**/qemu", "/usr/local/bin/qemu", true],
  ["/usr/**/qemu", "/usr/qemu", false],
  ["/machine.slice/**", "/machine.slice/vm-1/emulator", true],
  ["/machine.slice/**", "/machineXslice/vm-1", false],
  ["a.c", "abc", false],
  ["[ab]", "a", false],
  ["*a*a*a*a*a*a*a*a*a*b", "a".repeat(200), false],
])("%j against %j is %s", (glob, text, expected) => {
  expect(matchesGlob(glob, text)).toBe(expected);
});

test("a text without wildcards matches itself and nothing that differs", () => {
  const plain = fc.string().filter((text) => !/[*?]/.test(text));
  fc.assert(
    fc.property(plain, plain, (one, other) => {
      expect(matchesGlob(one, one)).toBe(true);
      expect(matchesGlob(one, other)).toBe(one === other);
    }),
  );
});

test("a run before and after finds a text anywhere, so long as no slash is between", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "/") });
  fc.assert(
    fc.property(word, word, word, (before, middle, after) => {
      const text = before + middle + after;
      expect(matchesGlob(`**${middle}**`, text)).toBe(true);
      if (!before.includes("/") && !after.includes("/")) expect(matchesGlob(`*${middle}*`, text)).toBe(true);
    }),
  );
});
