// Which CD (§5.2: S1DSS [65:64], S1CDMax [63:59]; §7.3.7, §7.3.9).
import { expect, test } from "vitest";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { streamConfig } from "../../../src/backends/smmuv3/stream-config.ts";
import { chooseSubstream } from "../../../src/backends/smmuv3/substream.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { IDS } from "../../support/smmuv3-machine.ts";
import { bypassSTE, type Doublewords, stage1STE } from "../../support/smmuv3-tables.ts";

/** With 20 bits of SubstreamID. */
const FEATURES = featuresOf(IDS);

function chosen(ste: Doublewords, substreamID: number | undefined): string {
  const choice = chooseSubstream(substreamID, streamConfig(decodeSTE(wordsOf(ste)), FEATURES, false));
  if (choice.kind === "fault") return choice.fault.type;
  return choice.kind === "cd" ? `CD ${choice.substreamID}` : "bypass";
}

const ste = (cdMax: number, dss: number): Doublewords => stage1STE(0x4000_0000, { cdMax, dss });

test.each([
  [0, undefined, "F_STREAM_DISABLED"],
  [1, undefined, "bypass"],
  [2, undefined, "CD 0"],
  [3, undefined, "F_STREAM_DISABLED"],
  [0, 0, "CD 0"],
  [1, 0, "CD 0"],
  [2, 0, "F_STREAM_DISABLED"],
  [3, 0, "CD 0"],
  [0, 7, "CD 7"],
  [2, 7, "CD 7"],
  [2, 8, "C_BAD_SUBSTREAMID"],
])("of eight CDs with S1DSS %i, SubstreamID %s finds %s", (s1dss, substreamID, found) => {
  expect(chosen(ste(3, s1dss), substreamID)).toBe(found);
});

test.each([0, 1, 2, 3])("one CD alone is for transactions without a SubstreamID, whatever S1DSS is: %i", (s1dss) => {
  expect(chosen(ste(0, s1dss), undefined)).toBe("CD 0");
  expect(chosen(ste(0, s1dss), 0)).toBe("C_BAD_SUBSTREAMID");
});

test("without stage 1 there are no SubstreamIDs", () => {
  expect(chosen(bypassSTE(), undefined)).toBe("bypass");
  expect(chosen(bypassSTE(), 0)).toBe("C_BAD_SUBSTREAMID");
});
