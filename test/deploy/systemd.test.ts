// The units and what goes with them, judged by systemd's own tools in a root of its own, and against the configuration that is
// shipped with them.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, type TestContext, test } from "vitest";
import { loadConfig } from "../../src/server/config.ts";
import { debianTool } from "../support/debian-tool.ts";

const FOLDER = join(import.meta.dirname, "../../deploy/systemd");
const SYSTEM_UNITS = "/usr/lib/systemd/system";
const SOCKETS = ["iommu-broker.socket", "iommu-broker-fds.socket", "iommu-broker-admin.socket"];
/** 2.0, in the tenths that systemd-analyze takes. */
const EXPOSURE_MAX = "20";
const VARIANTS: readonly (readonly [name: string, dropIns: readonly string[]])[] = [
  ["simulated", []],
  ["native", ["native.conf"]],
  ["native, binding devices", ["native.conf", "bind-devices.conf"]],
  ["native, vending devices", ["native.conf", "vended.conf"]],
  ["native, with counters", ["native.conf", "counters.conf"]],
];

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "systemd-"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function systemd(context: TestContext, tool: string, ...args: readonly string[]) {
  return debianTool(context, tool, { from: "systemd", args });
}

/** Copies a file of deploy/systemd into the root. */
function put(file: string, place: string): string {
  const target = join(root, place);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(FOLDER, file), target);
  return target;
}

/** The host's own units, for what ours depend on; ours; and something where the programs will be. */
function putUnits(dropIns: readonly string[]): void {
  cpSync(SYSTEM_UNITS, join(root, SYSTEM_UNITS), { recursive: true, verbatimSymlinks: true });
  for (const unit of ["iommu-broker.service", ...SOCKETS]) put(unit, join(SYSTEM_UNITS, unit));
  for (const dropIn of dropIns) put(dropIn, join("etc/systemd/system/iommu-broker.service.d", dropIn));
  for (const program of ["usr/bin/iommu-brokerd", "bin/kill"]) {
    mkdirSync(join(root, dirname(program)), { recursive: true });
    writeFileSync(join(root, program), "#!/bin/sh\n");
    chmodSync(join(root, program), 0o755);
  }
}

/** Key=value lines of a unit, the values of each key in order. */
function settingsOf(file: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of readFileSync(join(FOLDER, file), "utf8").split("\n")) {
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}

function shippedConfig() {
  const loaded = loadConfig({ file: join(FOLDER, "config.yaml"), environment: {}, assignments: [] });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

describe.for(VARIANTS)("the service, %s", ([, dropIns]) => {
  test("is exposed by 2.0 at most, as systemd-analyze counts", (context) => {
    systemd(context, "systemd-analyze", "--version");
    putUnits(dropIns);
    const args = ["security", "--offline=true", `--threshold=${EXPOSURE_MAX}`, "--no-pager", `--root=${root}`];
    const { status, stdout } = systemd(context, "systemd-analyze", ...args, "iommu-broker.service");
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/Overall exposure level for iommu-broker.service: [012]\.\d/);
  });

  test("and its sockets have nothing that systemd-analyze would complain of", (context) => {
    systemd(context, "systemd-analyze", "--version");
    putUnits(dropIns);
    const units = ["iommu-broker.service", ...SOCKETS];
    const { status, stderr } = systemd(context, "systemd-analyze", "verify", `--root=${root}`, ...units);
    // The host's own units may have something; what concerns ours names them.
    expect(stderr.split("\n").filter((line) => line.includes("iommu-broker"))).toEqual([]);
    expect(status, stderr).toBe(0);
  });
});

test("systemd-analyze complains of a setting that there is none of, so its silence says something", (context) => {
  systemd(context, "systemd-analyze", "--version");
  putUnits([]);
  const unit = join(root, SYSTEM_UNITS, "iommu-broker.service");
  writeFileSync(unit, readFileSync(unit, "utf8").replace("WatchdogSec=", "WatchdogSecs="));
  const { stderr } = systemd(context, "systemd-analyze", "verify", `--root=${root}`, "iommu-broker.service");
  expect(stderr).toContain("WatchdogSecs");
});

test("each socket has the name that the daemon knows it by, at the path of the shipped configuration", () => {
  const { admin, fdSocket, listen, metrics } = shippedConfig();
  const expected = { api: listen.socket, fds: fdSocket, admin: admin.socket };
  const found = SOCKETS.map((unit) => {
    const settings = settingsOf(unit);
    return [settings.get("FileDescriptorName")?.[0], settings.get("ListenStream")?.join()];
  });
  expect(Object.fromEntries(found)).toEqual(expected);
  expect(metrics.socket).toBeUndefined();
});

test("the shipped configuration keeps its state and finds guests' memory where the units and tmpfiles make room", () => {
  const { memoryRoots, stateDirectory } = shippedConfig();
  const service = settingsOf("iommu-broker.service");
  expect(stateDirectory).toBe(`/var/lib/${service.get("StateDirectory")}`);
  const lines = readFileSync(join(FOLDER, "tmpfiles.conf"), "utf8").split("\n");
  const made = lines.flatMap((line) => /^d (\S+) /.exec(line)?.[1] ?? []);
  for (const { path } of memoryRoots) expect(made).toContain(path);
  for (const unit of SOCKETS) expect(made).toContain(dirname(settingsOf(unit).get("ListenStream")?.[0] ?? ""));
});

