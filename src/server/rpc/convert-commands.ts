// A guest's invalidation commands to the 16 bytes that core validates: raw ones as they are, typed ones encoded.
// Only what does not fit its field is refused here; which opcodes and combinations a guest may send is core's to say.
// Source: IHI 0070G.b §4.3 (CMD_CFGI_*), §4.4 (CMD_TLBI_*), §4.5.1 (CMD_ATC_INV).

import { type BrokerError, invalidField, limitReached } from "../../backends/errors.ts";
import { CMD_ATC_INV, CMD_CFGI, CMD_TLBI, COMMAND, COMMAND_BYTES, COMMAND_WORDS } from "../../spec/commands.ts";
import { doublewordsOf, type Field, set, setU64 } from "../../spec/layout.ts";
import type { iommubroker } from "./codec.ts";
import { allOf, eachOf, integer, refuseViolations } from "./field.ts";
import { bigintOf } from "./int64.ts";

type WireCommand = iommubroker.v1.InvalidationCommand;
type Batch = Pick<iommubroker.v1.StreamInvalidationsRequest, "commands" | "rawCommands">;

/** A command as its two doublewords. */
export interface CommandDoublewords {
  readonly dword0: bigint;
  readonly dword1: bigint;
}

const ADDRESS_UNIT = 4096n; // CMD_TLBI.Address is address[63:12]

/** A batch of InvalidateCache. @throws BrokerError with every command that is wrong by itself */
export function parseCommands(commands: readonly WireCommand[], max: number): readonly CommandDoublewords[] {
  if (commands.length > max) throw tooMany(max);
  if (commands.length === 0) throw invalidField("commands", "must not be empty");
  return eachOf(commands, "commands", parseCommand);
}

/** A batch of StreamInvalidations: commands, or their bytes. */
export function parseBatch(batch: Batch, max: number): readonly CommandDoublewords[] {
  const { commands, rawCommands } = batch;
  if (rawCommands.length === 0) return parseCommands(commands, max);
  if (commands.length > 0) throw invalidField("raw_commands", "must be empty where there are commands");
  if (rawCommands.length % COMMAND_BYTES !== 0) {
    throw invalidField("raw_commands", `must be ${COMMAND_BYTES} bytes for each command, is ${rawCommands.length}`);
  }
  if (rawCommands.length > max * COMMAND_BYTES) throw tooMany(max);
  const view = new DataView(rawCommands.buffer, rawCommands.byteOffset, rawCommands.length);
  const parsed: CommandDoublewords[] = [];
  for (let at = 0; at < rawCommands.length; at += COMMAND_BYTES) {
    parsed.push({ dword0: view.getBigUint64(at, true), dword1: view.getBigUint64(at + 8, true) });
  }
  return parsed;
}

function tooMany(max: number): BrokerError {
  return limitReached("commands_per_call_max", max, "send several batches");
}

/** `path` is the command's own: "commands[3]". */
export function parseCommand(command: WireCommand, path: string): CommandDoublewords {
  if (command.raw) return fromBytes(command.raw, `${path}.raw`);
  if (command.tlbiNhAll) return fromWords(tlbi(COMMAND.CMD_TLBI_NH_ALL));
  if (command.tlbiNhAsid) return tlbiAsid(command.tlbiNhAsid, `${path}.tlbi_nh_asid`);
  if (command.tlbiNhVa) return tlbiAddress(COMMAND.CMD_TLBI_NH_VA, command.tlbiNhVa, `${path}.tlbi_nh_va`);
  if (command.tlbiNhVaa) {
    if (command.tlbiNhVaa.asid)
      throw invalidField(`${path}.tlbi_nh_vaa.asid`, "must be 0: the command is for any ASID");
    return tlbiAddress(COMMAND.CMD_TLBI_NH_VAA, command.tlbiNhVaa, `${path}.tlbi_nh_vaa`);
  }
  if (command.cfgiCd) return cfgi(COMMAND.CMD_CFGI_CD, command.cfgiCd, `${path}.cfgi_cd`);
  if (command.cfgiCdAll) return cfgiAll(command.cfgiCdAll, `${path}.cfgi_cd_all`);
  if (command.atcInv) return atcInv(command.atcInv, `${path}.atc_inv`);
  throw invalidField(
    path,
    "must be one of raw, tlbi_nh_all, tlbi_nh_asid, tlbi_nh_va, tlbi_nh_vaa, cfgi_cd, cfgi_cd_all, atc_inv",
  );
}

