// A guest's invalidation commands: the whole batch is checked before any of it runs.
// Accepted are the commands the kernel lets a guest issue (reference: Linux arm_vsmmu_convert_user_cmd and, since 7.3,
// arm_vsmmu_validate_user_cmd, which refuses reserved bits too). CFGI_STE is BindGuestStage; CMD_SYNC is implicit.
// Source: IHI 0070G.b §4.3 (CFGI), §4.4 (TLBI), §4.5 (ATC_INV).

import type { InvalidationCommand } from "../../backends/backend.ts";
import { type BrokerError, invalidField } from "../../backends/errors.ts";
import type { IdRegisters } from "../../backends/inventory.ts";
import { CMD_ATC_INV, CMD_CFGI, CMD_TLBI, COMMAND, COMMAND_WORDS } from "../../spec/commands.ts";
import { type Field, get } from "../../spec/layout.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../../spec/registers.ts";
import { hiOf, loOf } from "../../spec/u64.ts";

interface Shape {
  readonly name: string;
  /** Reserved bits of each doubleword: all that no field has. */
  readonly reserved: readonly [bigint, bigint];
}

/** What a virtual IOMMU's frozen registers say to commands, read once for a batch. */
interface Abilities {
  readonly ats: boolean;
  readonly asid16: boolean;
  readonly ril: boolean;
  readonly ds: boolean;
  readonly substreamBits: number;
  /** By TG - 1. */
  readonly granules: readonly boolean[];
}

/** A command that is looked at. */
interface Looked {
  readonly words: Uint32Array;
  readonly opcode: number;
  readonly name: string;
  readonly index: number;
}

/** Virtual StreamIDs in use. */
interface Names {
  has(name: number): boolean;
}

const CFGI_CD_FIELDS = [CMD_CFGI.Opcode, CMD_CFGI.SubstreamID, CMD_CFGI.StreamID, CMD_CFGI.Leaf];
const RANGE_FIELDS = [CMD_TLBI.NUM, CMD_TLBI.SCALE, CMD_TLBI.TTL, CMD_TLBI.TG];
const VA_FIELDS = [CMD_TLBI.Opcode, CMD_TLBI.VMID, CMD_TLBI.Leaf, CMD_TLBI.Address, ...RANGE_FIELDS];

const SHAPES: ReadonlyMap<number, Shape> = new Map<number, Shape>([
  [COMMAND.CMD_CFGI_CD, shape("CMD_CFGI_CD", CFGI_CD_FIELDS)],
  [COMMAND.CMD_CFGI_CD_ALL, shape("CMD_CFGI_CD_ALL", [CMD_CFGI.Opcode, CMD_CFGI.StreamID])],
  [COMMAND.CMD_TLBI_NH_ALL, shape("CMD_TLBI_NH_ALL", [CMD_TLBI.Opcode, CMD_TLBI.VMID])],
  [COMMAND.CMD_TLBI_NH_ASID, shape("CMD_TLBI_NH_ASID", [CMD_TLBI.Opcode, CMD_TLBI.VMID, CMD_TLBI.ASID])],
  [COMMAND.CMD_TLBI_NH_VA, shape("CMD_TLBI_NH_VA", [...VA_FIELDS, CMD_TLBI.ASID])],
  [COMMAND.CMD_TLBI_NH_VAA, shape("CMD_TLBI_NH_VAA", VA_FIELDS)],
  [COMMAND.CMD_TLBI_NSNH_ALL, shape("CMD_TLBI_NSNH_ALL", [CMD_TLBI.Opcode])],
  [
    COMMAND.CMD_ATC_INV,
    shape(
      "CMD_ATC_INV",
      Object.values(CMD_ATC_INV).filter((field) => field.name !== "SSec"),
    ),
  ],
]);
const GRANULES = [IDR5.GRAN4K, IDR5.GRAN16K, IDR5.GRAN64K];

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
  names: Names,
): readonly InvalidationCommand[] {
  const abilities = abilitiesOf(registers);
  const words = new Uint32Array(COMMAND_WORDS); // one for all: a batch can have thousands, and comes often
  return commands.map(({ dword0, dword1 }, index) => {
    words[0] = loOf(dword0);
    words[1] = hiOf(dword0);
    words[2] = loOf(dword1);
    words[3] = hiOf(dword1);
    const opcode = get(words, 0, CMD_TLBI.Opcode);
    const shape = SHAPES.get(opcode);
    if (!shape) throw bad(index, `opcode 0x${opcode.toString(16)} ${remedy(opcode)}`, { opcode });
    const { name, reserved } = shape;
    if ((dword0 & reserved[0]) !== 0n || (dword1 & reserved[1]) !== 0n) {
      const bit = lowestBit((dword0 & reserved[0]) | ((dword1 & reserved[1]) << 64n));
      throw bad(index, `${name}: reserved bit ${bit} is set`, { opcode, bit });
    }
    checkFields({ words, opcode, name, index }, abilities, names);
    return { opcode, dword0, dword1 };
  });
}

