import { expect, test } from "vitest";
import type { HostFinding } from "../../src/backends/host-finding.ts";
import { doctorJson, doctorLines } from "../../src/server/doctor-lines.ts";

const GOOD: HostFinding = { check: "memlock", subject: "", verdict: "ok", what: "no limit", why: "", remedy: "" };
const BAD: HostFinding = {
  check: "group_viable",
  subject: "group 7",
  verdict: "problem",
  what: "0000:01:00.1 is driven by snd_hda_intel",
  why: "it shares the group",
  remedy: "bind it too",
};

test("what is as it should be is a line; what is not has its reason and its remedy beneath", () => {
  expect(doctorLines([GOOD, BAD])).toEqual([
    "ok        memlock: no limit",
    "problem   group_viable group 7: 0000:01:00.1 is driven by snd_hda_intel",
    "          it shares the group",
    "          → bind it too",
  ]);
});

test("JSON has every field", () => {
  expect(JSON.parse(doctorJson([GOOD, BAD]))).toEqual({ findings: [GOOD, BAD] });
});