function fromBytes(bytes: Uint8Array, path: string): CommandDoublewords {
  if (bytes.length !== COMMAND_BYTES) throw invalidField(path, `must be ${COMMAND_BYTES} bytes, is ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { dword0: view.getBigUint64(0, true), dword1: view.getBigUint64(8, true) };
}

function tlbiAsid(command: iommubroker.v1.TlbiAsid, path: string): CommandDoublewords {
  const words = tlbi(COMMAND.CMD_TLBI_NH_ASID);
  set(words, 0, CMD_TLBI.ASID, bounded(command.asid, CMD_TLBI.ASID, `${path}.asid`));
  return fromWords(words);
}

function tlbiAddress(opcode: number, command: iommubroker.v1.TlbiAddress, path: string): CommandDoublewords {
  const address = bigintOf(command.address);
  const fields = allOf({
    asid: () => bounded(command.asid, CMD_TLBI.ASID, `${path}.asid`),
    address: () => pageOf(address, `${path}.address`),
    tg: () => bounded(command.tg, CMD_TLBI.TG, `${path}.tg`),
    num: () => bounded(command.num, CMD_TLBI.NUM, `${path}.num`),
    scale: () => integer(command.scale, `${path}.scale`, { min: 0, max: SCALE_MAX }),
    ttl: () => bounded(command.ttl, CMD_TLBI.TTL, `${path}.ttl`),
  });
  const words = tlbi(opcode);
  set(words, 0, CMD_TLBI.ASID, fields.asid);
  set(words, 0, CMD_TLBI.Leaf, command.leaf ? 1 : 0);
  set(words, 0, CMD_TLBI.TG, fields.tg);
  set(words, 0, CMD_TLBI.NUM, fields.num);
  set(words, 0, CMD_TLBI.SCALE, fields.scale);
  set(words, 0, CMD_TLBI.TTL, fields.ttl);
  setU64(words, 0, CMD_TLBI.Address, fields.address);
  return fromWords(words);
}

function cfgi(opcode: number, command: iommubroker.v1.CfgiCd, path: string): CommandDoublewords {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_CFGI.Opcode, opcode);
  set(words, 0, CMD_CFGI.StreamID, command.virtualStreamId);
  const substreamID = bounded(command.substreamId, CMD_CFGI.SubstreamID, `${path}.substream_id`);
  set(words, 0, CMD_CFGI.SubstreamID, substreamID);
  set(words, 0, CMD_CFGI.Leaf, command.leaf ? 1 : 0);
  return fromWords(words);
}

function cfgiAll(command: iommubroker.v1.CfgiCd, path: string): CommandDoublewords {
  const why = "must be unset: the command is for all context descriptors of the stream";
  refuseViolations([
    ...(command.substreamId ? [{ path: `${path}.substream_id`, description: why }] : []),
    ...(command.leaf ? [{ path: `${path}.leaf`, description: why }] : []),
  ]);
  return cfgi(COMMAND.CMD_CFGI_CD_ALL, command, path);
}

function atcInv(command: iommubroker.v1.AtcInv, path: string): CommandDoublewords {
  const { substreamId } = command;
  const hasPasid = typeof substreamId === "number";
  if (command.global && !hasPasid) {
    throw invalidField(`${path}.global`, "must be unset without substream_id: it is about PASIDs");
  }
  const fields = allOf({
    substreamID: () => (hasPasid ? bounded(substreamId, CMD_ATC_INV.SubstreamID, `${path}.substream_id`) : 0),
    address: () => pageOf(bigintOf(command.address), `${path}.address`),
    size: () => integer(command.size, `${path}.size`, { min: 0, max: ATC_SIZE_MAX }),
  });
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_ATC_INV.Opcode, COMMAND.CMD_ATC_INV);
  set(words, 0, CMD_ATC_INV.StreamID, command.virtualStreamId);
  set(words, 0, CMD_ATC_INV.SSV, hasPasid ? 1 : 0);
  set(words, 0, CMD_ATC_INV.SubstreamID, fields.substreamID);
  set(words, 0, CMD_ATC_INV.G, command.global ? 1 : 0);
  set(words, 0, CMD_ATC_INV.Size, fields.size);
  setU64(words, 0, CMD_ATC_INV.Address, fields.address);
  return fromWords(words);
}

/** 2^52 pages are all there are (§4.5.1). */
const ATC_SIZE_MAX = 52;

/** The contract has 0 to 31 here; the field itself is one bit wider (§4.4.1). */
const SCALE_MAX = 31;

function tlbi(opcode: number): Uint32Array {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_TLBI.Opcode, opcode);
  return words;
}

function bounded(value: number, field: Field, path: string): number {
  return integer(value, path, { min: 0, max: 2 ** field.width - 1 });
}

function pageOf(address: bigint, path: string): bigint {
  if (address % ADDRESS_UNIT !== 0n) throw invalidField(path, "bits 11:0 must be 0");
  return address / ADDRESS_UNIT;
}

function fromWords(words: Uint32Array): CommandDoublewords {
  const [dword0, dword1] = doublewordsOf(words);
  return { dword0: dword0 ?? 0n, dword1: dword1 ?? 0n };
}
