// The VMM's side of a golden case: hands the guest's RAM over, makes the vSMMU the guest was told of, and replays the
// recorded DMA. Agreement is computed here, from the broker's answers alone.

import { join } from "node:path";
import {
  AccessKind,
  type BrokerSession,
  type FaultEvent,
  type IdRegisters,
  Stage1Mode,
  TransactionOutcome,
  type Translation,
} from "../../src/client/client.ts";
import type { GoldenCase, GoldenTranslation } from "../../test/golden/case.ts";
import { type Expected, expectedNested, HOST_MSI_WINDOW, writeGuestRam } from "./guest-image.ts";
import type { GuestLayout, Piece } from "./guest-layout.ts";

const MAPPINGS_PER_CALL = 8192;
const TRANSLATIONS_PER_CALL = 512;

export interface Guest {
  readonly session: BrokerSession;
  readonly golden: GoldenCase;
  readonly layout: GuestLayout;
  readonly ramFile: string;
  readonly addressSpace: string;
  readonly virtualIommu: string;
}

/** The ID registers that the recorded guest saw. */
export function guestRegisters(golden: GoldenCase): IdRegisters {
  const of = (name: string): number => Number(golden.registers[name] ?? "0x0");
  // QEMU's guest is shown stage 2 too; a nested guest cannot be: S2P (bit 0) and VMID16 (bit 18) of IDR0, XNX (bit 4) of IDR3.
  const idr0 = (of("idr0") & ~0x0004_0001) >>> 0;
  const idr3 = (of("idr3") & ~0x10) >>> 0;
  return {
    idr0,
    idr1: of("idr1"),
    idr2: 0,
    idr3,
    idr4: 0,
    idr5: of("idr5"),
    idr6: 0,
    iidr: of("iidr"),
    aidr: of("aidr"),
  };
}

/** Writes the guest's RAM into a file, maps it piece by piece, and makes the virtual IOMMU. */
export async function startGuest(options: {
  session: BrokerSession;
  golden: GoldenCase;
  layout: GuestLayout;
  memoryRoot: string;
  iommu: string;
  /** Changes what is told to the broker, not what is expected of it. */
  alter?: (piece: Piece) => Piece;
}): Promise<Guest> {
  const { golden, layout, session } = options;
  const ramFile = join(options.memoryRoot, `${golden.name}-${session.name.slice(-8)}.ram`);
  writeGuestRam(ramFile, golden, layout);
  const space = await session.createAddressSpace();
  const pieces = options.alter ? layout.pieces.map(options.alter) : layout.pieces;
  for (let from = 0; from < pieces.length; from += MAPPINGS_PER_CALL) {
    await session.mapMemory({
      addressSpace: space.name,
      sources: [{ path: ramFile }],
      mappings: pieces.slice(from, from + MAPPINGS_PER_CALL).map(({ ipa, bytes, offset }) => ({
        ipa: BigInt(ipa),
        bytes: BigInt(bytes),
        source: 0,
        offset: BigInt(offset),
        readable: true,
        writable: true,
      })),
    });
  }
  const virtual = await session.createVirtualIommu({
    addressSpace: space.name,
    iommus: [options.iommu],
    registers: guestRegisters(golden),
  });
  return { session, golden, layout, ramFile, addressSpace: space.name, virtualIommu: virtual.name };
}

/** Attaches a device, aborted, and binds a guest STE to it. */
export async function attachAndBind(
  guest: Guest,
  device: string,
  virtualStreamId: number,
  ste: readonly bigint[],
): Promise<void> {
  const { session, virtualIommu } = guest;
  await session.attachDevice({ device, virtualIommu, initialMode: Stage1Mode.STAGE1_MODE_ABORT });
  const raw = { doubleword0: ste[0]!, doubleword1: ste[1]! };
  await session.bindGuestStage({ device, virtualStreamId, raw });
}

/** A row whose answer is not what the case and the layout demand. */
export interface Disagreement {
  readonly row: GoldenTranslation;
  readonly index: number;
  readonly expected: string;
  readonly got: string;
}

/** Replays rows as DMA of the device and compares each answer. */
export async function replay(
  guest: Guest,
  device: string,
  rows: readonly GoldenTranslation[],
  progress: (done: number, total: number) => void = () => {},
): Promise<{ agreed: number; disagreements: Disagreement[] }> {
  const bases = { ram: await ramPhysicalBase(guest, device), doorbell: await doorbellPhysicalBase(guest, device) };
  const disagreements: Disagreement[] = [];
  for (let from = 0; from < rows.length; from += TRANSLATIONS_PER_CALL) {
    const batch = rows.slice(from, from + TRANSLATIONS_PER_CALL);
    const answers = await guest.session.simulator.translate(
      device,
      batch.map((row) => access(guest.golden, row)),
    );
    batch.forEach((row, at) => {
      const expected = describeExpected(expectedNested(row, guest.layout), bases);
      const got = describeAnswer(answers[at]!);
      if (expected !== got) disagreements.push({ row, index: from + at, expected, got });
    });
    progress(Math.min(from + batch.length, rows.length), rows.length);
  }
  return { agreed: rows.length - disagreements.length, disagreements };
}

