// Tries what is installed as its users get it: the first two stages of the Dockerfile, command by command, in a directory
// of their own (npm ci, npm pack, deploy/install.sh from the tarball), and then the installed programs. Nothing of this
// tree's node_modules or dist is used, but for the Node that is pinned there. Needs npm's registry, or its cache.
// Usage: npm run test:package

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type Instruction, stagesOf } from "./package/dockerfile-stages.ts";
import { brokenLinksOf } from "./package/document-links.ts";

const ROOT = join(import.meta.dirname, "..");
const work = mkdtempSync(join(tmpdir(), "iommu-broker-package-"));
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;

/** What the tarball may hold: everything else is an oversight. */
const PACKED =
  /^package\/(?:(?:dist|proto|docs|deploy|examples)\/.+|package\.json|README\.md|ARCHITECTURE\.md|CHANGELOG\.md|CONTRIBUTING\.md|LICENSE)$/;
/** Exit code of scripts/package/boot.sh. */
const NO_CONTAINER = 77;
const NOT_PACKED = /\.test\.|\/test\/|node_modules|\/rust\/target\/|__pycache__|\.tsbuildinfo$|\.log$|~$/;
/** What it must hold. */
const NEEDED = [
  "dist/server/main.js",
  "dist/server/main.cjs",
  "dist/LICENSES-OF-OTHERS.txt",
  "dist/client/client.d.ts",
  "dist/os/kernel-worker.js",
  "dist/server/rpc/generated/messages.js",
  "dist/cli/main.js",
  "dist/client/client.js",
  "proto/iommubroker/v1/broker.proto",
  "deploy/install.sh",
  "deploy/simulated.yaml",
  "deploy/systemd/iommu-broker.service",
  "deploy/kubernetes/base/kustomization.yaml",
  "deploy/prometheus/alerts.yaml",
  "docs/operations.md",
  "docs/iommuctl.1",
  "examples/python/life_cycle.py",
];

