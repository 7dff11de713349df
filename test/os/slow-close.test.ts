import { expect, test } from "vitest";
import { SlowClose } from "../../src/os/slow-close.ts";
import { memfd, openDescriptors } from "../support/memfd.ts";

test("closes one after the other, beside the event loop, and counts what waits", async () => {
  const before = openDescriptors();
  const closing = new SlowClose();
  for (let count = 0; count < 5; count += 1) closing.close(memfd(4096));
  expect(closing.waiting).toBe(5);
  await expect.poll(() => closing.waiting).toBe(0);
  expect(openDescriptors()).toBe(before);
});

test("goes on after one that was not open", async () => {
  const before = openDescriptors();
  const closing = new SlowClose();
  closing.close(12_345);
  closing.close(memfd(4096));
  await expect.poll(() => closing.waiting).toBe(0);
  expect(openDescriptors()).toBe(before);
});
