// The shape of the "simulated:" section: SMMUs by their ID registers, and the devices behind them.
// What one entry says about another (an IOMMU that is not there, a StreamID used twice) is checked here too, and what ID
// registers cannot say together, so that --check-config finds it.

import { z } from "zod";
import { registerProblems } from "../../backends/id-rules.ts";

const NAME_ERROR = "must be 1 to 63 of A-Z a-z 0-9 . _ : - and begin with a letter or digit";
const name = z.string({ error: NAME_ERROR }).regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$/, { error: NAME_ERROR });

function whole(bits: number) {
  const error = `must be a whole number below 2^${bits}, like 0x10`;
  return z
    .int({ error })
    .min(0, { error })
    .max(2 ** bits - 1, { error });
}

function register(manual: string) {
  return whole(32).optional().describe(`${manual} (IHI 0070 §6.3).`);
}
const REGISTERS = z.strictObject({
  idr0: register("SMMU_IDR0"),
  idr1: register("SMMU_IDR1"),
  idr2: register("SMMU_IDR2"),
  idr3: register("SMMU_IDR3"),
  idr4: register("SMMU_IDR4"),
  idr5: register("SMMU_IDR5"),
  idr6: register("SMMU_IDR6"),
  iidr: register("SMMU_IIDR"),
  aidr: register("SMMU_AIDR"),
});

const IOMMU = z.strictObject({
  id: name.describe('What it is called: "smmu0" is iommus/smmu0.'),
  registers: REGISTERS.prefault({}).describe("Its ID registers; one that is left out is 0."),
});

const PASID_ERROR = "must be a whole number from 0 to 20";
const FLAG_ERROR = "must be true or false";
const RESET_ERROR = 'must be "works", "fails" or "absent"';
const RESET_MS_ERROR = "must be a whole number from 0 to 60000";
const DEVICE = z.strictObject({
  id: name.describe('What it is called: "0000:01:00.0" is devices/0000:01:00.0.'),
  iommu: name.describe("The id of the IOMMU that it sits behind."),
  group: whole(31).describe("Its IOMMU group. Devices of one group have one owner and one stage."),
  stream_ids: z
    .array(whole(32))
    .min(1, { error: "must name 1 to 8" })
    .max(8, { error: "must name 1 to 8" })
    .describe("The StreamIDs that its transactions carry, one to eight, unique behind an IOMMU."),
  pasid_bits: z
    .int({ error: PASID_ERROR })
    .min(0, { error: PASID_ERROR })
    .max(20, { error: PASID_ERROR })
    .default(0)
    .describe("Bits of the PASIDs, SubstreamIDs to the SMMU, that it can send."),
  ats: z.boolean({ error: FLAG_ERROR }).optional().describe("It has a translation cache of its own (needs IDR0.ATS)."),
  pri: z.boolean({ error: FLAG_ERROR }).optional().describe("It asks for pages (needs ats, IDR0.PRI and IDR1.PRIQS)."),
  stall: z.boolean({ error: FLAG_ERROR }).optional().describe("It can wait at a fault (needs IDR0.STALL_MODEL 0)."),
  reset: z
    .enum(["works", "fails", "absent"], { error: RESET_ERROR })
    .optional()
    .describe("How its function-level reset goes; works where it is left out."),
  reset_ms: z
    .int({ error: RESET_MS_ERROR })
    .min(0, { error: RESET_MS_ERROR })
    .max(60_000, { error: RESET_MS_ERROR })
    .optional()
    .describe("How long a reset takes."),
});

const SHAPE = z.strictObject({
  iommus: z
    .array(IOMMU)
    .min(1, { error: "must have at least one" })
    .max(64, { error: "must have at most 64" })
    .describe("The SMMUv3s."),
  devices: z
    .array(DEVICE)
    .max(65_536, { error: "must have at most 65536" })
    .default([])
    .describe("The devices behind them."),
  merge_events: z
    .boolean({ error: "must be true or false" })
    .default(false)
    .describe(
      "A fault whose record equals the last one in the queue is not recorded again (STE.MEV, IHI 0070 §7.3.1).",
    ),
});

export type SimulatedSettings = z.output<typeof SHAPE>;

export const SIMULATED = SHAPE.superRefine((simulated, context) => {
  for (const { path, message } of contradictions(simulated)) context.addIssue({ code: "custom", path, message });
});

function isRegister(value: number | undefined): boolean {
  return value === undefined || (Number.isInteger(value) && value >= 0 && value < 2 ** 32);
}

interface Contradiction {
  readonly path: (string | number)[];
  readonly message: string;
}

function* contradictions(simulated: SimulatedSettings): Generator<Contradiction> {
  const iommus = new Set<string>();
  for (const [index, { id, registers }] of simulated.iommus.entries()) {
    if (iommus.has(id)) yield { path: ["iommus", index, "id"], message: "is the id of another IOMMU: ids are unique" };
    iommus.add(id);
    if (!Object.values(registers).every(isRegister)) continue; // told already
    for (const { register, message } of registerProblems(registers)) {
      const at = registers[register] === undefined ? ["id"] : ["registers", register];
      yield { path: ["iommus", index, ...at], message };
    }
  }
  const devices = new Set<string>();
  const groups = new Map<number, string>();
  const streams = new Map<string, string>();
  for (const [index, device] of simulated.devices.entries()) {
    const at = ["devices", index];
    if (devices.has(device.id)) yield { path: [...at, "id"], message: "is the id of another device: ids are unique" };
    devices.add(device.id);
    if (!iommus.has(device.iommu)) {
      yield { path: [...at, "iommu"], message: `must be one of ${[...iommus].join(", ")}` };
    }
    const other = groups.get(device.group) ?? device.iommu;
    if (other !== device.iommu) {
      yield { path: [...at, "group"], message: `is a group behind ${other}: a group has one IOMMU` };
    }
    groups.set(device.group, other);
    for (const [position, streamID] of device.stream_ids.entries()) {
      const key = `${device.iommu} ${streamID}`;
      const holder = streams.get(key);
      if (holder !== undefined) {
        yield { path: [...at, "stream_ids", position], message: `is a StreamID of ${holder}: unique behind one IOMMU` };
      }
      streams.set(key, device.id);
    }
  }
}
