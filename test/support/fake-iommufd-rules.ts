// The rules of iommufd's objects for one open /dev/iommu, as the kernel has them: who stands on whom, what may be attached,
// which errno says no. fake-iommufd.ts gives it calls; what is refused is thrown.
// Source: reference of the uAPI §3-§5; drivers/iommu/iommufd of Linux 7.3.

import { Refusal, refuseIf } from "./fake-iommufd-refusal.ts";

export interface Range {
  readonly start: bigint;
  readonly last: bigint;
}

/** What a test says of the machine. */
export interface FakeIommu {
  readonly name: string;
  readonly kind: "smmuv3" | "vtd" | "amd";
  /** The structure of GET_HW_INFO. */
  readonly hwInfo: Uint8Array;
  /** NEST_PARENT is taken. */
  readonly nesting: boolean;
  /** The firmware says CANWBS, or the SMMU has S2FWB: a vIOMMU is given. */
  readonly coherentWalks: boolean;
}

export interface FakeDevice {
  readonly path: string;
  readonly iommu: FakeIommu;
  readonly group: number;
  readonly streams: number;
  readonly reserved: readonly Range[];
  readonly resets: boolean;
}

export interface Mapping extends Range {
  readonly source: "file" | "memory";
}

interface Ioas {
  readonly kind: "ioas";
  readonly maps: Map<bigint, Mapping>;
}
interface Paging {
  readonly kind: "paging";
  readonly ioas: number;
  readonly nestParent: boolean;
  readonly isAuto: boolean;
  readonly iommu: FakeIommu;
}
interface Nested {
  readonly kind: "nested";
  /** What it was made from: a guest's STE, or VT-d's structure. */
  readonly data: Uint8Array;
  readonly on: number;
  readonly iommu: FakeIommu;
  readonly needsVdevice: boolean;
  readonly fault: number | undefined;
}
interface Viommu {
  readonly kind: "viommu";
  readonly parent: number;
  readonly iommu: FakeIommu;
}
interface Vdevice {
  readonly kind: "vdevice";
  readonly viommu: number;
  readonly device: number;
  readonly virtualID: bigint;
}
export interface Queue {
  readonly kind: "veventq" | "fault";
  readonly viommu: number | undefined;
  readonly depth: number;
  readonly records: { readonly bytes: Uint8Array; readonly isLost: boolean }[];
  sequence: number;
  hasOpenFile: boolean;
}
export interface BoundDevice {
  readonly kind: "device";
  readonly device: FakeDevice;
}
type FakeObject = Ioas | Paging | Nested | Viommu | Vdevice | Queue | BoundDevice;
type Kind = FakeObject["kind"];

const WHOLE: Range = { start: 0n, last: 2n ** 64n - 1n };
const PAGE = 4096n;

export class FakeContext {
  readonly objects = new Map<number, FakeObject>();
  /** The HWPT of each group that is attached, and the devices of the group that are. */
  readonly attached = new Map<number, { hwpt: number; readonly devices: Set<number> }>();
  readonly #tombstones = new Set<number>();

