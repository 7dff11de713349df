import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hostFiles } from "../../src/os/host-files.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "host-files-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test("a file is read up to the bound, a directory listed up to it, in order", async () => {
  const path = folder();
  for (const name of ["b", "a", "c"]) writeFileSync(join(path, name), "0123456789");
  expect(new TextDecoder().decode(await hostFiles.read(join(path, "a"), 4))).toBe("0123");
  expect(await hostFiles.list(path, 10)).toEqual(["a", "b", "c"]);
  expect(await hostFiles.list(path, 2)).toHaveLength(2);
});

test("what is not there is an answer, not an error, and writing makes no file", async () => {
  const path = join(folder(), "nothing");
  expect(await hostFiles.read(path, 16)).toBeUndefined();
  expect(await hostFiles.list(path, 16)).toEqual([]);
  expect(await hostFiles.linkName(path)).toBeUndefined();
  expect(await hostFiles.access(path)).toBe("ENOENT");
  expect(await hostFiles.write(path, "x")).toBe("ENOENT");
  expect(await hostFiles.read(path, 16)).toBeUndefined();
});

test("a link is told by where it leads, and a file may be written that is there", async () => {
  const path = folder();
  symlinkSync("../../bus/pci/drivers/vfio-pci", join(path, "driver"));
  writeFileSync(join(path, "file"), "");
  expect(await hostFiles.linkName(join(path, "driver"))).toBe("vfio-pci");
  expect(await hostFiles.access(join(path, "file"))).toBeUndefined();
  expect(await hostFiles.write(join(path, "file"), "vfio-pci")).toBeUndefined();
  expect(new TextDecoder().decode(await hostFiles.read(join(path, "file"), 16))).toBe("vfio-pci");
});
