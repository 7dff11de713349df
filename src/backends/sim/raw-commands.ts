// The commands that the simulated host's drivers give an SMMU, as the doublewords of its command queue.
// Source: IHI 0070G.b §4.1 to §4.6.

import { CMD, CMD_ATC_INV, CMD_CFGI, CMD_STALL_TERM, CMD_TLBI, COMMAND, COMMAND_WORDS } from "../../spec/commands.ts";
import { doublewordsOf, set, setAddress } from "../../spec/layout.ts";

/** CMD_ATC_INV.Size of everything. */
const ATC_SIZE_ALL = 52;

/** One command as two doublewords. */
export interface RawCommand {
  readonly dword0: bigint;
  readonly dword1: bigint;
}

export function command(opcode: number): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD.Opcode, opcode);
  return raw(words);
}

/** CMD_CFGI_STE with Leaf=0: the first level of the table may be new. */
export function cfgiSte(streamID: number): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_CFGI.Opcode, COMMAND.CMD_CFGI_STE);
  set(words, 0, CMD_CFGI.StreamID, streamID);
  return raw(words);
}

/** CMD_CFGI_CD of SubstreamID 0 with Leaf=1: the table is linear. */
export function cfgiCd(streamID: number): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_CFGI.Opcode, COMMAND.CMD_CFGI_CD);
  set(words, 0, CMD_CFGI.StreamID, streamID);
  set(words, 0, CMD_CFGI.Leaf, 1);
  return raw(words);
}

/** CMD_STALL_TERM: every stalled transaction of the stream is aborted. */
export function stallTerm(streamID: number): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_STALL_TERM.Opcode, COMMAND.CMD_STALL_TERM);
  set(words, 0, CMD_STALL_TERM.StreamID, streamID);
  return raw(words);
}

/** CMD_ATC_INV of everything. Without a PASID it reaches entries that were requested with one too. */
export function atcInvAll(streamID: number): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_ATC_INV.Opcode, COMMAND.CMD_ATC_INV);
  set(words, 0, CMD_ATC_INV.StreamID, streamID);
  set(words, 0, CMD_ATC_INV.Size, ATC_SIZE_ALL);
  return raw(words);
}

/** CMD_CFGI_ALL: CMD_CFGI_STE_RANGE with Range 31. */
export function cfgiAll(): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD.Opcode, COMMAND.CMD_CFGI_STE_RANGE);
  words[2] = 31;
  return raw(words);
}

/** A TLB command for one VMID, with an address for the forms that have one. */
export function tlbi(opcode: number, vmid: number, address = 0, isLeaf = false): RawCommand {
  const words = new Uint32Array(COMMAND_WORDS);
  set(words, 0, CMD_TLBI.Opcode, opcode);
  set(words, 0, CMD_TLBI.VMID, vmid);
  if (isLeaf) set(words, 0, CMD_TLBI.Leaf, 1);
  setAddress(words, 0, CMD_TLBI.Address, 12, address);
  return raw(words);
}

function raw(words: Uint32Array): RawCommand {
  const [dword0, dword1] = doublewordsOf(words);
  return { dword0: dword0!, dword1: dword1! };
}
