import { describe, expect, test } from "vitest";
import { run } from "../../src/cli/program.ts";
import { type RpcServer, serve } from "../support/rpc-server.ts";

/** A run of iommuctl devices, and what it has said so far. */
function started(target: string, ...argv: string[]) {
  const gone = new AbortController();
  const said = { out: "", err: "" };
  const ended = run(["devices", "--socket", target.slice("unix:".length), ...argv], {
    environment: { IOMMUBROKER_SESSION_TOKEN: "t".repeat(43) },
    terminal: { columns: undefined, hasColour: false },
    version: "1.2.3",
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    taken: async () => {},
    gone: gone.signal,
  });
  return { said, ended, gone };
}

async function synced(server: RpcServer, count: number): Promise<void> {
  await expect.poll(() => server.core.watches.length, { timeout: 5000 }).toBe(count);
  server.core.watches.at(-1)?.push({ mark: "synced", changes: [], version: "7-1" });
}

describe("without a broker", () => {
  test.each([["--watch"], ["--watch", "--json"], ["--mine"]])("devices %s ends with 4 and says so", async (...argv) => {
    const { ended, said } = started("unix:/nonexistent/broker.sock", ...argv);
    expect([await ended, said.out]).toEqual([4, ""]);
    expect(said.err).toContain("cannot reach a broker at /nonexistent/broker.sock");
  });
});

test("--watch says that the broker is gone, and that it is back, and prints neither among the devices", async () => {
  const server = await serve();
  server.core.sessions.authenticate = () => "a session";
  const { ended, gone, said } = started(server.target, "--watch");
  await synced(server, 1);
  await expect.poll(() => said.out).toContain("that is all there is");
  await server.restart();
  await synced(server, 2);
  await expect.poll(() => said.err).toContain("the broker is back; going on after the last change seen\n");
  expect(said.err.split("\n")).toHaveLength(3);
  expect(said.err).toMatch(/^iommuctl: the broker is gone \(.+\); waiting for it\n/);
  expect(said.out).not.toContain("void");
  gone.abort();
  expect(await ended).toBe(0);
});

test("--watch ends with 0 where its reader goes before the first device is told", async () => {
  const server = await serve();
  server.core.sessions.authenticate = () => "a session";
  const { ended, gone } = started(server.target, "--watch");
  await expect.poll(() => server.core.watches.length).toBe(1);
  gone.abort();
  expect(await ended).toBe(0);
});
