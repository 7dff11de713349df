import { expect, test } from "vitest";
import { parseCommandLine } from "../../src/server/command-line.ts";

function parse(...argv: string[]) {
  return parseCommandLine(argv, {}, "1.2.3");
}

function textOf(...argv: string[]): string {
  const invocation = parse(...argv);
  return invocation.kind === "exit" ? invocation.text : "";
}

test("without arguments the daemon runs with the built-in configuration", () => {
  expect(parse()).toEqual({ kind: "run", file: undefined, assignments: [] });
});

test("the file comes from --config, else from the environment", () => {
  const environment = { IOMMU_BROKER_CONFIG: "/etc/a.yaml" };
  expect(parseCommandLine([], environment, "")).toMatchObject({ file: "/etc/a.yaml" });
  expect(parseCommandLine(["--config", "/etc/b.yaml"], environment, "")).toMatchObject({ file: "/etc/b.yaml" });
});

test("flags become settings under their own name, --set last", () => {
  expect(
    parse(
      ...["--set", "limits.sessions_max=3", "--listen-socket", "/run/s", "--simulator-api"],
      ...["--memory-root", "/a", "--memory-root", "/b,c", "--set", "log.level=debug"],
    ),
  ).toMatchObject({
    assignments: [
      { path: "listen.socket", text: "/run/s", source: "--listen-socket" },
      { path: "memory_roots", text: ["/a", "/b,c"], source: "--memory-root" },
      { path: "simulator_api", text: "true", source: "--simulator-api" },
      { path: "limits.sessions_max", text: "3", source: "--set" },
      { path: "log.level", text: "debug", source: "--set" },
    ],
  });
});

test("--no-simulator-api switches it off over the file", () => {
  expect(parse("--no-simulator-api")).toMatchObject({ assignments: [{ path: "simulator_api", text: "false" }] });
});

test("a value may hold an equals sign", () => {
  expect(parse("--set", "listen.socket=/run/a=b")).toMatchObject({ assignments: [{ text: "/run/a=b" }] });
});

test("--check-config and --print-config are told apart from running", () => {
  expect(parse("--check-config").kind).toBe("check");
  expect(parse("--print-config").kind).toBe("print");
});

test("--doctor examines, whatever the settings, and --json is for it alone", () => {
  expect(parseCommandLine(["--doctor"], {}, "1.2.3")).toEqual({ kind: "doctor", asJson: false });
  expect(parseCommandLine(["--doctor", "--json"], {}, "1.2.3")).toEqual({ kind: "doctor", asJson: true });
  expect(parseCommandLine(["--json"], {}, "1.2.3")).toMatchObject({ kind: "exit", code: 64 });
});

test("--version prints it and exits 0", () => {
  expect(parse("--version")).toEqual({ kind: "exit", code: 0, text: "1.2.3\n" });
});

test("--help teaches: precedence, an example that can be copied, signals and exit codes", () => {
  const help = textOf("--help");
  for (const taught of ["IOMMU_BROKER_LIMITS_SESSIONS_MAX", "--print-config > broker.yaml", "SIGTERM", "70 a bug"]) {
    expect(help).toContain(taught);
  }
  expect(parse("--help")).toMatchObject({ code: 0 });
});

test.each([
  [["--colour"], "unknown option '--colour'"],
  [["--config"], "argument missing"],
  [["run"], "too many arguments"],
  [["--set", "limits.sessions_max"], "write it as path=value"],
  [["--log-level", "loud"], "Allowed choices are"],
])("%j is refused with exit 1 and a way on", (argv, expected) => {
  const invocation = parse(...argv);
  expect(invocation).toMatchObject({ kind: "exit", code: 64 });
  expect(textOf(...argv)).toContain(expected);
  expect(textOf(...argv)).toContain("--help explains");
});

test("--explain-policy takes its question, and needs whose call and which", () => {
  const words = ["--explain-policy", "--as", "uid=1001", "--verb", "AttachDevice", "--device", "0000:01:00.0"];
  expect(parse(...words, "--config", "/etc/a.yaml")).toMatchObject({
    kind: "explain-policy",
    file: "/etc/a.yaml",
    question: { as: "uid=1001", verb: "AttachDevice", device: "0000:01:00.0", path: undefined },
  });
  expect(parse("--explain-policy", "--verb", "AttachDevice")).toMatchObject({ kind: "exit", code: 64 });
  expect(textOf("--as", "uid=1")).toContain("--as is for --explain-policy");
});
