// A guest's invalidation commands: the whole batch is checked before any of it runs.
// Accepted are the commands the kernel lets a guest issue (reference: Linux arm_vsmmu_convert_user_cmd and, since 7.3,
// arm_vsmmu_validate_user_cmd, which refuses reserved bits too). CFGI_STE is BindGuestStage; CMD_SYNC is implicit.
// Source: IHI 0070G.b §4.3 (CFGI), §4.4 (TLBI), §4.5 (ATC_INV).

import type { InvalidationCommand } from "../../backends/backend.ts";
import { type BrokerError, invalidField } from "../../backends/errors.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import { CMD_ATC_INV, CMD_CFGI, CMD_TLBI, COMMAND } from "../../spec/commands.ts";
import { type Field, get, wordsOf } from "../../spec/layout.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../../spec/registers.ts";

interface Shape {
  readonly name: string;
  /** Fields the command has; every other bit is reserved. */
  readonly fields: readonly Field[];
}

const CFGI_CD_FIELDS = [CMD_CFGI.Opcode, CMD_CFGI.SubstreamID, CMD_CFGI.StreamID, CMD_CFGI.Leaf];
const RANGE_FIELDS = [CMD_TLBI.NUM, CMD_TLBI.SCALE, CMD_TLBI.TTL, CMD_TLBI.TG];
const VA_FIELDS = [CMD_TLBI.Opcode, CMD_TLBI.VMID, CMD_TLBI.Leaf, CMD_TLBI.Address, ...RANGE_FIELDS];

const SHAPES: ReadonlyMap<number, Shape> = new Map<number, Shape>([
  [COMMAND.CMD_CFGI_CD, { name: "CMD_CFGI_CD", fields: CFGI_CD_FIELDS }],
  [COMMAND.CMD_CFGI_CD_ALL, { name: "CMD_CFGI_CD_ALL", fields: [CMD_CFGI.Opcode, CMD_CFGI.StreamID] }],
  [COMMAND.CMD_TLBI_NH_ALL, { name: "CMD_TLBI_NH_ALL", fields: [CMD_TLBI.Opcode, CMD_TLBI.VMID] }],
  [COMMAND.CMD_TLBI_NH_ASID, { name: "CMD_TLBI_NH_ASID", fields: [CMD_TLBI.Opcode, CMD_TLBI.VMID, CMD_TLBI.ASID] }],
  [COMMAND.CMD_TLBI_NH_VA, { name: "CMD_TLBI_NH_VA", fields: [...VA_FIELDS, CMD_TLBI.ASID] }],
  [COMMAND.CMD_TLBI_NH_VAA, { name: "CMD_TLBI_NH_VAA", fields: VA_FIELDS }],
  [COMMAND.CMD_TLBI_NSNH_ALL, { name: "CMD_TLBI_NSNH_ALL", fields: [CMD_TLBI.Opcode] }],
  [COMMAND.CMD_ATC_INV, { name: "CMD_ATC_INV", fields: Object.values(CMD_ATC_INV).filter((f) => f.name !== "SSec") }],
]);

/**
 * Checks a batch.
 *
 * @param commands   16 bytes each, as two doublewords
 * @param registers  the virtual IOMMU's frozen registers: RIL, ATS, ASID16, SSIDSIZE, granules
 * @param names      virtual StreamIDs in use in the virtual IOMMU
 * @throws BrokerError argument_invalid naming the first bad command by its index; nothing was executed
 */
export function checkInvalidations(
  commands: readonly { dword0: bigint; dword1: bigint }[],
  registers: IdRegisters,
  names: ReadonlySet<number>,
): readonly InvalidationCommand[] {
  return commands.map(({ dword0, dword1 }, index) => {
    const words = wordsOf([dword0, dword1]);
    const opcode = get(words, 0, CMD_TLBI.Opcode);
    const shape = SHAPES.get(opcode);
    if (!shape) throw bad(index, `opcode 0x${opcode.toString(16)} ${remedy(opcode)}`, { opcode });
    const reserved = reservedBits(dword0 | (dword1 << 64n), shape);
    if (reserved !== undefined)
      throw bad(index, `${shape.name}: reserved bit ${reserved} is set`, { opcode, bit: reserved });
    checkFields(words, opcode, shape.name, index, registers, names);
    return { opcode, dword0, dword1 };
  });
}

const NAMES_STREAM: ReadonlySet<number> = new Set([COMMAND.CMD_CFGI_CD, COMMAND.CMD_CFGI_CD_ALL, COMMAND.CMD_ATC_INV]);

/** Virtual StreamIDs that commands of a checked batch name; one that several name comes several times. */
export function streamsNamed(commands: readonly InvalidationCommand[]): readonly number[] {
  return commands.flatMap(
    ({ dword0, dword1, opcode }) =>
      NAMES_STREAM.has(opcode) ? [get(wordsOf([dword0, dword1]), 0, CMD_CFGI.StreamID)] : [], // ATC_INV has it there too
  );
}

