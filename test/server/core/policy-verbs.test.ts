import { expect, test } from "vitest";
import { isKeeping, VERBS, verbGroup } from "../../../src/server/core/policy-verbs.ts";
import { ADMIN, BROKER, SIMULATOR } from "../../../src/server/rpc/services.ts";

const namesOf = (methods: Readonly<Record<string, { readonly name: string }>>): string[] =>
  Object.values(methods).map(({ name }) => name);

test("every RPC is a verb of exactly one group: IommuBroker's read or use, Simulator's simulate, the admin's admin", () => {
  expect([...VERBS.read, ...VERBS.use].toSorted()).toEqual(namesOf(BROKER).toSorted());
  expect(VERBS.simulate.toSorted()).toEqual(namesOf(SIMULATOR).toSorted());
  expect(VERBS.admin.toSorted()).toEqual(namesOf(ADMIN).toSorted());
});

test("what opens no door is in read: it needs no session", () => {
  expect(VERBS.read.toSorted()).toEqual(["GetCapabilities", "GetDevice", "ListDevices", "WatchDevices"]);
});

test("a name that is no RPC has no group", () => {
  expect(verbGroup("AttachEverything")).toBeUndefined();
  expect(verbGroup("AttachDevice")).toBe("use");
});

test("what takes something is never among what keeps or gives back", () => {
  for (const verb of [
    "OpenSession",
    "ClaimSession",
    "CreateAddressSpace",
    "MapMemory",
    "CreateVirtualIommu",
    "AttachDevice",
  ]) {
    expect(isKeeping(verb), verb).toBe(false);
  }
  for (const verb of [
    "PresentMemory",
    "ResetDevice",
    "BindGuestStage",
    "SetVirtualIommuMode",
    ...VERBS.simulate,
    ...VERBS.admin,
  ]) {
    expect(isKeeping(verb), verb).toBe(false);
  }
  expect(isKeeping("DetachDevice")).toBe(true);
  expect(isKeeping("CloseSession")).toBe(true);
  expect(isKeeping("ResumeSession")).toBe(true);
});
