// What `import … from "iommu-broker/client"` gives a program that has the package installed: types and code, from the
// built files, in a folder of its own.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const TSC = join(ROOT, "node_modules/.bin/tsc");
const folder = mkdtempSync(join(tmpdir(), "iommu-broker-consumer-"));

const PROGRAM = `
import { BrokerCallError, type BrokerSession, connect, type Device, StageState } from "iommu-broker/client";

const client = connect("unix:/nonexistent/broker.sock");
const failed = await client.listDevices().then(
  (devices: readonly Device[]) => devices.map((device): bigint => device.generation).join(),
  (error: unknown) => (error instanceof BrokerCallError ? error.codeName : "thrown"),
);
const close = (session: BrokerSession): Promise<void> => session.close();
console.log(failed, StageState.STAGE_STATE_GUEST_NESTED, typeof close);
client.close();
`;

beforeAll(() => {
  const installed = join(folder, "node_modules/iommu-broker");
  mkdirSync(join(installed, "dist"), { recursive: true });
  execFileSync(TSC, ["--project", "tsconfig.build.json", "--outDir", join(installed, "dist")], { cwd: ROOT });
  cpSync(join(ROOT, "src/server/rpc/generated"), join(installed, "dist/server/rpc/generated"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(installed, "package.json"));
  cpSync(join(ROOT, "proto"), join(installed, "proto"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name.startsWith(".") || name === "iommu-broker") continue;
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "program.ts"), PROGRAM);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("its types are those of the contract, for module %s", (module, resolution) => {
  const options = ["--noEmit", "--strict", "--target", "es2024", "--types", "node", "--skipLibCheck", "false"];
  const argv = [...options, "--module", module, "--moduleResolution", resolution, "program.ts"];
  expect(() => execFileSync(TSC, argv, { cwd: folder, encoding: "utf8", stdio: "pipe" })).not.toThrow();
});

test("its code runs, and says so when no broker is there", () => {
  const out = execFileSync(process.execPath, ["program.ts"], { cwd: folder, encoding: "utf8" });
  expect(out).toBe("UNAVAILABLE 4 function\n");
});

test("nothing else of the package can be imported, and the protos can be read", () => {
  const run = (source: string): string =>
    execFileSync(process.execPath, ["--input-type=module", "--eval", source], { cwd: folder, encoding: "utf8" });
  const refused = 'import("iommu-broker/dist/server/main.js").catch((error) => console.log(error.code))';
  expect(run(refused)).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED\n");
  const found = 'console.log(import.meta.resolve("iommu-broker/proto/iommubroker/v1/broker.proto").split("/").at(-1))';
  expect(run(found)).toBe("broker.proto\n");
});
