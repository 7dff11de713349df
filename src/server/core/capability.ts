// From a host's ID registers: every field decoded, the registers to show a guest with the reason for each reduction,
// and a wished-for set checked field by field. Pure; the rules are the table in register-rules.ts.

import { BrokerError } from "../../backends/errors.ts";
import type { DeviceID } from "../../backends/ids.ts";
import type { HostIommu, IdRegisters } from "../../backends/inventory.ts";
import { get, set } from "../../spec/layout.ts";
import { IDR0, IDR1 } from "../../spec/registers.ts";
import type {
  DeviceCapabilityView,
  FieldVerdictView,
  ReducedFieldView,
  RegisterFieldView,
} from "./capability-views.ts";
import type { DeviceRecord } from "./device.ts";
import type { GroupRecord } from "./group.ts";
import { REGISTER_RULES, type RegisterName, type RegisterRule, registerKey } from "./register-rules.ts";

const NO_REGISTERS: IdRegisters = Object.freeze({
  idr0: 0,
  idr1: 0,
  idr2: 0,
  idr3: 0,
  idr4: 0,
  idr5: 0,
  idr6: 0,
  iidr: 0,
  aidr: 0,
});

/** Value of one field. */
export function fieldOf(registers: IdRegisters, rule: Pick<RegisterRule, "register" | "field">): number {
  return get(new Uint32Array([registers[registerKey(rule.register)]]), 0, rule.field);
}

/** Every field of the registers with its meaning. */
export function decodeRegisters(registers: IdRegisters): readonly RegisterFieldView[] {
  return REGISTER_RULES.map((rule) => {
    const value = fieldOf(registers, rule);
    const { name, msb, lsb } = rule.field;
    return { register: rule.register, field: name, msb, lsb, value, meaning: rule.meaning(value) };
  });
}

/** What a guest may be shown of a host's registers. IDR4 and IDR6 are implementation defined or not for guests: 0. */
export function virtualRegisters(host: IdRegisters): {
  registers: IdRegisters;
  reduced: readonly ReducedFieldView[];
} {
  const reduced: ReducedFieldView[] = [];
  const registers = assemble((rule) => {
    const hostValue = fieldOf(host, rule);
    const virtualValue = rule.reduced ? rule.reduced.value(hostValue) : hostValue;
    if (rule.reduced && virtualValue !== hostValue) {
      const { register, field, reduced: why } = rule;
      reduced.push({ register, field: field.name, hostValue, virtualValue, reason: why.reason });
    }
    return virtualValue;
  });
  return { registers, reduced };
}

/** Checks wished registers against one host, field by field. */
export function checkWish(host: IdRegisters, wish: IdRegisters): readonly FieldVerdictView[] {
  const shown = virtualRegisters(host).registers;
  return REGISTER_RULES.map((rule) => {
    const hostValue = fieldOf(shown, rule);
    const wishedValue = fieldOf(wish, rule);
    const values = { shown: hostValue, host: fieldOf(host, rule), wished: wishedValue };
    const ok = relates(rule, values);
    const reason = ok ? "" : refusal(rule, values);
    return { register: rule.register, field: rule.field.name, hostValue, wishedValue, ok, reason };
  });
}

/**
 * Refuses registers that do not fit a host.
 * @param pathOf  the request's field that is at fault; where the registers are not in the request, what named them
 * @throws BrokerError registers_unfit with a violation for every field that does not fit
 */
export function requireFit(
  host: HostIommu,
  wish: IdRegisters,
  pathOf = (register: string): string => `registers.${register.toLowerCase()}`,
): void {
  if (isOtherArchitecture(host)) return;
  const wrong = checkWish(registersOf(host), wish).filter((verdict) => !verdict.ok);
  if (wrong.length === 0) return;
  const named = wrong.map((verdict) => `${verdict.register}.${verdict.field}`).join(", ");
  throw new BrokerError(
    "registers_unfit",
    `the virtual IOMMU's registers do not fit ${host.id}: ${named}`,
    { iommu: host.id, fields: named },
    {
      fields: wrong.map((verdict) => ({
        path: pathOf(verdict.register),
        description: `${verdict.field} ${verdict.wishedValue} against ${verdict.hostValue}: ${verdict.reason}`,
      })),
    },
  );
}

