// Builds and runs the examples in other languages against a broker, each where its toolchain is there, as docs/clients.md
// tells a reader to. Each fetches its own libraries (Go modules, crates), so this is no part of npm test.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBroker } from "../examples/support/broker-process.ts";

const ROOT = join(import.meta.dirname, "..");
const PROTO = join(ROOT, "proto");
const GO_STATUS = "google.golang.org/genproto/googleapis/rpc/status";

interface Language {
  readonly name: string;
  /** Programs that must be there. */
  readonly needs: readonly string[];
  /** Builds in `folder` and gives the command that takes the socket. */
  readonly build: (folder: string) => readonly [string, ...string[]];
}

const run = (command: string, argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): void => {
  execFileSync(command, argv, { cwd, env, stdio: ["ignore", "ignore", "inherit"] });
};

const protosOf = (folder: string): string[] =>
  readdirSync(join(PROTO, folder))
    .filter((file) => file.endsWith(".proto"))
    .map((file) => `${folder}/${file}`);

function buildCpp(folder: string): [string, ...string[]] {
  const protos = [...protosOf("iommubroker/v1"), ...protosOf("google/rpc")];
  const plugin = execFileSync("sh", ["-c", "command -v grpc_cpp_plugin"], { encoding: "utf8" }).trim();
  const options = [`-I${PROTO}`, "--cpp_out=.", "--grpc_out=.", `--plugin=protoc-gen-grpc=${plugin}`];
  run("protoc", [...options, ...protos], folder);
  const flags = execFileSync("pkg-config", ["--cflags", "--libs", "grpc++", "protobuf"], { encoding: "utf8" });
  const sources = protos.flatMap((proto) => [".pb.cc", ".grpc.pb.cc"].map((end) => proto.replace(".proto", end)));
  const main = join(ROOT, "examples/cpp/main.cc");
  run("g++", ["-std=c++17", "-I.", main, ...sources, ...flags.trim().split(/\s+/), "-o", "ask"], folder);
  return [join(folder, "ask")];
}

function buildGo(folder: string): [string, ...string[]] {
  const bin = join(folder, "bin");
  const env = { ...process.env, GOBIN: bin, PATH: `${bin}:${process.env.PATH ?? ""}` };
  cpSync(join(ROOT, "examples/go"), folder, { recursive: true });
  run("go", ["mod", "init", "example"], folder, env);
  run("go", ["install", "google.golang.org/protobuf/cmd/protoc-gen-go@latest"], folder, env);
  run("go", ["install", "google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest"], folder, env);
  const protos = protosOf("iommubroker/v1");
  const packages = [
    ...protos.map((proto) => `M${proto}=example/iommubroker/v1`),
    `Mgoogle/rpc/status.proto=${GO_STATUS}`,
  ];
  const options = ["go", "go-grpc"].flatMap((plugin) =>
    ["module=example", ...packages].map((option) => `--${plugin}_opt=${option}`),
  );
  run("protoc", [`-I${PROTO}`, "--go_out=.", "--go-grpc_out=.", ...options, ...protos], folder, env);
  run("go", ["mod", "tidy"], folder, env);
  run("go", ["build", "-o", "ask", "."], folder, env);
  return [join(folder, "ask")];
}

function buildRust(folder: string): [string, ...string[]] {
  const crate = join(folder, "examples/rust");
  mkdirSync(join(folder, "examples"));
  cpSync(join(ROOT, "examples/rust"), crate, { recursive: true });
  cpSync(PROTO, join(folder, "proto"), { recursive: true });
  run("cargo", ["build", "--quiet"], crate);
  return [join(crate, "target/debug/iommu-broker-example")];
}

const LANGUAGES: readonly Language[] = [
  { name: "C++", needs: ["g++", "protoc", "grpc_cpp_plugin", "pkg-config"], build: buildCpp },
  { name: "Go", needs: ["go", "protoc"], build: buildGo },
  { name: "Rust", needs: ["cargo", "protoc"], build: buildRust },
];

const isThere = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** The lines that each prints, but for how its library spells the code of the refusal. */
const EXPECTED = [
  /^iommus\/smmu0 nests: true$/,
  /^iommus\/smmu1 nests: true$/,
  /^session open, address space made: (?:true|1)$/,
  /^refused: \S+ DEVICE_UNKNOWN$/,
  /^session closed$/,
];

async function tryOne({ build, name, needs }: Language): Promise<"passed" | "failed" | "skipped"> {
  const missing = needs.filter((program) => !isThere(program));
  if (missing.length > 0) {
    console.log(`${name}: skipped, ${missing.join(", ")} not installed`);
    return "skipped";
  }
  const folder = mkdtempSync(join(tmpdir(), "iommu-broker-client-"));
  const broker = await startBroker();
  try {
    console.log(`${name}: building`);
    const [command, ...argv] = build(folder);
    const lines = execFileSync(command, [...argv, broker.socket], { encoding: "utf8", timeout: 60_000 })
      .trim()
      .split("\n");
    const isRight = lines.length === EXPECTED.length && EXPECTED.every((line, index) => line.test(lines[index] ?? ""));
    console.log(`${name}: ${isRight ? "passed" : "failed"}\n${lines.map((line) => `  ${line}`).join("\n")}`);
    return isRight ? "passed" : "failed";
  } finally {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2);
const outcomes: string[] = [];
for (const language of LANGUAGES) {
  if (wanted.length === 0 || wanted.includes(language.name)) outcomes.push(await tryOne(language));
}
const count = (outcome: string): number => outcomes.filter((one) => one === outcome).length;
console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
process.exitCode = count("failed") === 0 ? 0 : 1;
