// A configuration file for one test, gone with it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** @returns its path */
export function writeYaml(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "iommu-broker-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "broker.yaml");
  writeFileSync(file, text);
  return file;
}
