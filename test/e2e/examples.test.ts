// The examples that are programs of their own, as a reader runs them.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { connect, StageState } from "../../src/client/client.ts";

const DEVICE = "devices/0000:01:00.0";

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

interface Running {
  readonly process: ChildProcess;
  line(): Promise<string | undefined>;
}

function started(tokenFile: string): Running {
  const child = spawn(process.execPath, ["examples/resume-session.ts", broker.target, DEVICE, tokenFile], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, line: async () => (await lines.next()).value };
}

test("examples/resume-session.ts goes on after SIGKILL with what it had, and cleans up at SIGTERM", async () => {
  const tokenFile = join(broker.directory, "resume.token");
  const client = connect(broker.target);
  onTestFinished(() => client.close());
  const stage = async (): Promise<number> => (await client.getDevice(DEVICE)).state;

  const first = started(tokenFile);
  expect(await first.line()).toBe(`attached ${DEVICE}`);
  expect(await stage()).toBe(StageState.STAGE_STATE_NEST_PARENT);
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  first.process.kill("SIGKILL");
  await expect.poll(stage).toBe(StageState.STAGE_STATE_GUEST_ABORT);

  const second = started(tokenFile);
  expect(await second.line()).toBe(`still has ${DEVICE}, to be bound again`);
  second.process.kill("SIGTERM");
  expect(await second.line()).toBe("closed");
  await once(second.process, "exit");
  expect(second.process.exitCode).toBe(0);
  expect(await stage()).toBe(StageState.STAGE_STATE_DEFAULT_DOMAIN);
  expect(existsSync(tokenFile)).toBe(false);
}, 60_000);

test("examples/resume-session.ts says so when its session is over, and opens another", async () => {
  const tokenFile = join(broker.directory, "old.token");
  writeFileSync(tokenFile, "0".repeat(64));
  const program = started(tokenFile);
  expect(await program.line()).toBe("the session is over (UNAUTHENTICATED): a new one");
  expect(await program.line()).toBe(`attached ${DEVICE}`);
  program.process.kill("SIGTERM");
  await once(program.process, "exit");
}, 60_000);