const NAMES_STREAM: ReadonlySet<number> = new Set([COMMAND.CMD_CFGI_CD, COMMAND.CMD_CFGI_CD_ALL, COMMAND.CMD_ATC_INV]);

/** Virtual StreamIDs that commands of a checked batch name; one that several name comes several times. */
export function streamsNamed(commands: readonly InvalidationCommand[]): readonly number[] {
  const streams: number[] = [];
  for (const { dword0, opcode } of commands) {
    if (NAMES_STREAM.has(opcode)) streams.push(hiOf(dword0)); // StreamID is [63:32] in all of them
  }
  return streams;
}

function checkFields(command: Looked, abilities: Abilities, names: Names): void {
  const { index, name, opcode, words } = command;
  switch (opcode) {
    case COMMAND.CMD_CFGI_CD:
    case COMMAND.CMD_CFGI_CD_ALL:
      requireStream(get(words, 0, CMD_CFGI.StreamID), command, names);
      if (opcode === COMMAND.CMD_CFGI_CD) requireSubstream(get(words, 0, CMD_CFGI.SubstreamID), command, abilities);
      return;
    case COMMAND.CMD_ATC_INV:
      if (!abilities.ats) throw bad(index, `${name}: the virtual IOMMU has no ATS`, { opcode });
      requireStream(get(words, 0, CMD_ATC_INV.StreamID), command, names);
      requireSubstream(get(words, 0, CMD_ATC_INV.SubstreamID), command, abilities);
      if (get(words, 0, CMD_ATC_INV.Size) > 52) throw bad(index, `${name}: Size is above 52`, { opcode });
      return;
    case COMMAND.CMD_TLBI_NSNH_ALL:
      return;
    default:
      checkTlbi(command, abilities);
  }
}

function checkTlbi({ index, name, opcode, words }: Looked, abilities: Abilities): void {
  const vmid = get(words, 0, CMD_TLBI.VMID);
  if (vmid !== 0) throw bad(index, `${name}: VMID ${vmid} must be 0, VMIDs are the broker's`, { opcode, vmid });
  if (opcode === COMMAND.CMD_TLBI_NH_ALL) return;
  const asid = get(words, 0, CMD_TLBI.ASID);
  if (opcode !== COMMAND.CMD_TLBI_NH_VAA && asid > 255 && !abilities.asid16) {
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
  if (!abilities.ril) throw bad(index, `${name}: TG ${tg} needs IDR3.RIL`, { opcode, tg });
  if (!abilities.granules[tg - 1])
    throw bad(index, `${name}: TG ${tg} needs ${GRANULES[tg - 1]!.name}`, { opcode, tg });
  const isReservedTTL = tg === 2 && ttl === 1 && !abilities.ds; // treated as 0 (§4.4.1)
  if (num === 0 && scale === 0 && (ttl === 0 || isReservedTTL))
    throw bad(index, `${name}: TG ${tg} without NUM, SCALE or TTL`, { opcode, tg });
}

function requireStream(stream: number, { index, name }: Looked, names: Names): void {
  if (names.has(stream)) return;
  throw bad(index, `${name}: no device has virtual StreamID ${stream}`, { virtual_stream_id: stream });
}

function requireSubstream(substream: number, { index, name }: Looked, { substreamBits }: Abilities): void {
  if (substream < 2 ** substreamBits) return;
  throw bad(index, `${name}: SubstreamID ${substream} does not fit ${substreamBits} bits`, { substream_id: substream });
}

function shape(name: string, fields: readonly Field[]): Shape {
  let reserved = 2n ** 128n - 1n;
  for (const field of fields) reserved &= ~(((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb));
  return { name, reserved: [reserved & (2n ** 64n - 1n), reserved >> 64n] };
}

function lowestBit(bits: bigint): number {
  let bit = 0;
  while (((bits >> BigInt(bit)) & 1n) === 0n) bit += 1;
  return bit;
}

function abilitiesOf({ idr0, idr1, idr3, idr5 }: IdRegisters): Abilities {
  return {
    ats: flag(idr0, IDR0.ATS) !== 0,
    asid16: flag(idr0, IDR0.ASID16) !== 0,
    ril: flag(idr3, IDR3.RIL) !== 0,
    ds: flag(idr5, IDR5.DS) !== 0,
    substreamBits: flag(idr1, IDR1.SSIDSIZE),
    granules: GRANULES.map((granule) => flag(idr5, granule) !== 0),
  };
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