/**
 * The most that all hosts allow a guest to be shown.
 * @throws BrokerError registers_unfit when no value of some field fits all (little- and big-endian hosts together)
 */
export function commonRegisters(hosts: readonly HostIommu[]): IdRegisters {
  if (hosts.length > 0 && hosts.every(isOtherArchitecture)) return NO_REGISTERS;
  const [first, ...others] = hosts.map((host) => virtualRegisters(registersOf(host)).registers);
  if (!first) throw new BrokerError("argument_invalid", "no host IOMMU is named", {});
  const registers = assemble((rule) =>
    others.reduce((value, other) => meet(rule, value, fieldOf(other, rule)), fieldOf(first, rule)),
  );
  for (const host of hosts) requireFit(host, registers);
  return registers;
}

/** Not an SMMUv3, and known to be none: its guests are shown no registers of one. */
function isOtherArchitecture({ registers, otherHardware }: HostIommu): boolean {
  return registers === undefined && otherHardware?.kind !== "unknown";
}

/** @throws BrokerError when there are none, or none are known yet; with the remedy */
function registersOf({ id, registers, otherHardware }: HostIommu): IdRegisters {
  if (registers !== undefined) return registers;
  if (otherHardware?.kind === "unknown") {
    throw new BrokerError("backend_unavailable", `the registers of ${id} are not known: ${otherHardware.reason}`, {
      iommu: id,
    });
  }
  throw new BrokerError("registers_unfit", `${id} is no SMMUv3 and has no ID registers: ask for none`, { iommu: id });
}

/** All that GetCapabilities tells of a device. */
export function deviceCapability(device: DeviceRecord, group: GroupRecord, host: HostIommu): DeviceCapabilityView {
  const translateReason = translateRefusal(device, group, host)?.message ?? "";
  const registers = host.registers ?? NO_REGISTERS;
  const isUnknown = host.otherHardware?.kind === "unknown";
  const reservedRegions = [...host.reservedRegions, ...(device.host.reservedRegions ?? [])];
  return {
    id: device.host.id,
    iommu: host.id,
    streamIDs: device.host.streamIDs,
    pasidBits: Math.min(device.host.pasidBits, get(new Uint32Array([registers.idr1]), 0, IDR1.SSIDSIZE)),
    ats: device.host.ats && get(new Uint32Array([registers.idr0]), 0, IDR0.ATS) === 1,
    apertureFirst: 0,
    apertureLast: isUnknown ? 0 : 2 ** host.ipaBits - 1,
    reservedRegions,
    msiWindow: reservedRegions.find((region) => region.kind === "msi"),
    translate: translateReason === "",
    translateReason,
    stall: device.host.stall ?? false,
    pageRequests: device.host.pri ?? false,
  };
}

/** Why a guest's tables can not be bound for this device, whoever asks; undefined when they can. */
export function translateRefusal(device: DeviceRecord, group: GroupRecord, host: HostIommu): BrokerError | undefined {
  const siblings = group.devices.filter((member) => member !== device.host.id);
  if (siblings.length > 0) return notSingleton(device.host.id, group, siblings);
  const facts = { device: device.host.id, iommu: host.id };
  if (!host.nesting.supported) return new BrokerError("backend_unsupported", host.nesting.reason, facts);
  // Natively the kernel knows how many, and refuses the vDEVICE of a device that has not one.
  if (device.host.streamIDs.length > 1) {
    const count = device.host.streamIDs.length;
    return new BrokerError("backend_unsupported", `device has ${count} StreamIDs: nesting needs exactly one`, facts);
  }
  return undefined;
}

