import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/backends/errors.ts";
import { type Log, type LogLevel, logTo } from "../../src/server/log.ts";

function recorder(level: LogLevel = "debug"): { log: Log; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const log = logTo({ write: (line: string) => written.push(line) }, level);
  return { log, lines: () => written.map((line) => JSON.parse(line)) };
}

test("a line is JSON with level, time, pid, message and the facts", () => {
  const { log, lines } = recorder();
  log.info({ device: "0000:00:01.0", generation: 3 }, "stage changed");
  const [line] = lines();
  expect(line).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    pid: process.pid,
    device: "0000:00:01.0",
    generation: 3,
    msg: "stage changed",
  });
});

test("lines below the level are not written", () => {
  const { log, lines } = recorder("warn");
  log.debug({}, "no");
  log.info({}, "no");
  log.warn({}, "yes");
  log.error({}, "yes");
  log.fatal({}, "yes");
  expect(lines().map((line) => line.level)).toEqual(["warn", "error", "fatal"]);
});

test("a refusal is logged with its code and facts, without a stack", () => {
  const { log, lines } = recorder();
  const error = new BrokerError("device_owned", "device a belongs to b", { device: "a", address: 2n ** 60n });
  log.warn({ error }, "refused");
  expect(lines()[0]?.error).toEqual({
    code: "device_owned",
    message: "device a belongs to b",
    facts: { device: "a", address: "1152921504606846976" },
  });
});

test("a bug is logged with its stack and its causes, however they are chained", () => {
  const { log, lines } = recorder();
  const root = new Error("root");
  root.cause = root;
  log.error({ error: new TypeError("outer", { cause: root }) }, "bug");
  expect(lines()[0]?.error).toMatchObject({
    type: "TypeError",
    message: "outer",
    stack: expect.stringContaining("log.test.ts"),
    cause: { message: "root", cause: { message: "root" } },
  });
});

test("what was thrown and is no error at all is logged as text", () => {
  const { log, lines } = recorder();
  log.error({ error: "just words" }, "bug");
  log.error({ error: undefined }, "bug");
  expect(lines().map((line) => line.error)).toEqual(["just words", undefined]);
});

test("a session token never reaches the log, wherever it hides", () => {
  const { log, lines } = recorder();
  const secret = "s3cr3t";
  const smuggled: object = { token: secret, facts: { token: secret, authorization: secret } };
  log.info(smuggled, "opened");
  expect(JSON.stringify(lines())).not.toContain(secret);
  expect(JSON.stringify(lines())).toContain("[secret]");
});

test("what is logged after the end is not written, and the end is only made once", async () => {
  const written: string[] = [];
  let ends = 0;
  const log = logTo({ write: (line: string) => written.push(line) }, "info", async () => {
    ends += 1;
    return true;
  });
  log.info({}, "before");
  expect(await Promise.all([log.end(), log.end()])).toEqual([true, true]);
  log.info({}, "after");
  expect(written.map((line) => JSON.parse(line).msg)).toEqual(["before"]);
  expect(ends).toBe(1);
});

describe("onto standard output", () => {
  const LOG = new URL("../../src/server/log.ts", import.meta.url).href;

  const LIBC = new URL("../../src/os/libc.ts", import.meta.url).href;

  function run(body: string): ChildProcess {
    const source = `import { createLog } from ${JSON.stringify(LOG)};
      import { exitAtOnce } from ${JSON.stringify(LIBC)};
      const log = createLog({ level: "info", destination: "stdout" });
      ${body}`;
    const options = ["--input-type=module-typescript", "--eval", source];
    return spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] });
  }

  test("every line is there, in order, when the process ends", async () => {
    const child = run(
      'for (let i = 0; i < 2000; i++) log.info({ group: i }, "line"); await log.end(); process.exit(0);',
    );
    let text = "";
    child.stdout?.on("data", (data) => {
      text += data;
    });
    await once(child, "close");
    const groups = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).group);
    expect(groups).toEqual(Array.from({ length: 2000 }, (_, index) => index));
  });

  test("a reader that takes nothing costs lines, but neither the process's memory nor its end", async () => {
    const child = run(`const pad = "x".repeat(10_000);
      for (let i = 0; i < 5000; i++) log.info({ reason: pad }, "line");
      const { rss } = process.memoryUsage();
      const isWritten = await log.end();
      exitAtOnce(!isWritten && rss < 400 * 2 ** 20 ? 42 : 1);`);
    const [code] = await once(child, "exit");
    expect(code).toBe(42);
    child.stdout?.destroy();
  });
});
