// The simulated host's inventory: SMMUs from the configuration, devices that come and go.

import { assert } from "../../spec/assert.ts";
import { STALL_MODEL } from "../../spec/encodings.ts";
import { get } from "../../spec/layout.ts";
import { IDR0, IDR1, IDR5 } from "../../spec/registers.ts";
import { BrokerError } from "../errors.ts";
import type { FaultAnswer } from "../faults.ts";
import { registerProblems } from "../id-rules.ts";
import { type DeviceID, deviceID, groupID, type IommuID, iommuID, streamID } from "../ids.ts";
import type { HostDevice, HostIommu, IdRegisters, Inventory, InventoryChange } from "../inventory.ts";
import { featuresOf } from "../smmuv3/id-registers.ts";
import { recordedFaults } from "../told-faults.ts";
import { MSI_WINDOW } from "./msi-doorbell.ts";
import { STAGE2_PAGE_BYTES } from "./stage2-tables.ts";

const DEVICES_MAX = 65_536;
const STREAMS_PER_DEVICE_MAX = 8;
/** A stage change answers every stall at once, in some 10 µs each: nobody else has a turn meanwhile. */
const STALLS_MAX = 1024;

export interface SimulatedIommuConfig {
  readonly id: string;
  readonly registers: Partial<IdRegisters>;
}

/** Whether a device can be reset, and comes out of it. */
export type ResetBehaviour = "works" | "fails" | "absent";

export interface SimulatedDeviceConfig {
  readonly id: string;
  readonly iommu: string;
  readonly group: number;
  readonly streamIDs: readonly number[];
  readonly pasidBits?: number | undefined;
  /** It has an ATC; default: it has none. */
  readonly ats?: boolean | undefined;
  /** It makes page requests; default: it makes none. */
  readonly pri?: boolean | undefined;
  /** Its transactions may stall; default: they may not. */
  readonly stall?: boolean | undefined;
  /** What becomes of a reset; default: it works. */
  readonly reset?: ResetBehaviour | undefined;
  /** How long it takes; default: no time. */
  readonly resetMs?: number | undefined;
}

export interface SimulatedConfig {
  readonly iommus: readonly SimulatedIommuConfig[];
  readonly devices: readonly SimulatedDeviceConfig[];
  /** SMMUs merge equal event records of nested streams (IHI 0070G.b §7.3.1); default: they do not. */
  readonly mergeEvents?: boolean;
}

/** A simulated IOMMU is an SMMUv3. */
export interface SimulatedIommu extends HostIommu {
  readonly registers: IdRegisters;
}

export class SimulatedInventory implements Inventory {
  readonly #iommus: readonly SimulatedIommu[];
  readonly #devices = new Map<string, HostDevice>();
  readonly #groups = new Map<number, readonly HostDevice[]>();
  /** By IOMMU, by StreamID. */
  readonly #streams = new Map<IommuID, Map<number, HostDevice>>();
  #listener: (change: InventoryChange) => void = () => {};

  constructor(config: SimulatedConfig) {
    if (config.iommus.length === 0) throw refused("simulated.iommus is empty: name at least one", {});
    this.#iommus = Object.freeze(config.iommus.map(hostIommu));
    const twice = this.#iommus.find((one, index) => this.#iommus.findIndex((other) => other.id === one.id) !== index);
    if (twice) throw refused(`IOMMU ${twice.id} is named twice`, { iommu: twice.id });
    for (const device of config.devices) this.add(hostDevice(device));
  }

  iommus(): readonly SimulatedIommu[] {
    return this.#iommus;
  }

