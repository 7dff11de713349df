// The guest of bench/translate-rpc.ts: RAM in a file, mapped page by page with the pages in reverse, and a stage 1 of
// 4,096 random pages on it, bound to one device. Everything goes through the contract, as a VMM would do it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BrokerSession, Stage1Mode } from "../src/client/client.ts";
import { GUEST_BASE, GuestTables } from "../test/support/guest-tables.ts";
import { BufferFile } from "../test/support/memory-file.ts";

export const DEVICE = "devices/0000:01:00.0";
/** Accesses in one call: as many as a call may have. */
export const ACCESSES = 4096;
const PAGES = 4096;
const PAGE_BYTES = 4096;
/** Where the pages begin in RAM, behind the tables. */
const DATA = 2 ** 20;
const RAM_BYTES = DATA + PAGES * PAGE_BYTES;
const IOVA = 0x12_3456_0000;

export interface Guest {
  readonly session: BrokerSession;
  readonly iovas: readonly bigint[];
  /** IPA of the page behind each of them: what a right answer names. */
  readonly ipas: readonly bigint[];
}

/** Hands the RAM over, binds the stage 1, and chooses the addresses of one call. */
export async function startGuest(session: BrokerSession, memoryRoot: string): Promise<Guest> {
  const file = new BufferFile("ram", RAM_BYTES);
  const tables = new GuestTables(file);
  const root = tables.root("4K");
  for (let page = 0; page < PAGES; page++) tables.map("4K", root, IOVA + page * PAGE_BYTES, ipaOf(page));
  const cd = tables.cd("4K", root);
  const path = join(memoryRoot, "ram");
  writeFileSync(path, reversed(file.data));
  const { name: addressSpace } = await session.createAddressSpace();
  await session.mapMemory({ addressSpace, sources: [{ path }], mappings: mappings() });
  const { name: virtualIommu } = await session.createVirtualIommu({ addressSpace, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DEVICE, virtualIommu });
  const fields = { mode: Stage1Mode.STAGE1_MODE_TRANSLATE, s1ContextPtr: BigInt(cd) };
  await session.bindGuestStage({ device: DEVICE, virtualStreamId: 1, fields });
  const pages = randomPages();
  return {
    session,
    iovas: pages.map((page) => BigInt(IOVA + page * PAGE_BYTES + 8)),
    ipas: pages.map((page) => BigInt(ipaOf(page) + 8)),
  };
}

function ipaOf(page: number): number {
  return GUEST_BASE + DATA + ((page * 37) % PAGES) * PAGE_BYTES;
}

function reversed(ram: Uint8Array): Uint8Array {
  const file = new Uint8Array(ram.length);
  for (let at = 0; at < ram.length; at += PAGE_BYTES) {
    file.set(ram.subarray(at, at + PAGE_BYTES), ram.length - PAGE_BYTES - at);
  }
  return file;
}

function mappings() {
  return Array.from({ length: RAM_BYTES / PAGE_BYTES }, (_, page) => ({
    ipa: BigInt(GUEST_BASE + page * PAGE_BYTES),
    bytes: BigInt(PAGE_BYTES),
    source: 0,
    offset: BigInt(RAM_BYTES - (page + 1) * PAGE_BYTES),
    readable: true,
    writable: true,
  }));
}

/** Xorshift from a fixed seed: every run asks for the same addresses. */
function randomPages(): number[] {
  let state = 0x9e37_79b9;
  return Array.from({ length: ACCESSES }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % PAGES;
  });
}