  add(object: FakeObject): number {
    let id = 1;
    while (this.objects.has(id) || this.#tombstones.has(id)) id += 1; // a destroyed id is used again
    this.objects.set(id, object);
    return id;
  }

  get<K extends Kind>(id: number, ...kinds: readonly K[]): FakeObject & { kind: K } {
    const found = this.objects.get(id);
    if (found === undefined || !isOneOf(found, kinds)) throw new Refusal("ENOENT");
    return found;
  }

  destroy(id: number): void {
    const object = this.get(id, "ioas", "paging", "nested", "viommu", "vdevice", "veventq", "fault", "device");
    refuseIf(object.kind === "device" || this.#usersOf(id), "EBUSY");
    this.objects.delete(id);
  }

  #usersOf(id: number): boolean {
    const self = this.objects.get(id);
    if (self !== undefined && "hasOpenFile" in self && self.hasOpenFile) return true;
    if ([...this.attached.values()].some(({ hwpt }) => hwpt === id)) return true;
    return [...this.objects.values()].some((object) => standsOn(object).includes(id));
  }

  // Address spaces.

  map(ioas: number, range: Range, source: Mapping["source"]): void {
    const { maps } = this.get(ioas, "ioas");
    const hasPages = this.#hwptsOf(ioas).length > 0;
    const length = range.last - range.start + 1n;
    refuseIf(hasPages && (range.start % PAGE !== 0n || length % PAGE !== 0n), "EINVAL");
    refuseIf(
      this.#reservedOf(ioas).some((each) => overlap(each, range)),
      "EINVAL",
    );
    refuseIf(
      [...maps.values()].some((each) => overlap(each, range)),
      "EEXIST",
    );
    maps.set(range.start, { ...range, source });
  }

  /** What lies before a mapping that the range cuts is gone when it refuses. */
  unmap(ioas: number, range: Range): bigint {
    const { maps } = this.get(ioas, "ioas");
    const touched = [...maps.values()].filter((each) => overlap(each, range)).sort((a, b) => Number(a.start - b.start));
    let bytes = 0n;
    for (const each of touched) {
      refuseIf(each.start < range.start || each.last > range.last, "ENOENT");
      maps.delete(each.start);
      bytes += each.last - each.start + 1n;
    }
    refuseIf(bytes === 0n && !(range.start === WHOLE.start && range.last === WHOLE.last), "ENOENT");
    return bytes;
  }

  iovaRanges(ioas: number): { readonly ranges: readonly Range[]; readonly alignment: bigint } {
    this.get(ioas, "ioas");
    const ranges: Range[] = [];
    let start = WHOLE.start;
    for (const each of [...this.#reservedOf(ioas)].sort((a, b) => Number(a.start - b.start))) {
      if (each.start > start) ranges.push({ start, last: each.start - 1n });
      if (each.last + 1n > start) start = each.last + 1n;
    }
    return {
      ranges: [...ranges, { start, last: WHOLE.last }],
      alignment: this.#hwptsOf(ioas).length > 0 ? PAGE : 1n,
    };
  }

  /** Pages are pinned once somebody translates with them. */
  pinned(): (Mapping & { readonly ioas: number })[] {
    return [...this.objects].flatMap(([ioas, object]) =>
      object.kind === "ioas" && this.#hwptsOf(ioas).length > 0
        ? [...object.maps.values()].map((mapping) => ({ ...mapping, ioas }))
        : [],
    );
  }

  /** What is mapped, pinned or not. */
  mapped(): Mapping[] {
    return [...this.objects.values()].flatMap((object) => (object.kind === "ioas" ? [...object.maps.values()] : []));
  }

  #hwptsOf(ioas: number): number[] {
    return [...this.objects].flatMap(([id, object]) => (object.kind === "paging" && object.ioas === ioas ? [id] : []));
  }

  #reservedOf(ioas: number): Range[] {
    return [...this.attached.values()].flatMap(({ hwpt, devices }) =>
      this.ioasUnder(hwpt) === ioas
        ? [...devices].flatMap((device) => [...this.get(device, "device").device.reserved])
        : [],
    );
  }

  /** The IOAS that an HWPT translates with, through its parent where it is nested. */
  ioasUnder(hwpt: number): number {
    const object = this.get(hwpt, "paging", "nested");
    if (object.kind === "paging") return object.ioas;
    const below = this.get(object.on, "viommu", "paging");
    return below.kind === "paging" ? below.ioas : this.ioasUnder(below.parent);
  }

  // Devices.

