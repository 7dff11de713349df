// Which start of the kernel this is, on the kernel of the tests and on one without sysctl.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bootID } from "../../src/os/boot-id.ts";

function procfs(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "iommu-broker-proc-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "sys/kernel/random"), { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
  return folder;
}

test("a start of the kernel has a UUID, which is the same whenever it is asked for", () => {
  expect(bootID("/proc")).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(bootID("/proc")).toBe(bootID("/proc"));
});

test("where the kernel has a boot_id, when it started does not matter", () => {
  const files = { "sys/kernel/random/boot_id": "11112222-3333-4444-5555-666677778888\n", stat: "btime 1795448771\n" };
  expect(bootID(procfs(files))).toBe("11112222-3333-4444-5555-666677778888");
});

test("a kernel without sysctl is known by the second in which it started", () => {
  const stat = "cpu  1 2 3 4\nctxt 5\nbtime 1795448771\nprocesses 66\n";
  expect(bootID(procfs({ stat }))).toBe("btime-1795448771");
});

test("a procfs that tells neither is an error that names boot_id", () => {
  expect(() => bootID(procfs({ stat: "cpu  1 2 3 4\n" }))).toThrow("boot_id");
});
