import { expect, test } from "vitest";
import { run } from "../../src/cli/program.ts";

const TOKEN = { IOMMUBROKER_SESSION_TOKEN: "token" };

async function iommuctl(argv: readonly string[], environment: Readonly<Record<string, string>> = TOKEN) {
  let [out, err] = ["", ""];
  const code = await run(argv, {
    environment,
    terminal: { columns: undefined, hasColour: false },
    version: "1.2.3",
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    taken: async () => {},
    gone: new AbortController().signal,
  });
  return { code, out, err };
}

test("--version and --help answer on standard output", async () => {
  expect(await iommuctl(["--version"])).toEqual({ code: 0, out: "1.2.3\n", err: "" });
  const help = await iommuctl(["--help"]);
  expect(help).toMatchObject({ code: 0, err: "" });
  expect(help.out).toMatch(/IOMMUBROKER_SESSION_TOKEN[\s\S]*\nExit:\n +0 {2}done\n[\s\S]*\n +64 {2}the command line/);
});

test("faults --help teaches with examples", async () => {
  const { code, out } = await iommuctl(["faults", "--help"]);
  expect(code).toBe(0);
  expect(out).toMatch(/Examples:\n +iommuctl faults\n +the last 50 .*\n +iommuctl faults -f 0000:01:00\.0\n/);
});

test("faults on a socket of the API needs a session's token", async () => {
  const { code, err } = await iommuctl(["faults", "--socket", "/nonexistent/broker.sock"], {});
  expect(code).toBe(64);
  expect(err).toMatch(/no session token/);
});

test("no option takes the token itself", async () => {
  const { out } = await iommuctl(["explain", "--help"]);
  expect(out.match(/^ +--token.*$/gm)).toEqual([expect.stringContaining("--token-file <file>")]);
});

test.each<[string, string[], RegExp]>([
  ["no command", [], /Commands:\n +capabilities/],
  ["an unknown command", ["frob"], /unknown command 'frob'/],
  ["no device", ["explain"], /missing required argument 'device'/],
  ["no address", ["explain", "d"], /missing required argument 'iova'/],
  ["too much", ["explain", "d", "0", "1"], /too many arguments/],
  ["an unknown option", ["explain", "d", "0", "--frob"], /unknown option '--frob'/],
  ["an address in words", ["explain", "d", "0xzz"], /Write it as 0x7fff_dead_b000/],
  ["an address below 0", ["explain", "d", "--", "-1"], /Write it as/],
  ["an empty address", ["explain", "d", ""], /Write it as/],
  ["an address of 65 bits", ["explain", "d", "0x1_0000_0000_0000_0000"], /must fit 64 bits/],
  ["an address without an end", ["explain", "d", "1".repeat(100_000)], /Write it as/],
  ["a SubstreamID of 21 bits", ["explain", "d", "0", "--substream", "1048576"], /must be 0 to 1048575/],
  ["a SubstreamID in words", ["explain", "d", "0", "--substream", "x"], /must be 0 to 1048575/],
  ["a ninth StreamID", ["explain", "d", "0", "--stream-index", "8"], /must be 0 to 7/],
  ["an unknown access", ["explain", "d", "0", "--access", "burn"], /Allowed choices are read, write, execute/],
  ["two brokers", ["explain", "d", "0", "--socket", "/x", "--address", "h:1"], /cannot be used with/],
  ["no address for an address", ["explain", "d", "0", "--address", "h"], /is not HOST:PORT/],
  ["minus one line", ["faults", "-n", "-1"], /must be 0 to 100000/],
  ["too many lines", ["faults", "-n", "100001"], /must be 0 to 100000/],
  ["a number to resume without a device", ["faults", "-f", "--resume", "41"], /Write it as 0000:01:00.0=41/],
  ["a number of 65 bits", ["faults", "-f", "--resume", `d=${2n ** 64n}`], /Write it as/],
  ["to resume without following", ["faults", "--resume", "d=1"], /--resume goes on with --follow/],
  ["an unknown choice of colours", ["faults", "--color", "red"], /Allowed choices are auto, always, never/],
  ["two sockets", ["faults", "--admin-socket", "/x", "--socket", "/y"], /cannot be used with/],
  ["a session on the admin socket", ["faults", "--admin-socket", "/x", "--token-file", "/y"], /cannot be used with/],
])("%s is a usage error", async (_what, argv, message) => {
  const { code, err, out } = await iommuctl(argv);
  expect([code, out]).toEqual([64, ""]);
  expect(err).toMatch(message);
});

test("no token is a usage error before anything is connected", async () => {
  const { code, err } = await iommuctl(["explain", "d", "0", "--socket", "/nonexistent/broker.sock"], {});
  expect(code).toBe(64);
  expect(err).toMatch(/no session token/);
});

test("a socket that is not there is told with what to do", async () => {
  const { code, err } = await iommuctl(["explain", "d", "0", "--socket", "/nonexistent/broker.sock"]);
  expect(code).toBe(4);
  expect(err).toMatch(/ENOENT \/nonexistent\/broker\.sock[\s\S]*is iommu-brokerd running there\?.*systemctl start/);
});

test("what was typed is escaped where it is repeated", async () => {
  const { err } = await iommuctl(["explain", "d", "\u001b[2J"]);
  expect(err).toContain("\\u{1b}[2J");
  expect(err).not.toContain("\u001b");
});