  devices(): readonly HostDevice[] {
    return [...this.#devices.values()];
  }

  find(id: string): HostDevice | undefined {
    return this.#devices.get(id);
  }

  /** A device that is there, as the arbiter says; it is a bug when it is not. */
  require(id: DeviceID): HostDevice {
    const device = this.#devices.get(id);
    assert(device !== undefined, `device ${id} is not in the simulated inventory`);
    return device;
  }

  inGroup(group: number): readonly HostDevice[] {
    return this.#groups.get(group) ?? [];
  }

  withStream(iommu: IommuID, stream: number): HostDevice | undefined {
    return this.#streams.get(iommu)?.get(stream);
  }

  onChange(listener: (change: InventoryChange) => void): void {
    this.#listener = listener;
  }

  /**
   * Adds a device.
   * @throws BrokerError when its name or a StreamID is taken, its group is behind another IOMMU, or it does not fit
   */
  add(device: HostDevice): void {
    this.#check(device);
    this.#devices.set(device.id, Object.freeze(device));
    this.#groups.set(device.group, [...this.inGroup(device.group), device]);
    const streams = this.#streams.get(device.iommu) ?? new Map<number, HostDevice>();
    for (const stream of device.streamIDs) streams.set(stream, device);
    this.#streams.set(device.iommu, streams);
    this.#listener({ kind: "added", device });
  }

  remove(id: string): void {
    const device = this.#devices.get(id);
    if (!device) return;
    this.#devices.delete(id);
    const left = this.inGroup(device.group).filter((other) => other !== device);
    if (left.length > 0) this.#groups.set(device.group, left);
    else this.#groups.delete(device.group);
    for (const stream of device.streamIDs) this.#streams.get(device.iommu)?.delete(stream);
    this.#listener({ kind: "removed", device });
  }

  #check(device: HostDevice): void {
    const facts = { device: device.id, iommu: device.iommu };
    const iommu = this.#iommus.find((one) => one.id === device.iommu);
    if (!iommu) throw new BrokerError("iommu_unknown", `device ${device.id}: no IOMMU ${device.iommu}`, facts);
    if (this.#devices.has(device.id)) throw taken("device_id", `device ${device.id} exists`, facts);
    if (this.#devices.size >= DEVICES_MAX) {
      throw new BrokerError("limit_reached", `limit simulated_devices (${DEVICES_MAX}) reached: remove one`, {
        ...facts,
        limit: "simulated_devices",
      });
    }
    const count = device.streamIDs.length;
    if (count === 0 || count > STREAMS_PER_DEVICE_MAX || new Set(device.streamIDs).size !== count) {
      throw refused(`device ${device.id} must have 1 to ${STREAMS_PER_DEVICE_MAX} different StreamIDs`, facts);
    }
    if (device.pasidBits > 20) throw refused(`device ${device.id}: PASIDs have at most 20 bits`, facts);
    const { ats, pri, stallModel } = featuresOf(iommu.registers);
    if (device.ats && !ats) throw refused(`device ${device.id}: ats needs IDR0.ATS (bit 10) of ${iommu.id}`, facts);
    if (device.pri === true && !(device.ats && pri)) {
      throw refused(`device ${device.id}: pri needs ats, and IDR0.PRI (bit 16) of ${iommu.id}`, facts);
    }
    if (device.stall === true && stallModel !== STALL_MODEL.BOTH) {
      throw refused(`device ${device.id}: stall needs IDR0.STALL_MODEL (bits 25:24) 0 of ${iommu.id}`, facts, "stall");
    }
    if (device.stall === true && device.ats) {
      throw refused(`device ${device.id}: stall and ats exclude each other, for a PCI device must not stall`, facts);
    }
    this.#checkStreams(device, iommu);
    const [sibling] = this.inGroup(device.group);
    if (sibling && sibling.iommu !== device.iommu) {
      const why = `IOMMU group ${device.group} is behind ${sibling.iommu}, not ${device.iommu}`;
      throw refused(why, facts, "iommu_group");
    }
  }

  #checkStreams(device: HostDevice, iommu: SimulatedIommu): void {
    const bits = get(Uint32Array.of(iommu.registers.idr1), 0, IDR1.SIDSIZE);
    for (const [index, stream] of device.streamIDs.entries()) {
      const field = `stream_ids[${index}]`;
      if (stream >= 2 ** bits) {
        const why = `device ${device.id}: StreamID ${stream} does not fit ${bits} bits`;
        throw refused(why, { stream_id: stream, bits }, field);
      }
      const holder = this.withStream(iommu.id, stream);
      if (holder) {
        const facts = { stream_id: stream, device: holder.id };
        throw taken(field, `StreamID ${stream} of ${iommu.id} is ${holder.id}'s`, facts);
      }
    }
  }
}

function hostDevice(config: SimulatedDeviceConfig): HostDevice {
  return {
    id: deviceID(config.id),
    iommu: iommuID(config.iommu),
    group: groupID(config.group),
    streamIDs: config.streamIDs.map(streamID),
    pasidBits: config.pasidBits ?? 0,
    ats: config.ats ?? false,
    pri: config.pri ?? false,
    stall: config.stall ?? false,
  };
}

