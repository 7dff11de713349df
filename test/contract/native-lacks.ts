// What the native backend may lack, and how it would be seen that the kernel or the machine has it.

import assert from "node:assert/strict";
import { get } from "../../src/spec/layout.ts";
import { IDR0 } from "../../src/spec/registers.ts";
import { TRANSLATE } from "./scene.ts";
import type { Lack } from "./subject.ts";

/** STALL_MODEL 1: nothing stalls (IHI 0070G.b §6.3.1). */
export const NO_STALLS: Lack = {
  capability: "IDR0.STALL_MODEL 0b00 or 0b10",
  isThere: ({ backend, single }) => {
    const { registers } = backend.inventory.iommus().find(({ id }) => id === single.iommu)!;
    assert.ok(registers !== undefined, "the SMMU's registers are not known");
    return get(Uint32Array.of(registers.idr0), 0, IDR0.STALL_MODEL) !== 1;
  },
};

export const NO_GROUP: Lack = {
  capability: "several devices in one IOMMU group",
  isThere: ({ backend }) => {
    const groups = backend.inventory.devices().map(({ group }) => group);
    return new Set(groups).size < groups.length;
  },
};

/** The kernel shows no host STE, and what it would make of a guest's it does not tell. */
export const NO_HOST_PREVIEW: Lack = {
  capability: "a call of the kernel's that shows a host STE",
  isThere: ({ backend, part, single }) => backend.previewStage(single.id, part, TRANSLATE).hostSTE.length > 0,
};

/** Linux logs them: arm_smmu_handle_event gives a guest's owner faults of stage 1 alone. */
export const NO_STAGE2_FAULTS: Lack = {
  capability: "a kernel that tells faults of stage 2",
  isThere: async (scene) => {
    const heard = scene.listen();
    await scene.backend.attach(scene.single.group, scene.part, "abort");
    scene.guestTables();
    await scene.bind();
    await scene.assertReached(0);
    await scene.assertNotReached(0x1000); // stage 1 leads to where nothing is mapped
    await scene.subject.settle(() => heard.length > 0);
    return heard.length > 0;
  },
};
