// A fault with one known cause: a guest that is right but for one thing, a DMA that meets it, the record that comes of it.
// What a diagnosis must say of it is written by hand beside the seed.

import { expect } from "vitest";
import type { FaultDiagnosis } from "../../src/backends/diagnosis.ts";
import type { FaultRecord } from "../../src/backends/faults.ts";
import type { IdRegisters } from "../../src/backends/inventory.ts";
import { checkVSTE, type VSTE } from "../../src/backends/vste.ts";
import { GUEST_BASE, GuestTables } from "./guest-tables.ts";
import { attach, bind, type Guest, guest, NVME, type TestHost, TWO_SMMUS, testHost, turn } from "./host.ts";
import { at, type CdOptions, contextDescriptor, type Doublewords, OPEN } from "./smmuv3-tables.ts";

/** What a page holds that a seed's tables lead to. */
export const DATA = GUEST_BASE + 0x18_0000;
/** The page that a seed's tables have. */
export const PAGE = 0x5000;
/** A page of memory that was handed over read-only, and one write-only. */
export const READ_ONLY_IPA = 0x6000_0000;
export const WRITE_ONLY_IPA = 0x6001_0000;

export interface SeedAccess {
  readonly access?: "read" | "write" | "execute";
  readonly iova?: bigint;
  readonly privileged?: boolean;
  readonly substreamID?: number;
}

export interface Expected {
  readonly event: string;
  readonly rule: string;
  readonly section: string;
  readonly structure: string;
  readonly level?: number;
  readonly address?: number;
  readonly raw?: readonly bigint[];
  readonly fields: Readonly<Record<string, bigint>>;
  readonly summary: string;
}

export interface Seed extends SeedAccess {
  /** What the ID registers have instead of what TWO_SMMUS says. */
  readonly registers?: Partial<IdRegisters>;
  /** Writes the tables; gives the STE to bind, and what is to be said. */
  readonly plant: (tables: GuestTables, vmm: Guest) => Expected & { readonly vste: VSTE };
}

/** The ID registers that seeds change a bit of. Source: §6.3.1 to §6.3.6. */
export const IDR = { idr0: 0x0d4c101b, idr1: 0x02730510, idr3: 0x1414, idr5: 0x75, aidr: 1 } as const;

/** V, Config 0b101, the CD's address; S1CIR=S1COR=1, S1CSH=3 (IHI 0070 §5.2). */
export function translating(cd: number, more = 0n, more1 = 0n): VSTE {
  return checkVSTE(0b1011n | BigInt(cd) | more, 0xd4n | more1);
}

/** S1Fmt [5:4], S1CDMax [63:59], S1DSS [65:64]. */
export function withSubstreams(cd: number, cdMax: number, fmt = 0, dss = 0): VSTE {
  return translating(cd, at(fmt, 4) | at(cdMax, 59), BigInt(dss));
}

/** Tables of 4 KiB pages, 39 bits, that lead PAGE to DATA, with their descriptors' addresses by level. */
export interface Planted {
  readonly vste: VSTE;
  readonly cd: number;
  readonly cdWords: Doublewords;
  readonly levels: Readonly<Record<1 | 2 | 3, number>>;
}

export function plantTables(
  tables: GuestTables,
  change: CdOptions & { readonly attributes?: bigint; readonly target?: number } = {},
): Planted {
  const { attributes = OPEN, target = DATA, ...options } = change;
  const root = tables.root("4K");
  const leaf = tables.map("4K", root, PAGE, target, attributes);
  const cdWords = contextDescriptor(root, options);
  const cd = tables.allocate(64);
  tables.writeCD(cdWords, cd);
  return { vste: translating(cd), cd, cdWords, levels: { 1: root, 2: addressIn(tables.peek(root)), 3: leaf } };
}

/** Bits [47:12]. */
export function addressIn(descriptor: bigint): number {
  return Number(descriptor & 0xffff_ffff_f000n);
}

export interface Seeded {
  readonly host: TestHost;
  readonly vmm: Guest;
  readonly tables: GuestTables;
}

/** A host and a guest with a device, and memory handed over read-only and write-only. */
export async function seedBed(
  registers: Partial<IdRegisters> = {},
  ability: { readonly ats?: boolean; readonly pri?: boolean } = {},
): Promise<Seeded> {
  const [first, ...others] = TWO_SMMUS.iommus;
  const iommus = [{ id: first!.id, registers: { ...IDR, ...registers } }, ...others];
  const devices = TWO_SMMUS.devices.map((device) => (device.id === NVME ? { ...device, ...ability } : device));
  const host = testHost({ config: { iommus, devices } });
  const vmm = await guest(host);
  await attach(host, vmm, NVME);
  const mapping = { bytes: 4096n, source: 0, offset: 0n };
  await host.core.addressSpaces.map(vmm.session, {
    addressSpace: vmm.addressSpace,
    sources: [vmm.file.path],
    mappings: [
      { ...mapping, ipa: BigInt(READ_ONLY_IPA), readable: true, writable: false },
      { ...mapping, ipa: BigInt(WRITE_ONLY_IPA), readable: false, writable: true },
    ],
  });
  return { host, vmm, tables: new GuestTables(vmm.file) };
}

/** Makes the access, and gives what the event queue had of it: one record. */
export async function faultOf({ host }: Seeded, asked: SeedAccess = {}): Promise<FaultRecord> {
  const heard = await recordsOf(host, asked);
  expect(heard).toHaveLength(1);
  return heard[0]!;
}

/** What the event queue had of an access. */
export async function recordsOf(host: TestHost, asked: SeedAccess): Promise<FaultRecord[]> {
  const heard: FaultRecord[] = [];
  host.backend.onFault((notice) => {
    if (notice.kind === "fault") heard.push(notice.fault);
  });
  const { access: kind = "read", iova = BigInt(PAGE) + 0x128n, privileged = false, substreamID } = asked;
  const access = { iova, privileged, substreamID, streamIndex: 0 };
  if (kind === "execute") await host.backend.translate(NVME, [{ ...access, access: kind }]);
  else if (kind === "read") await host.backend.dma(NVME, [{ ...access, kind, bytes: 8 }]);
  else await host.backend.dma(NVME, [{ ...access, kind, data: new Uint8Array(8) }]);
  await turn();
  return heard;
}

/** Plants a seed, lets it come up, and holds the diagnosis against what was written by hand. */
export async function expectDiagnosis({ plant, registers, ...access }: Seed): Promise<void> {
  const bed = await seedBed(registers);
  const { event, fields, vste, ...cause } = plant(bed.tables, bed.vmm);
  await bind(bed.host, bed.vmm, NVME, vste, 0x42);
  const fault = await faultOf(bed, access);
  expect(fault.type).toBe(event);
  const { address, level, raw = [], summary, ...rest } = cause;
  const diagnosis: FaultDiagnosis = {
    verdict: "reproduced",
    summary,
    cause: {
      ...rest,
      level,
      address: address === undefined ? undefined : BigInt(address),
      raw,
      fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
    },
  };
  expect(bed.host.backend.diagnose(fault)).toEqual(diagnosis);
}
