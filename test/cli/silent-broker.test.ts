import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../src/cli/program.ts";
import { SILENT } from "../support/iommuctl-process.ts";
import { type RpcServer, serve } from "../support/rpc-server.ts";
import { SilentProxy } from "../support/silent-proxy.ts";

const CALL_MS = 200;

/** A command behind a proxy, as it goes on, and what it has said. */
async function started(server: RpcServer, proxy: SilentProxy, argv: readonly string[]) {
  const session = await server.client().openSession({ displayName: "vm", leaseTtlMs: 1000, keepAlive: false });
  const directory = mkdtempSync(join(tmpdir(), "iommuctl-silent-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, session.token, { mode: 0o600 });
  const stop = new AbortController();
  const said = { out: "", err: "" };
  const ended = run([...argv, "--address", proxy.target, "--token-file", tokenFile], {
    ...SILENT,
    gone: stop.signal,
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
  });
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return { said, ended, stop };
}

test("session keep says that nobody answers, and goes on when somebody does", { timeout: 20_000 }, async () => {
  const server = await serve();
  const proxy = await SilentProxy.before(await server.listenTcp());
  const { said } = await started(server, proxy, ["session", "keep", "--json", "--timeout", `${CALL_MS}ms`]);
  const renewals = () => said.out.split("\n").length - 1;
  await expect.poll(renewals, { timeout: 10_000 }).toBe(1);
  proxy.silenceNew(1);
  await expect.poll(() => said.err, { timeout: 10_000 }).toBe("iommuctl: the broker is gone; waiting for it\n");
  await expect.poll(renewals, { timeout: 10_000 }).toBe(2);
});

test("devices --watch says that nobody answers, and goes on when somebody does", { timeout: 40_000 }, async () => {
  const server = await serve();
  const proxy = await SilentProxy.before(await server.listenTcp());
  const { said } = await started(server, proxy, ["devices", "--watch"]);
  await expect.poll(() => server.core.watches.length, { timeout: 10_000 }).toBe(1);
  server.core.watches[0]?.push({ mark: "synced", changes: [], version: "7-1" });
  await expect.poll(() => said.out, { timeout: 10_000 }).toMatch("that is all there is");
  proxy.silence();
  await expect.poll(() => server.core.watches.length, { timeout: 25_000 }).toBe(2);
  expect(said.err).toMatch(/^iommuctl: the broker is gone \(nothing came from the broker for 15000 ms/);
  server.core.watches[1]?.push({ mark: "synced", changes: [], version: "7-2" });
  await expect.poll(() => said.err, { timeout: 10_000 }).toMatch(/the broker is back; going on after the last change/);
});
