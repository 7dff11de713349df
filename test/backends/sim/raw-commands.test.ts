import { expect, test } from "vitest";
import {
  atcInvAll,
  cfgiAll,
  cfgiCd,
  cfgiSte,
  command,
  stallTerm,
  tlbi,
} from "../../../src/backends/sim/raw-commands.ts";

test("a TLB command carries VMID, address and leaf where §4.4 has them", () => {
  expect(tlbi(0x2a, 0x1234, 0x4000_5000, true)).toEqual({ dword0: 0x1234_0000_002an, dword1: 0x4000_5001n });
  expect(tlbi(0x28, 1)).toEqual({ dword0: 0x1_0000_0028n, dword1: 0n });
});

test("a configuration command names its stream in [63:32]; Leaf is bit 64, and Range 31 means all (§4.3)", () => {
  expect(cfgiSte(0x123)).toEqual({ dword0: 0x123_0000_0003n, dword1: 0n });
  expect(cfgiCd(0x123)).toEqual({ dword0: 0x123_0000_0005n, dword1: 1n });
  expect(cfgiAll()).toEqual({ dword0: 0x04n, dword1: 31n });
});

test("all of an ATC is 2^52 pages from address 0 (§4.5.1)", () => {
  expect(atcInvAll(0x123)).toEqual({ dword0: 0x123_0000_0040n, dword1: 52n });
});

test("the end of a stream's stalls has its opcode and its StreamID, and a bare command its opcode alone (§4.6.2)", () => {
  expect(stallTerm(0x123)).toEqual({ dword0: 0x123_0000_0045n, dword1: 0n });
  expect(command(0x46)).toEqual({ dword0: 0x46n, dword1: 0n }); // CMD_SYNC
});
