import { expect, test } from "vitest";
import { DURABILITY } from "../../src/metrics/catalog/durability.ts";
import { EDGE } from "../../src/metrics/catalog/edge.ts";
import { FAULTS } from "../../src/metrics/catalog/faults.ts";
import { HARDWARE } from "../../src/metrics/catalog/hardware.ts";
import { HOLDINGS } from "../../src/metrics/catalog/holdings.ts";
import { OWNERSHIP } from "../../src/metrics/catalog/ownership.ts";
import { PROCESS } from "../../src/metrics/catalog/process.ts";
import { RPC } from "../../src/metrics/catalog/rpc.ts";
import { METRICS } from "../../src/metrics/catalog.ts";

const FAMILIES = [HARDWARE, HOLDINGS, DURABILITY, EDGE, FAULTS, OWNERSHIP, PROCESS, RPC];

test("no metric of one family takes the place of another's", () => {
  const keys = FAMILIES.flatMap((family) => Object.keys(family));
  expect(Object.keys(METRICS)).toEqual(keys);
  const names = Object.values(METRICS).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test("what is in a family is named after it", () => {
  const namesOf = (family: Readonly<Record<string, { readonly name: string }>>) =>
    Object.values(family).map(({ name }) => name);
  for (const name of namesOf(HARDWARE)) expect(name).toMatch(/^iommu_(?!broker_)/);
  for (const name of namesOf(RPC)) expect(name).toMatch(/^grpc_server_/);
  for (const family of FAMILIES.filter((each) => each !== HARDWARE && each !== RPC)) {
    for (const name of namesOf(family)) expect(name).toMatch(/^iommu_broker_/);
  }
});
