import { expect, test } from "vitest";
import type { Explanation } from "../../../src/backends/explanation.ts";
import { explainRequestOf, explanationJson } from "../../../src/metrics/status/explain-query.ts";

const ASKED = { device: "0000:01:00.0", iova: "0x7fff_dead_b000" };

test("an address is hexadecimal with 0x or decimal, with underscores or without", () => {
  const iova = (text: string) => explainRequestOf(new URLSearchParams({ ...ASKED, iova: text })).iova;
  expect([iova("0x7fff_dead_b000"), iova(" 4096 "), iova("0XFFFFFFFFFFFFFFFF")]).toEqual([
    0x7fff_dead_b000n,
    4096n,
    2n ** 64n - 1n,
  ]);
});

test("what is not asked for has its default, and the host is never shown", () => {
  expect(explainRequestOf(new URLSearchParams({ ...ASKED, showsHost: "true", substream: "" }))).toEqual({
    ...{ device: "0000:01:00.0", streamIndex: 0, iova: 0x7fff_dead_b000n, substreamID: undefined },
    ...{ access: "read", privileged: false, showsHost: false },
  });
});

test.each([
  ["device", ""],
  ["device", "../etc"],
  ["device", "x".repeat(64)],
  ["iova", ""],
  ["iova", "beef"],
  ["iova", "0x1_"],
  ["iova", "-1"],
  ["iova", "0x1_0000_0000_0000_0000"],
  ["iova", `0x${"0".repeat(64)}`],
  ["substream", "1048576"],
  ["substream", "-1"],
  ["substream", "1e3"],
  ["access", "delete"],
])("%s=%s is refused", (name, value) => {
  const query = new URLSearchParams({ ...ASKED, [name]: value });
  expect(() => explainRequestOf(query)).toThrow(expect.objectContaining({ code: "argument_invalid" }));
});

test("a walk is JSON: 64-bit values as text, of a structure's fields those that are not 0, no physical address", () => {
  const explanation: Explanation = {
    steps: [
      {
        ...{ structure: "CD", section: "§5.4", decision: "CD.V is 0: C_BAD_CD", ipa: 0x4000_0000n, pa: 0x99_0000n },
        ...{ raw: [2n ** 63n], fields: { V: 0n, ASID: 0x42n } },
      },
    ],
    end: {
      kind: "abort",
      fault: {
        ...{ type: "C_BAD_CD", typeNumber: 0x0a, stage: undefined, class: undefined, inputAddress: undefined },
        ...{ ipa: undefined, fetchAddress: 0x99_0000n, read: true, instruction: false, privileged: false },
      },
      recorded: true,
    },
    writes: [{ ipa: 0x4000_1000n, pa: 0x99_1000n, value: 3n }],
  };
  expect(explanationJson(explanation)).toEqual({
    steps: [
      {
        ...{ structure: "CD", section: "§5.4", decision: "CD.V is 0: C_BAD_CD", address: "0x40000000" },
        ...{ raw: ["0x8000000000000000"], fields: [["ASID", "0x42"]] },
      },
    ],
    end: { kind: "abort", fault: { type: "C_BAD_CD", stage: null, class: null, address: null }, recorded: true },
    writes: [{ address: "0x40001000", value: "0x3" }],
  });
});
