import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { deviceID } from "../../src/backends/ids.ts";
import { driverNotes } from "../../src/os/driver-notes.ts";
import { refusal } from "../support/host.ts";

const NIC = deviceID("0000:01:00.0");

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "driver-notes-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test("notes are there again for whoever reads them, and go when they are removed", async () => {
  const path = join(folder(), "drivers");
  expect(await driverNotes(path).read()).toEqual([]);
  const note = { device: NIC, driver: "mlx5_core", override: undefined };
  await driverNotes(path).write(note);
  await driverNotes(path).write({ device: deviceID("0000:02:00.0"), driver: undefined, override: "uio" });
  expect(await driverNotes(path).read()).toEqual([
    note,
    { device: "0000:02:00.0", driver: undefined, override: "uio" },
  ]);
  await driverNotes(path).remove(NIC);
  await driverNotes(path).remove(NIC);
  expect(await driverNotes(path).read()).toHaveLength(1);
});

test("a note that was being written when the daemon died is none; one that is damaged is told", async () => {
  const path = folder();
  writeFileSync(join(path, `${NIC}.driver.new`), "mlx5");
  expect(await driverNotes(path).read()).toEqual([]);
  writeFileSync(join(path, `${NIC}.driver`), "mlx5_core");
  const error = await refusal(() => driverNotes(path).read());
  expect(error).toMatchObject({ code: "backend_failed", facts: { path: join(path, `${NIC}.driver`) } });
});