/** The event records that the rows must leave, in order: those of faults the guest's tables cause. */
export function expectedRecords(guest: Guest, rows: readonly GoldenTranslation[]): readonly GoldenTranslation[] {
  return rows.filter((row) => expectedNested(row, guest.layout).kind === "fault");
}

/** What is wrong with an event as the record of a row; undefined: nothing. */
export function recordMismatch(guest: Guest, row: GoldenTranslation, event: FaultEvent): string | undefined {
  const expected = expectedNested(row, guest.layout);
  if (expected.kind !== "fault") return `row faults not, event ${event.type}`;
  if (event.type !== expected.type) return `${event.type}, expected ${expected.type}`;
  if (event.inputAddress !== BigInt(row.iova)) return `address ${event.inputAddress}, expected ${row.iova}`;
  if (expected.stage === 2) return Number(event.ipa) === expected.ipa ? undefined : `IPA ${event.ipa}`;
  const fixed = row.event_fixed ?? (row.event && { value: row.event, mask: "ff".repeat(32) });
  if (!fixed) return undefined;
  const [value, mask] = [Buffer.from(fixed.value, "hex"), Buffer.from(fixed.mask, "hex")];
  const wrong = value.findIndex((byte, at) => ((event.record[at]! ^ byte) & mask[at]!) !== 0);
  return wrong < 0 ? undefined : `record byte ${wrong}: ${Buffer.from(event.record).toString("hex")}`;
}

/** Physical address of the guest RAM file's first byte in the simulated host. */
async function ramPhysicalBase(guest: Guest, device: string): Promise<number> {
  const { windows } = await guest.session.simulator.readStructures({ device });
  const window = windows.find((one) => one.path === guest.ramFile);
  if (!window) throw new Error(`${guest.ramFile} is not behind ${device}`);
  return Number(window.pa);
}

/** Physical address that the host's MSI window leads to. */
async function doorbellPhysicalBase(guest: Guest, device: string): Promise<number> {
  const { doorbell } = await guest.session.simulator.listMsis(device);
  if (Number(doorbell?.ipa) !== HOST_MSI_WINDOW.ipa || Number(doorbell?.bytes) !== HOST_MSI_WINDOW.bytes) {
    throw new Error(`the host's MSI window is ${doorbell?.bytes} bytes at ${doorbell?.ipa}`);
  }
  return Number(doorbell?.pa);
}

function access(golden: GoldenCase, row: GoldenTranslation) {
  const kind = { r: AccessKind.ACCESS_KIND_READ, w: AccessKind.ACCESS_KIND_WRITE, x: AccessKind.ACCESS_KIND_EXECUTE };
  return {
    iova: BigInt(row.iova),
    substreamId: row.ssid ?? undefined,
    access: kind[row.access],
    privileged: row.privileged ?? golden.privileged ?? false,
  };
}

function describeExpected(expected: Expected, bases: { ram: number; doorbell: number }): string {
  switch (expected.kind) {
    case "ok":
      return ok(expected.ipa, bases.ram + expected.fileOffset, expected.pageBytes);
    case "msi":
      return ok(expected.ipa, bases.doorbell + expected.windowOffset, expected.pageBytes);
    case "abort":
      return "aborted silently";
    case "fault":
      return fault(expected.type, expected.stage, expected.class, expected.ipa);
  }
}

function describeAnswer(answer: Translation): string {
  if (answer.outcome === TransactionOutcome.TRANSACTION_OUTCOME_OK) {
    return ok(Number(answer.ipa), Number(answer.pa), Number(answer.pageBytes));
  }
  if (answer.faultType === "") return answer.recorded ? "recorded without a fault" : "aborted silently";
  const ipa = answer.faultStage === 2 && answer.faultIpa !== undefined ? Number(answer.faultIpa) : undefined;
  return fault(answer.faultType, answer.faultStage, answer.faultClass, ipa && ipa - (ipa % 4096));
}

function ok(ipa: number, pa: number, pageBytes: number): string {
  return `IPA 0x${ipa.toString(16)} → PA 0x${pa.toString(16)}, page ${pageBytes}`;
}

function fault(type: string, stage: number, cls: string, ipa: number | undefined): string {
  const at = ipa === undefined ? "" : ` at IPA 0x${ipa.toString(16)}`;
  return `${type} stage ${stage} ${cls}${at}`;
}
