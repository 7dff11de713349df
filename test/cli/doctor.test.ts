// The command against an edge whose core found this and that.

import { expect, test } from "vitest";
import type { HostFinding } from "../../src/backends/host-finding.ts";
import { run } from "../../src/cli/program.ts";
import { RpcServer } from "../support/rpc-server.ts";

const OK: HostFinding = { check: "memlock", subject: "", verdict: "ok", what: "no limit", why: "", remedy: "" };
const WARNING: HostFinding = {
  check: "nesting",
  subject: "smmu3.0x9050000",
  verdict: "warning",
  what: "a guest's own tables cannot be bound",
  why: "no CANWBS",
  remedy: "newer firmware",
};
const PROBLEM: HostFinding = { ...WARNING, check: "iommufd_node", verdict: "problem", subject: "/dev/\u001b[31miommu" };

async function doctor(findings: readonly HostFinding[], ...argv: string[]) {
  const server = await RpcServer.start({}, (core) => {
    core.findings = findings;
  });
  let [out, err] = ["", ""];
  const code = await run(["doctor", "--socket", server.target.slice("unix:".length), ...argv], {
    environment: {},
    terminal: { columns: undefined, hasColour: false },
    version: "1.2.3",
    taken: async () => {},
    gone: new AbortController().signal,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

test.each([
  ["nothing amiss", [OK], 0],
  ["something left out", [OK, WARNING], 1],
  ["something in the way", [WARNING, PROBLEM, OK], 2],
] as const)("the exit code tells of %s", async (_, findings, code) => {
  expect(await doctor(findings)).toMatchObject({ code, err: "" });
});

test("each finding is a line, its reason and remedy beneath it, and nothing that a terminal obeys", async () => {
  const { out } = await doctor([OK, WARNING, PROBLEM]);
  expect(out).toBe(
    [
      "ok        memlock: no limit",
      "warning   nesting smmu3.0x9050000: a guest's own tables cannot be bound",
      "          no CANWBS",
      "          → newer firmware",
      "problem   iommufd_node /dev/\\u{1b}[31miommu: a guest's own tables cannot be bound",
      "          no CANWBS",
      "          → newer firmware",
      "",
    ].join("\n"),
  );
});

test("JSON names the verdicts", async () => {
  const { out } = await doctor([WARNING], "--json");
  expect(JSON.parse(out)).toEqual({ findings: [WARNING] });
});

test("a simulated host has nothing to examine", async () => {
  expect(await doctor([])).toEqual({
    code: 0,
    out: "The broker runs the simulated backend, which asks nothing of its host.\n",
    err: "",
  });
});
