// docs/operations.md says only what there is: its flags, settings, variables of units, metrics and paths are looked up where
// they come from. Its commands are run by scripts/try-package.ts, systemd's included, but for those that need an engine or a cluster.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { METRICS } from "../../src/metrics/catalog.ts";
import { parseCommandLine } from "../../src/server/command-line.ts";
import { SETTINGS } from "../../src/server/config/settings.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const PAGE = read("docs/operations.md");
const CODE = [...PAGE.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);

function found(pattern: RegExp): string[] {
  const words = [...PAGE.matchAll(pattern)].map(([, word = ""]) => word);
  expect(words, `${pattern} finds something`).not.toEqual([]);
  return [...new Set(words)];
}

test("every file of deploy that it names is there", () => {
  for (const path of found(/(deploy\/[\w./-]*\w)/g)) expect(existsSync(join(ROOT, path)), path).toBe(true);
});

test("every flag of the daemon that it names is one", () => {
  const help = parseCommandLine(["--help"], {}, "1.0.0");
  const known = help.kind === "exit" ? help.text : "";
  for (const flag of found(/`(?:iommu-brokerd )?(--(?:print|check|explain|repair|doctor)[\w-]*)/g)) {
    expect(known).toContain(`${flag} `);
  }
});

test("every setting that it names is one", () => {
  const sections = ["listen", "admin", "limits", "timing", "metrics", "native", "log", "audit"];
  const named = CODE.filter(
    (code) =>
      sections.some((section) => new RegExp(`^${section}\\.[a-z_]+$`).test(code)) && !/\.(?:sock|conf|log)$/.test(code),
  );
  expect(named.length).toBeGreaterThan(8);
  const tree: unknown = SETTINGS.parse({});
  for (const code of new Set(named)) {
    const value = code.split(".").reduce((at: unknown, key) => Reflect.get(Object(at), key), tree);
    expect(value, code).toBeDefined();
  }
});

test("every metric that it names is in the catalogue", () => {
  const known = Object.values(METRICS).map(({ name }) => name);
  for (const name of found(/`(iommu_\w+)`/g)) expect(known).toContain(name);
});

test("what it says of the units is in them", () => {
  const service = read("deploy/systemd/iommu-broker.service");
  for (const line of ["WatchdogSec=30s", "LimitNOFILE=16384"]) {
    expect(PAGE).toContain(`\`${line}\``);
    expect(service).toContain(`\n${line}\n`);
  }
  expect(service).toContain("Type=notify\n");
  const install = read("deploy/install.sh");
  for (const command of found(
    /^(?:sudo )?((?:systemd-sysusers|systemd-tmpfiles|udevadm|systemctl (?:daemon|enable)).*)$/gm,
  )) {
    if (!command.includes("modules-load")) expect(install).toContain(command);
  }
});