/** A simulated SMMU; refuses registers that this host's driver could not drive. */
function hostIommu(config: SimulatedIommuConfig): SimulatedIommu {
  const id: IommuID = iommuID(config.id);
  const zero = { idr0: 0, idr1: 0, idr2: 0, idr3: 0, idr4: 0, idr5: 0, idr6: 0, iidr: 0, aidr: 0 };
  const registers: IdRegisters = Object.freeze({ ...zero, ...config.registers });
  const features = featuresOf(registers);
  const require = (holds: boolean, what: string): void => {
    if (!holds) throw refused(`simulated IOMMU ${id}: ${what}`, { iommu: id });
  };
  const problems = registerProblems(registers).map(({ register, message }) => `${register} ${message}`);
  require(problems.length === 0, problems.join("; "));
  const idr0 = Uint32Array.of(registers.idr0);
  require(features.stage1 && features.stage2, "IDR0.S1P and IDR0.S2P must be 1: both stages are what it is for");
  require(features.aarch64, "IDR0.TTF must include AArch64 tables");
  require(get(idr0, 0, IDR0.ST_LEVEL) === 1, "IDR0.ST_LEVEL must be 1: the host's stream table has two levels");
  require(get(idr0, 0, IDR0.TTENDIAN) !== 3, "IDR0.TTENDIAN 3: the host's tables are little-endian");
  require(get(idr0, 0, IDR0.STALL_MODEL) < 2, "IDR0.STALL_MODEL must be 0 or 1: forced stalls cannot be answered");
  require(features.stallMax <=
    STALLS_MAX, `IDR5.STALL_MAX must be at most ${STALLS_MAX}: a stage change ends all at once`);
  require(get(Uint32Array.of(registers.idr5), 0, IDR5.GRAN4K) === 1, "IDR5.GRAN4K must be 1: stage 2 uses 4 KiB pages");
  require(features.sidBits >= 8 && features.sidBits <= 24, "IDR1.SIDSIZE must be 8 to 24");
  require(features.cmdqBitsMax >= 8 && features.eventqBitsMax >= 10, "IDR1.CMDQS must be ≥ 8 and IDR1.EVENTQS ≥ 10");
  require(features.oasBits >= 40, "IDR5.OAS must be 40 bits or more: guest memory is placed above 64 GiB");
  return Object.freeze({
    id,
    registers,
    ipaBits: stage2Bits(features.oasBits),
    reservedRegions: Object.freeze([MSI_WINDOW]),
    stage2PageBytes: STAGE2_PAGE_BYTES,
    nesting: { supported: true } as const,
    faultAnswers: Object.freeze(answersOf(features)),
    toldFaults: recordedFaults(features),
  });
}

/** TERMINATE is CMD_RESUME with Ab=0, which IDR0.TERM_MODEL 1 turns into an abort (§4.6.1). */
function answersOf({ pri, stallModel, termModel }: ReturnType<typeof featuresOf>): FaultAnswer[] {
  const ofStalls: FaultAnswer[] = termModel === 1 ? ["retry", "abort"] : ["retry", "abort", "terminate"];
  const ofPageRequests: FaultAnswer[] = ["success", "invalid", "failure"];
  return [...(stallModel === STALL_MODEL.BOTH ? ofStalls : []), ...(pri ? ofPageRequests : [])];
}

/** A walk of 4 KiB tables starts at level 0 only where the OAS is 44 bits or more (§5.2, S2SL0); level 1 resolves 39. */
function stage2Bits(oasBits: number): number {
  return oasBits < 44 ? 39 : Math.min(oasBits, 48);
}

type Facts = Readonly<Record<string, string | number>>;

/** @param field  of AddDeviceRequest, when it is one that is at fault */
function refused(message: string, facts: Facts, field?: string): BrokerError {
  const fields = field === undefined ? [] : [{ path: field, description: message }];
  return new BrokerError("argument_invalid", message, facts, { fields });
}

function taken(field: string, message: string, facts: Facts): BrokerError {
  return new BrokerError("already_exists", message, facts, { fields: [{ path: field, description: message }] });
}