/** Why this IOMMU takes no STE that translates, although it nests; undefined: it takes one. */
export function steRefusal({ id, pageTables }: HostIommu): BrokerError | undefined {
  if (pageTables === undefined) return undefined;
  const why = "this IOMMU is no SMMUv3 and takes no STE: bind a page_table";
  return new BrokerError("backend_unsupported", why, { iommu: id, table_shape: "TABLE_SHAPE_SMMUV3_STE" });
}

function notSingleton(device: DeviceID, group: GroupRecord, siblings: readonly DeviceID[]): BrokerError {
  return new BrokerError(
    "group_not_singleton",
    `IOMMU group ${group.id} also has ${siblings.join(", ")}: only a device alone in its group can be bound to TRANSLATE; BYPASS and ABORT are possible`,
    { device, group: group.id, siblings: siblings.join(",") },
  );
}

/** Values of one field: what a guest is shown by itself, what the host has, what is wished for. */
interface WishedField {
  readonly shown: number;
  readonly host: number;
  readonly wished: number;
}

function relates(rule: RegisterRule, { host, shown, wished }: WishedField): boolean {
  switch (rule.relation) {
    case "at-most":
      return wished <= shown;
    case "at-least":
      return wished >= shown;
    case "subset":
      return wished !== 0 && bitsOf(wished).every((bit) => bitsOf(shown).includes(bit));
    case "endianness":
      return wished === shown || shown === 0;
    case "on-request":
      return wished >= Math.min(shown, host) && wished <= Math.max(shown, host);
    case "any":
      return true;
  }
}

function refusal(rule: RegisterRule, { host, shown, wished }: WishedField): string {
  if (rule.reduced && shown === 0 && rule.relation !== "on-request") return rule.reduced.reason;
  switch (rule.relation) {
    case "at-most":
      return `the host allows at most ${shown} (${rule.meaning(shown)})`;
    case "at-least":
      return `the host needs at least ${shown} (${rule.meaning(shown)})`;
    case "subset":
      return `the host has ${rule.meaning(shown)}, not ${rule.meaning(wished)}`;
    case "endianness":
      return `must be ${shown} (${rule.meaning(shown)})`;
    case "on-request":
      if (shown === host) return `must be ${shown} (${rule.meaning(shown)})`;
      return `must be ${Math.min(shown, host)} to ${Math.max(shown, host)}`;
    case "any":
      return "";
  }
}

/** The value that promises a guest no more than either of two hosts keeps. */
function meet(rule: RegisterRule, one: number, other: number): number {
  switch (rule.relation) {
    case "at-least":
      return Math.max(one, other);
    case "subset":
      return bitsOf(one)
        .filter((bit) => bitsOf(other).includes(bit))
        .reduce((sum, bit) => sum + bit, 0);
    case "endianness":
      return one === 0 ? other : one;
    case "at-most":
    case "on-request":
    case "any":
      return Math.min(one, other);
  }
}

function bitsOf(value: number): number[] {
  const found: number[] = [];
  for (let bit = 1; bit <= value; bit *= 2) if (Math.floor(value / bit) % 2 === 1) found.push(bit);
  return found;
}

function assemble(value: (rule: RegisterRule) => number): IdRegisters {
  const words = new Map<RegisterName, Uint32Array>();
  for (const rule of REGISTER_RULES) {
    const word = words.get(rule.register) ?? new Uint32Array(1);
    words.set(rule.register, word);
    set(word, 0, rule.field, value(rule));
  }
  const read = (register: RegisterName): number => words.get(register)![0]!;
  return Object.freeze({
    idr0: read("IDR0"),
    idr1: read("IDR1"),
    idr2: read("IDR2"),
    idr3: read("IDR3"),
    idr4: 0,
    idr5: read("IDR5"),
    idr6: 0,
    iidr: read("IIDR"),
    aidr: read("AIDR"),
  });
}
