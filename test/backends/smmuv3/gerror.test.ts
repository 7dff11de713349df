import { expect, test } from "vitest";
import { errorsOf, GlobalErrors } from "../../../src/backends/smmuv3/gerror.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { GERROR } from "../../../src/spec/registers.ts";
import { IDS } from "../../support/smmuv3-machine.ts";

const MSI = 1 << 13;
const PRI = 1 << 16;
const errorsWith = (idr0: number, raised: () => void): GlobalErrors =>
  new GlobalErrors(errorsOf(featuresOf({ ...IDS, idr0: IDS.idr0 | idr0 })), raised);

test("an error is active while its bit differs between GERROR and GERRORN, and is raised once (§7.5)", () => {
  let raised = 0;
  const errors = errorsWith(0, () => {
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

test("an aborted GERROR MSI is an error without an interrupt of its own (§7.5.1)", () => {
  let raised = 0;
  const errors = errorsWith(MSI, () => {
    raised += 1;
  });
  errors.raise(GERROR.MSI_GERROR_ABT_ERR);
  expect([errors.gerror, raised]).toEqual([1 << 7, 0]);
});

test.each([
  ["neither MSI nor PRI", 0, 0b1_0000_0101],
  ["PRI", PRI, 0b1_0000_1101],
  ["MSI", MSI, 0b1_1011_0101],
  ["MSI and PRI", MSI | PRI, 0b1_1111_1101],
])("GERRORN stores the errors that exist with %s (§6.3.20)", (_, idr0, bits) => {
  const errors = errorsWith(idr0, () => {});
  errors.acknowledge(0xffff_ffff);
  expect(errors.gerrorn).toBe(bits);
});
