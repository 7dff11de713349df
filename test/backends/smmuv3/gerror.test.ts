import { expect, test } from "vitest";
import { GlobalErrors } from "../../../src/backends/smmuv3/gerror.ts";
import { GERROR } from "../../../src/spec/registers.ts";

test("an error is active while its bit differs between GERROR and GERRORN, and is raised once (§7.5)", () => {
  let raised = 0;
  const errors = new GlobalErrors(() => {
    raised += 1;
  });
  errors.raise(GERROR.EVENTQ_ABT_ERR);
  errors.raise(GERROR.EVENTQ_ABT_ERR);
  expect([errors.gerror, raised, errors.isActive(GERROR.EVENTQ_ABT_ERR)]).toEqual([4, 1, true]);
  errors.acknowledge(4);
  expect(errors.isActive(GERROR.EVENTQ_ABT_ERR)).toBe(false);
  errors.raise(GERROR.EVENTQ_ABT_ERR);
  errors.raise(GERROR.CMDQ_ERR);
  expect([errors.gerror, errors.gerrorn, raised]).toEqual([1, 4, 3]);
});

test("bits that are no error are not stored", () => {
  const errors = new GlobalErrors(() => {});
  errors.acknowledge(0xffff_ffff);
  expect(errors.gerrorn).toBe(0b1_1111_1101);
});