  attach(device: number, target: number): number {
    const { device: own } = this.get(device, "device");
    const known = this.objects.get(target);
    refuseIf(known === undefined, "ENOENT");
    const entry = this.attached.get(own.group);
    const isReplace = entry?.devices.has(device) === true;
    const hwpt = known?.kind === "ioas" ? this.#automatic(target, own.iommu) : { id: target, isNew: false };
    try {
      this.#checkAttach(device, own, hwpt.id);
      refuseIf(!isReplace && entry !== undefined && entry.hwpt !== hwpt.id, "EINVAL");
    } catch (error) {
      if (hwpt.isNew) this.objects.delete(hwpt.id);
      throw error;
    }
    const old = entry?.hwpt;
    if (entry === undefined) this.attached.set(own.group, { hwpt: hwpt.id, devices: new Set([device]) });
    else {
      entry.devices.add(device);
      entry.hwpt = hwpt.id; // the whole group goes along
    }
    this.#dropAutomatic(old);
    return hwpt.id;
  }

  #checkAttach(device: number, own: FakeDevice, id: number): void {
    const hwpt = this.objects.get(id);
    if (hwpt?.kind !== "paging" && hwpt?.kind !== "nested") throw new Refusal("EINVAL");
    refuseIf(hwpt.iommu !== own.iommu, "EINVAL");
    refuseIf(hwpt.kind === "nested" && hwpt.needsVdevice && this.vdeviceOf(device) === undefined, "ENOENT");
    const { maps } = this.get(this.ioasUnder(id), "ioas");
    const isTaken = [...maps.values()].some((map) => own.reserved.some((each) => overlap(each, map)));
    refuseIf(isTaken, "EADDRINUSE");
  }

  #automatic(ioas: number, iommu: FakeIommu): { readonly id: number; readonly isNew: boolean } {
    for (const id of this.#hwptsOf(ioas)) {
      const hwpt = this.get(id, "paging");
      if (hwpt.isAuto && hwpt.iommu === iommu) return { id, isNew: false };
    }
    return { id: this.add({ kind: "paging", ioas, nestParent: false, isAuto: true, iommu }), isNew: true };
  }

  #dropAutomatic(id: number | undefined): void {
    const hwpt = id === undefined ? undefined : this.objects.get(id);
    if (id !== undefined && hwpt?.kind === "paging" && hwpt.isAuto && !this.#usersOf(id)) this.objects.delete(id);
  }

  detach(device: number): void {
    const { group } = this.get(device, "device").device;
    const entry = this.attached.get(group);
    if (entry === undefined || !entry.devices.delete(device)) return;
    if (entry.devices.size > 0) return;
    this.attached.delete(group);
    this.#dropAutomatic(entry.hwpt);
  }

  /** The device's node is closed: what named it goes with it, and its number is not used again. */
  unbind(device: number): void {
    this.detach(device);
    const vdevice = this.vdeviceOf(device);
    if (vdevice !== undefined) {
      this.objects.delete(vdevice);
      this.#tombstones.add(vdevice);
    }
    this.objects.delete(device);
  }

  vdeviceOf(device: number): number | undefined {
    return this.#find((object) => object.kind === "vdevice" && object.device === device);
  }

  vdeviceNamed(viommu: number, virtualID: bigint): number | undefined {
    return this.#find((each) => each.kind === "vdevice" && each.viommu === viommu && each.virtualID === virtualID);
  }

  veventqOf(viommu: number): number | undefined {
    return this.#find((object) => object.kind === "veventq" && object.viommu === viommu);
  }

  #find(fits: (object: FakeObject) => boolean): number | undefined {
    return [...this.objects].find(([, object]) => fits(object))?.[0];
  }
}

function isOneOf<K extends Kind>(object: FakeObject, kinds: readonly K[]): object is FakeObject & { kind: K } {
  return kinds.some((kind) => kind === object.kind);
}

/** A vDEVICE does not stand on its device: it goes when the device goes. */
function standsOn(object: FakeObject): readonly number[] {
  if (object.kind === "paging") return [object.ioas];
  if (object.kind === "nested") return object.fault === undefined ? [object.on] : [object.on, object.fault];
  if (object.kind === "viommu") return [object.parent];
  if (object.kind === "vdevice") return [object.viommu];
  return object.kind === "veventq" && object.viommu !== undefined ? [object.viommu] : [];
}

export function overlap(a: Range, b: Range): boolean {
  return a.start <= b.last && b.start <= a.last;
}