function checkFields(
  words: Uint32Array,
  opcode: number,
  name: string,
  index: number,
  registers: IdRegisters,
  names: ReadonlySet<number>,
): void {
  switch (opcode) {
    case COMMAND.CMD_CFGI_CD:
    case COMMAND.CMD_CFGI_CD_ALL:
      requireStream(get(words, 0, CMD_CFGI.StreamID), name, index, names);
      if (opcode === COMMAND.CMD_CFGI_CD) requireSubstream(get(words, 0, CMD_CFGI.SubstreamID), name, index, registers);
      return;
    case COMMAND.CMD_ATC_INV:
      if (flag(registers.idr0, IDR0.ATS) === 0) throw bad(index, `${name}: the virtual IOMMU has no ATS`, { opcode });
      requireStream(get(words, 0, CMD_ATC_INV.StreamID), name, index, names);
      requireSubstream(get(words, 0, CMD_ATC_INV.SubstreamID), name, index, registers);
      if (get(words, 0, CMD_ATC_INV.Size) > 52) throw bad(index, `${name}: Size is above 52`, { opcode });
      return;
    case COMMAND.CMD_TLBI_NSNH_ALL:
      return;
    default:
      checkTlbi(words, opcode, name, index, registers);
  }
}

function checkTlbi(words: Uint32Array, opcode: number, name: string, index: number, registers: IdRegisters): void {
  const vmid = get(words, 0, CMD_TLBI.VMID);
  if (vmid !== 0) throw bad(index, `${name}: VMID ${vmid} must be 0, VMIDs are the broker's`, { opcode, vmid });
  if (opcode === COMMAND.CMD_TLBI_NH_ALL) return;
  const asid = get(words, 0, CMD_TLBI.ASID);
  if (opcode !== COMMAND.CMD_TLBI_NH_VAA && asid > 255 && flag(registers.idr0, IDR0.ASID16) === 0) {
    throw bad(index, `${name}: ASID ${asid} needs 16 bits, the virtual IOMMU has 8`, { opcode, asid });
  }
  if (opcode === COMMAND.CMD_TLBI_NH_ASID) return;
  const [tg, ttl] = [get(words, 0, CMD_TLBI.TG), get(words, 0, CMD_TLBI.TTL)];
  const [num, scale] = [get(words, 0, CMD_TLBI.NUM), get(words, 0, CMD_TLBI.SCALE)];
  if (tg === 0) {
    if (num !== 0 || scale !== 0 || ttl !== 0)
      throw bad(index, `${name}: NUM, SCALE and TTL need a TG`, { opcode, tg });
    return;
  }
  if (flag(registers.idr3, IDR3.RIL) === 0) throw bad(index, `${name}: TG ${tg} needs IDR3.RIL`, { opcode, tg });
  const granule = [IDR5.GRAN4K, IDR5.GRAN16K, IDR5.GRAN64K][tg - 1]!;
  if (flag(registers.idr5, granule) === 0) throw bad(index, `${name}: TG ${tg} needs ${granule.name}`, { opcode, tg });
  const isReservedTTL = tg === 2 && ttl === 1 && flag(registers.idr5, IDR5.DS) === 0; // treated as 0 (§4.4.1)
  if (num === 0 && scale === 0 && (ttl === 0 || isReservedTTL))
    throw bad(index, `${name}: TG ${tg} without NUM, SCALE or TTL`, { opcode, tg });
}

function requireStream(stream: number, name: string, index: number, names: ReadonlySet<number>): void {
  if (names.has(stream)) return;
  throw bad(index, `${name}: no device has virtual StreamID ${stream}`, { virtual_stream_id: stream });
}

function requireSubstream(substream: number, name: string, index: number, registers: IdRegisters): void {
  const width = flag(registers.idr1, IDR1.SSIDSIZE);
  if (substream < 2 ** width) return;
  throw bad(index, `${name}: SubstreamID ${substream} does not fit ${width} bits`, { substream_id: substream });
}

function reservedBits(command: bigint, shape: Shape): number | undefined {
  let rest = command;
  for (const field of shape.fields) rest &= ~(((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb));
  if (rest === 0n) return undefined;
  let bit = 0;
  while (((rest >> BigInt(bit)) & 1n) === 0n) bit += 1;
  return bit;
}

function remedy(opcode: number): string {
  if (opcode === COMMAND.CMD_SYNC) return "(CMD_SYNC) is implicit: leave it out";
  if (opcode === COMMAND.CMD_CFGI_STE || opcode === COMMAND.CMD_CFGI_STE_RANGE) {
    return "(CMD_CFGI_STE) changes what is installed: use BindGuestStage or BatchBindGuestStage";
  }
  return "is not for a guest";
}

function flag(register: number, field: Field): number {
  return get(new Uint32Array([register]), 0, field);
}

function bad(index: number, why: string, facts: Readonly<Record<string, number>>): BrokerError {
  return invalidField(`commands[${index}]`, why, { index, ...facts });
}
