import { describe, expect, test, vi } from "vitest";
import { run } from "../../src/cli/program.ts";
import { NIC, NVME } from "../support/fake-core.ts";
import { batchOf, faultEvent, faultGap, resolution } from "../support/fault-samples.ts";
import { type RpcServer, serve } from "../support/rpc-server.ts";

/** A run of iommuctl faults as a session, and what it has said so far. */
async function started(server: RpcServer, ...argv: string[]) {
  return startedAt({ isWatched: false }, server, ...argv);
}

async function startedAt({ isWatched }: { isWatched: boolean }, server: RpcServer, ...argv: string[]) {
  const session = await server.session();
  const gone = new AbortController();
  const said = { out: "", err: "" };
  const ended = run(["faults", "--socket", server.target.slice("unix:".length), ...argv], {
    environment: { IOMMUBROKER_SESSION_TOKEN: session.token },
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
    isWatched,
  });
  return { session, said, ended, gone };
}

/** Device and number of each event's line, first number of each gap's, and what became of what waited. */
function told(out: string): string[] {
  const lines = out.split("\n").filter((line) => line !== "");
  return lines.map((line) => / (0000:\S+ #\d+)(?: (was \w+))?/.exec(line)?.slice(1).join(" ").trim() ?? line);
}

describe("without --follow", () => {
  test("the last events are printed, the oldest first, and that is all", async () => {
    const server = await serve();
    server.core.faults.list = () => ({ events: [faultEvent(9), faultEvent(8), faultEvent(7)], nextPageToken: "more" });
    const { ended, said } = await started(server, "-n", "2");
    expect([await ended, told(said.out), said.err]).toEqual([0, ["0000:01:00.0 #8", "0000:01:00.0 #9"], ""]);
    expect(server.core.subscriptions).toEqual([]);
  });

  test.each<[argv: string[], told: string]>([
    [[], "iommuctl: there are no faults of the session's devices\n"],
    [["0000:01:00.0"], "iommuctl: there are no faults of what was named\n"],
    [["--type", "C_BAD_CD"], "iommuctl: there are no faults of type C_BAD_CD of the session's devices\n"],
    [["-n", "0"], ""],
  ])("with %j and none to show, a terminal is told so, and nobody else", async (argv, told) => {
    const server = await serve();
    const watched = await startedAt({ isWatched: true }, server, ...argv);
    expect([await watched.ended, watched.said]).toEqual([0, { out: "", err: told }]);
    const piped = await startedAt({ isWatched: false }, server, ...argv);
    expect([await piped.ended, piped.said]).toEqual([0, { out: "", err: "" }]);
  });

  test("devices, types and diagnoses are asked for as the command line has them", async () => {
    const server = await serve();
    const argv = ["0000:01:00.0", "devices/0000:02:00.0", "--type", "C_BAD_CD", "--type", "C_BAD_STE"];
    const { ended } = await started(server, ...argv);
    expect(await ended).toBe(0);
    expect(server.core.argsOf("faults.list")).toEqual([
      { devices: [NVME, NIC], types: ["C_BAD_CD", "C_BAD_STE"], pageSize: 50, pageToken: "" },
    ]);
  });

  test("each event has its diagnosis, unless that is not wanted", async () => {
    const server = await serve();
    server.core.faults.list = () => ({ events: [faultEvent(1)], nextPageToken: "" });
    server.core.faults.diagnose = () => ({ verdict: "not-applicable", summary: "nobody knows" });
    const wanted = await started(server);
    await wanted.ended;
    expect(wanted.said.out).toContain(" — nobody knows\n");
    const unwanted = await started(server, "--no-diagnosis");
    await unwanted.ended;
    expect(unwanted.said.out).not.toContain("nobody knows");
  });

  test("an event name that is none exits 10 with the nearest there is", async () => {
    const server = await serve();
    const { ended, said } = await started(server, "--type", "C_BAD_C");
    expect([await ended, said.out]).toEqual([10, ""]);
    expect(said.err).toMatch(/types\[0\].*did you mean C_BAD_CD\?/);
  });

  test("colours are printed where they are asked for", async () => {
    const server = await serve();
    server.core.faults.list = () => ({ events: [faultEvent(1)], nextPageToken: "" });
    const { ended, said } = await started(server, "--color", "always");
    await ended;
    expect(said.out).toContain("\u001b[31m");
  });
});

describe("with --follow", () => {
  test("the past comes first, then each event once, gaps between them, and how what waited ended", async () => {
    const server = await serve();
    server.core.faults.list = () => ({ events: [faultEvent(8), faultEvent(7)], nextPageToken: "" });
    const { ended, gone, said } = await started(server, "-f");
    await vi.waitFor(() => expect(told(said.out)).toHaveLength(2));
    server.core.subscriptions[0]?.push({
      ...batchOf(faultEvent(7), faultEvent(8), faultEvent(12), faultEvent(2, { device: NIC }), resolution(7)),
      gaps: [faultGap({ first: 9, last: 11 }), faultGap({ device: NIC, first: 3, last: 4 })],
    });
    await vi.waitFor(() => expect(told(said.out)).toHaveLength(7));
    gone.abort();
    expect(await ended).toBe(0);
    expect(told(said.out)).toEqual([
      "0000:01:00.0 #7",
      "0000:01:00.0 #8",
      "0000:01:00.0 #9",
      "0000:01:00.0 #12",
      "0000:02:00.0 #2",
      "0000:02:00.0 #3",
      "0000:01:00.0 #7 was answered",
    ]);
  });

  test("a terminal is told that there is nothing yet and that it goes on", async () => {
    const { ended, gone, said } = await startedAt({ isWatched: true }, await serve(), "-f");
    const none = "iommuctl: there are no faults of the session's devices yet; waiting for the first\n";
    await vi.waitFor(() => expect(said).toEqual({ out: "", err: none }));
    gone.abort();
    expect(await ended).toBe(0);
  });

  test("--resume goes on after the numbers that it names, and prints no past", async () => {
    const server = await serve();
    const { ended, gone } = await started(server, "-f", "--resume", "0000:01:00.0=41", "--resume", "devices/x=0");
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(1));
    expect(server.core.argsOf("faults.subscribe")).toMatchObject([
      {
        resumeAfter: new Map<string, bigint>([
          [NVME, 41n],
          ["x", 0n],
        ]),
      },
    ]);
    gone.abort();
    expect(await ended).toBe(0);
    expect(server.core.argsOf("faults.list")).toEqual([]);
  });

  test("a broker that goes and comes back is told of, and what comes then goes on", async () => {
    const server = await serve();
    const { ended, gone, said } = await started(server, "-f", "-n", "0", "--json");
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(1));
    server.core.subscriptions[0]?.push(batchOf(faultEvent(1)));
    await vi.waitFor(() => expect(said.out).toContain('"sequence":"1"'));
    await server.restart();
    await vi.waitFor(() => expect(server.core.subscriptions).toHaveLength(2), { timeout: 5000 });
    server.core.subscriptions[1]?.push(batchOf(faultEvent(2)));
    await vi.waitFor(() => expect(said.out).toContain('"sequence":"2"'));
    gone.abort();
    expect(await ended).toBe(0);
    expect(said.err).toMatch(
      /^iommuctl: the broker is gone \(.*\); waiting for it\niommuctl: the broker is back; .*\n$/,
    );
  });

  test("the end of the session exits 3", async () => {
    const server = await serve();
    const { ended, said, session } = await started(server, "-f");
    await vi.waitFor(() => expect(server.core.argsOf("faults.list")).toHaveLength(1));
    server.core.expire(session.token);
    expect(await ended).toBe(3);
    expect(said.err).toMatch(/LEASE_EXPIRED/);
  });
});