function step(text: string): void {
  console.log(`-- ${text}`);
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Runs one instruction of a stage whose root is `stage`; gives the working directory after it. */
function build({ keyword, words }: Instruction, stage: string, at: string): string {
  if (keyword === "WORKDIR") {
    const directory = join(stage, words[0] ?? "");
    mkdirSync(directory, { recursive: true });
    return directory;
  }
  if (keyword === "COPY") {
    const from = words[0]?.startsWith("--from=") ? join(work, words[0].slice("--from=".length)) : ROOT;
    const paths = words.filter((word) => !word.startsWith("--"));
    const target = paths.pop() ?? "";
    for (const source of paths.flatMap((path) => globSync(join(from, path)))) {
      const place = target.endsWith("/") ? join(at, target, source.slice(dirname(source).length)) : join(at, target);
      cpSync(source, place, { recursive: true });
    }
  }
  if (keyword === "RUN") {
    step(words.join(" "));
    execFileSync("sh", ["-c", words.join(" ")], { cwd: at, env: { ...process.env, PATH }, stdio: "inherit" });
  }
  return at;
}

function buildStages(names: readonly string[]): void {
  const stages = stagesOf(readFileSync(join(ROOT, "deploy/docker/Dockerfile"), "utf8"));
  for (const name of names) {
    const stage = stages.find((each) => each.name === name);
    check(stage !== undefined, `the Dockerfile has no stage ${name}`);
    let at = join(work, name);
    for (const instruction of stage?.instructions ?? []) at = build(instruction, join(work, name), at);
  }
}

function checkTarball(): void {
  const [tarball = ""] = globSync(join(work, "build/src/iommu-broker-*.tgz"));
  const files = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
  const strange = files.filter((file) => !PACKED.test(file) || NOT_PACKED.test(file));
  check(strange.length === 0, `the tarball holds ${strange.join(", ")}`);
  const missing = NEEDED.filter((file) => !files.includes(`package/${file}`));
  check(missing.length === 0, `the tarball lacks ${missing.join(", ")}`);
  step(`the tarball: ${files.length} files, ${(statSync(tarball).size / 1024).toFixed(0)} KiB`);
}

/** What is for people to read, and for their shells. */
function checkLayout(image: string): void {
  for (const path of [
    "usr/lib/systemd/system/iommu-broker.socket",
    "usr/share/doc/iommu-broker/docs/operations.md",
    "usr/share/man/man1/iommuctl.1",
    "usr/share/bash-completion/completions/iommuctl",
    "usr/share/zsh/vendor-completions/_iommuctl",
  ]) {
    check(existsSync(join(image, path)), `${path} is not installed`);
  }
  for (const tree of ["usr/share/doc/iommu-broker", "usr/lib/iommu-broker/node_modules/iommu-broker"]) {
    const broken = brokenLinksOf(join(image, tree));
    check(broken.length === 0, `in ${tree}: ${broken.join(", ")}`);
  }
}

/** The wrappers name the place that they will have: here they are read, and run from where they are. */
function program(image: string, name: string): readonly [string, ...string[]] {
  const wrapper = readFileSync(join(image, "usr/bin", name), "utf8");
  const [, node, main] = /^exec (\S+) (\S+) "\$@"$/m.exec(wrapper) ?? [];
  check(node !== undefined && main !== undefined, `${name} is not what install.sh writes`);
  return [node ?? "", join(image, main ?? "")];
}

function output(image: string, name: string, args: readonly string[], codes: readonly number[] = [0]): string {
  const [node, ...main] = program(image, name);
  step(`${name} ${args.join(" ").replaceAll(work, "…")}`);
  const { status, stderr, stdout } = spawnSync(node, [...main, ...args], { encoding: "utf8" });
  check(codes.includes(status ?? -1), `${name} ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

async function tryDaemon(image: string, config: string): Promise<void> {
  const [node, ...main] = program(image, "iommu-brokerd");
  step("iommu-brokerd, started, asked and stopped");
  const daemon = spawn(node, [...main, "--config", config], { stdio: ["ignore", "pipe", "inherit"] });
  const exited: Promise<unknown[]> = once(daemon, "exit");
  try {
    await listening(daemon);
    // No admin right is needed to ask; what doctor finds of a simulated host is nothing amiss.
    const found = output(image, "iommuctl", ["doctor", "--socket", join(work, "run/broker.sock")]);
    process.stdout.write(found);
    const devices = output(image, "iommuctl", ["devices", "--socket", join(work, "run/broker.sock")]);
    check(devices.includes("0000:01:00.0"), `iommuctl devices does not list the simulated devices: ${devices}`);
    daemon.kill("SIGTERM");
    const [code] = await exited;
    check(code === 0, `the daemon ended with ${code}`);
  } finally {
    daemon.kill("SIGKILL");
  }
}

async function listening(daemon: ChildProcess): Promise<void> {
  if (daemon.stdout === null) throw new Error("no output");
  for await (const line of createInterface({ input: daemon.stdout })) {
    if (line.includes("listening for administrators")) return;
  }
  throw new Error("the daemon ended before it listened");
}

/** The shipped configuration, with its paths beneath the working directory. */
function configHere(image: string): string {
  const shipped = readFileSync(join(image, "etc/iommu-broker/config.yaml"), "utf8");
  const here = shipped
    .replaceAll("/run/iommu-broker/", `${work}/run/`)
    .replaceAll("/dev/shm/iommu-broker", `${work}/memory`)
    .replaceAll("/var/lib/iommu-broker", `${work}/state`)
    .replace("127.0.0.1:9401", "127.0.0.1:0");
  mkdirSync(join(work, "memory"));
  const path = join(work, "config.yaml");
  writeFileSync(path, here);
  return path;
}

/** As an upgrade does: the operator's configuration stays, and the one that came lies beside it. */
function installAgain(image: string): void {
  const config = join(image, "etc/iommu-broker/config.yaml");
  const shipped = readFileSync(config, "utf8");
  const own = `# mine\n${shipped}`;
  writeFileSync(config, own);
  const [tarball = ""] = globSync(join(work, "layout/layout/iommu-broker-*.tgz"));
  step("install.sh over what is installed");
  execFileSync(join(ROOT, "deploy/install.sh"), ["--destdir", image, "--node", process.execPath, tarball], {
    env: { ...process.env, PATH },
    stdio: "inherit",
  });
  check(readFileSync(config, "utf8") === own, "an upgrade changed the configuration");
  check(readFileSync(`${config}.new`, "utf8") === shipped, "an upgrade did not leave the newer configuration");
}

/** Under a real systemd, in a container; only root can make one. */
function boot(image: string): void {
  const canBoot = process.getuid?.() === 0 && spawnSync("systemd-nspawn", ["--version"]).status === 0;
  if (!canBoot) {
    check(process.env.IOMMU_BROKER_REQUIRE_INTEROP !== "1", "needs root, and Debian's package systemd-container");
    step("skipped: systemd's part needs root, and Debian's package systemd-container");
    return;
  }
  step("systemd, booted in a container");
  const own = spawnSync("unshare", ["--mount", "true"], { encoding: "utf8" });
  if (own.status !== 0) {
    step(`skipped: this machine gives root no mount namespace, and without one no container: ${own.stderr}`);
    return;
  }
  const script = join(ROOT, "scripts/package/boot.sh");
  const args = ["--mount", "--propagation", "private", "sh", script, image, process.execPath];
  const { status, stderr, stdout } = spawnSync("unshare", args, { encoding: "utf8" });
  process.stdout.write(stdout);
  if (status === NO_CONTAINER) {
    // No package mends that: root of a container that may not mount, for one.
    step(`skipped: no systemd could be booted here, which says nothing of the package:\n${stderr}`);
    return;
  }
  check(stdout.endsWith("systemd ran it as it should\n"), `under systemd it did not do what it should:\n${stderr}`);
}

try {
  buildStages(["build", "layout"]);
  checkTarball();
  const image = join(work, "layout/layout/image");
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  check(output(image, "iommu-brokerd", ["--version"]).trim() === version, "another version is installed");
  check(output(image, "iommuctl", ["--version"]).trim() === version, "another version is installed");
  output(image, "iommu-brokerd", ["--config", join(image, "etc/iommu-broker/config.yaml"), "--check-config"]);
  checkLayout(image);
  await tryDaemon(image, configHere(image));
  installAgain(image);
  boot(image);
  step("everything works as installed");
} finally {
  rmSync(work, { recursive: true, force: true });
}
