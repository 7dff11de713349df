import { beforeEach, expect, test } from "vitest";
import { AwaitedMemory, missingLabels, requireOwnLabels } from "../../../src/server/core/awaited-memory.ts";
import { refusal } from "../../support/host.ts";
import { BufferFile } from "../../support/memory-file.ts";

let awaited: AwaitedMemory;
beforeEach(() => {
  awaited = new AwaitedMemory({ label: "ram", bytes: 8192 });
});

test("until it is presented every access is a bus error and nothing can be looked at", () => {
  expect(awaited.read(0, new Uint8Array(8))).toBe(false);
  expect(awaited.write(0, new Uint8Array(8))).toBe(false);
  expect(awaited.view(0)).toBeUndefined();
  expect(missingLabels([awaited, awaited])).toEqual(["ram"]);
});

test("once presented it is the file it was, and is held and let go as one", () => {
  const file = new BufferFile("/x", 8192);
  file.data.set([1, 2, 3], 4096);
  awaited.present(file, "by-call");
  const into = new Uint8Array(3);
  expect(awaited.read(4096, into)).toBe(true);
  expect([...into]).toEqual([1, 2, 3]);
  expect(awaited.write(0, Uint8Array.of(9))).toBe(true);
  expect(file.data[0]).toBe(9);
  expect(awaited.key).toBe(file.key);
  expect(missingLabels([awaited])).toEqual([]);
  expect(file.references).toBe(2);
  awaited.retain();
  awaited.release();
  expect(file.references).toBe(2);
  awaited.release();
  expect(file.references).toBe(1);
});

test("memory of another length is not what was mapped", async () => {
  const error = await refusal(() => awaited.present(new BufferFile("/x", 4096), "no"));
  expect(error.facts).toMatchObject({ bytes: 4096, expected_bytes: 8192 });
  expect(awaited.isMissing).toBe(true);
});

test("memory that cannot be written is not what devices wrote to, but what they read from", async () => {
  const file = new BufferFile("/x", 8192);
  file.writeRefusal = "was passed open for reading only";
  expect((await refusal(() => awaited.present(file, "by-call"))).message).toContain("for reading only");
  awaited.present(file, "no");
  expect(awaited.isMissing).toBe(false);
});

test("memory without pwrite is what hardware wrote to, and not what a simulated device can", async () => {
  const file = new BufferFile("/x", 8192);
  file.pwriteRefusal = "has no pwrite";
  expect((await refusal(() => awaited.present(file, "by-call"))).message).toContain("has no pwrite");
  awaited.present(file, "by-hardware");
  expect([awaited.isMissing, awaited.pwriteRefusal]).toEqual([false, "has no pwrite"]);
});

test("memory that turned out not to be of use is withdrawn, let go, and missing as before", () => {
  const file = new BufferFile("/x", 8192);
  awaited.present(file, "by-call");
  awaited.withdraw();
  expect([awaited.isMissing, awaited.read(0, new Uint8Array(8)), file.references]).toEqual([true, false, 1]);
  awaited.present(file, "by-call");
  expect(awaited.isMissing).toBe(false);
});

test("two that wait under one label are two files", () => {
  expect(new AwaitedMemory({ label: "ram", bytes: 8192 }).key).not.toBe(awaited.key);
});

test("a label stands for one file", async () => {
  const [ram, other, unlabelled] = [new BufferFile("/a", 1), new BufferFile("/b", 1), new BufferFile("/c", 1)];
  ram.label = "ram";
  other.label = "ram";
  requireOwnLabels([ram, unlabelled], [ram, unlabelled]);
  expect((await refusal(() => requireOwnLabels([ram], [other]))).facts).toEqual({ label: "ram" });
  expect((await refusal(() => requireOwnLabels([], [ram, other]))).facts).toEqual({ label: "ram" });
});