test("systemd gives the daemon longer to stop than the daemon takes", () => {
  const seconds = Number(settingsOf("iommu-broker.service").get("TimeoutStopSec")?.[0]?.replace("s", ""));
  expect(seconds * 1000).toBeGreaterThan(2 * shippedConfig().timing.gracePeriodMs);
});

test("sysusers makes the user and both groups, and tmpfiles the directories with them", (context) => {
  systemd(context, "systemd-sysusers", "--version");
  mkdirSync(join(root, "etc"));
  put("sysusers.conf", "usr/lib/sysusers.d/iommu-broker.conf");
  const users = systemd(context, "systemd-sysusers", `--root=${root}`);
  expect(users.status, users.stderr).toBe(0);
  const passwd = readFileSync(join(root, "etc/passwd"), "utf8");
  const [, uid, gid] = /^iommu-broker:x:(\d+):(\d+):/m.exec(passwd) ?? [];
  const clients = /^iommu-broker-clients:x:(\d+):/m.exec(readFileSync(join(root, "etc/group"), "utf8"))?.[1];
  expect(gid).not.toBe(clients);

  // An ACL's names are looked up on the host, which has no such user: its number stands for it here.
  const conf = put("tmpfiles.conf", "usr/lib/tmpfiles.d/iommu-broker.conf");
  writeFileSync(conf, readFileSync(conf, "utf8").replace("user:iommu-broker:", `user:${uid}:`));
  mkdirSync(join(root, "dev/shm"), { recursive: true });
  const made = systemd(context, "systemd-tmpfiles", `--root=${root}`, "--create", "iommu-broker.conf");
  expect(made.stderr).toBe("");
  expect(made.status).toBe(0);
  const shown = (path: string) =>
    debianTool(context, "stat", { from: "coreutils", args: ["-c", "%a %u %g", path] }).stdout.trim();
  if (process.getuid?.() !== 0) return; // another user cannot chown
  expect(shown(join(root, "run/iommu-broker"))).toBe(`750 0 ${clients}`);
  expect(shown(join(root, "dev/shm/iommu-broker"))).toBe(`1770 0 ${clients}`);

  // A VMM's file of mode 0660 is the broker's to open, and no other client's: that is what the ACL is for.
  chmodSync(root, 0o755);
  const memory = join(root, "dev/shm/iommu-broker/ram");
  const asUser = (user: number, script: string): number | null =>
    spawnSync(process.execPath, ["-e", `process.umask(0o007); ${script}`], { uid: user, gid: Number(clients) }).status;
  const open = `require("node:fs").openSync(${JSON.stringify(memory)}, "r+")`;
  const [vmm, otherClient] = [54_321, 54_322];
  expect(asUser(vmm, `require("node:fs").writeFileSync(${JSON.stringify(memory)}, "")`)).toBe(0);
  expect(asUser(Number(uid), open)).toBe(0);
  // With bind-devices.conf it is root without a single capability, who is a user like any other then.
  const powerless = ["--bounding-set=-all", "--inh-caps=-all", process.execPath, "-e", open];
  expect(debianTool(context, "setpriv", { from: "util-linux", args: powerless }).status).toBe(0);
  expect(asUser(otherClient, open)).toBe(1);
  expect(asUser(otherClient, `require("node:fs").unlinkSync(${JSON.stringify(memory)})`)).toBe(1);
});

test("udev's rules are matches and assignments, and their group is the service's own", () => {
  const rules = readFileSync(join(FOLDER, "60-iommu-broker.rules"), "utf8")
    .split("\n")
    .filter((line) => /^[^#]/.test(line));
  const group = settingsOf("iommu-broker.service").get("Group")?.[0];
  expect(rules).toHaveLength(2);
  // udev(7): comma-separated key, operator, quoted value; "==" compares, "=" assigns.
  for (const rule of rules) {
    expect(rule).toMatch(/^(?:(?:SUBSYSTEM|KERNEL)=="[^"]+", )+GROUP="[^"]+", MODE="0[0-7]{3}"(?:, TAG\+="systemd")?$/);
    expect(rule).toContain(`GROUP="${group}"`);
  }
  const allowed = readFileSync(join(import.meta.dirname, "../../docs/native.md"), "utf8");
  for (const rule of rules) expect(allowed).toContain(rule);
});

test("the modules are names, one a line", () => {
  const lines = readFileSync(join(FOLDER, "modules-load.conf"), "utf8").trim().split("\n");
  expect(lines.filter((line) => !line.startsWith("#"))).toEqual(["iommufd", "vfio-pci"]);
});

test("every file there is looked at here", () => {
  const known = [
    "60-iommu-broker.rules",
    "bind-devices.conf",
    "config.yaml",
    "counters.conf",
    "iommu-broker.service",
    "modules-load.conf",
    "native.conf",
    "sysusers.conf",
    "tmpfiles.conf",
    "vended.conf",
    ...SOCKETS,
  ];
  expect(
    globSync(join(FOLDER, "**"))
      .map((path) => basename(path))
      .filter((name) => name !== "systemd")
      .toSorted(),
  ).toEqual(known.toSorted());
});
