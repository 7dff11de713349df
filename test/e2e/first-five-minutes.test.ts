// docs/first-five-minutes.md is true: its shell blocks run in order in one shell against a real daemon, and each answer
// that the page shows is contained in what came.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";

const PAGE = "docs/first-five-minutes.md";
const SEPARATOR = "----- next block -----";

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

test("every command of the page gives the answer that the page shows", () => {
  const blocks = shellBlocks(readFileSync(PAGE, "utf8"));
  expect(blocks.length).toBeGreaterThan(10);
  const script = blocks.map(
    ({ fails, text }) => `${fails ? `if ${text}; then exit 9; fi` : text}\necho "${SEPARATOR}"`,
  );
  const run = spawnSync("bash", ["-eu", "-o", "pipefail", "-c", `exec 2>&1\n${script.join("\n")}`], {
    encoding: "utf8",
    env: { ...process.env, BROKER: broker.socket, MEMORY: broker.memoryRoot },
    timeout: 60_000,
  });
  const outputs = run.stdout.split(`${SEPARATOR}\n`);
  expect(run.status, run.stdout.slice(-2000)).toBe(0);
  blocks.forEach(({ answer, text }, index) => {
    if (answer !== undefined) expect(lastJson(outputs[index]!), text).toMatchObject(JSON.parse(answer));
  });
}, 90_000);

interface Block {
  readonly text: string;
  readonly fails: boolean;
  readonly answer: string | undefined;
}

/** The sh blocks, each with the json block that follows it before the next one. */
function shellBlocks(page: string): readonly Block[] {
  const fences = [...page.matchAll(/^```(sh|sh fails|json)\n([\s\S]*?)^```$/gm)].map((match) => ({
    kind: match[1]!,
    text: match[2]!.trim(),
  }));
  return fences.flatMap(({ kind, text }, index) => {
    if (kind === "json") return [];
    const next = fences[index + 1];
    return [{ text, fails: kind === "sh fails", answer: next?.kind === "json" ? next.text : undefined }];
  });
}

/** The last JSON object in what a block printed. */
function lastJson(output: string): unknown {
  const starts = [...output.matchAll(/^\{/gm)].map((match) => match.index);
  const start = starts[starts.length - 1];
  expect(start, output).toBeDefined();
  return JSON.parse(output.slice(start));
}
