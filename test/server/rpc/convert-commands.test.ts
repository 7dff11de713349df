import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/backends/errors.ts";
import { codec, iommubroker } from "../../../src/server/rpc/codec.ts";
import { parseCommand } from "../../../src/server/rpc/convert-commands.ts";
import { longOf } from "../../../src/server/rpc/int64.ts";

const COMMAND = codec(iommubroker.v1.InvalidationCommand);

function parse(command: iommubroker.v1.IInvalidationCommand) {
  return parseCommand(COMMAND.decode(COMMAND.encode(command)), "commands[0]");
}

function pathsRefused(command: iommubroker.v1.IInvalidationCommand): string[] {
  try {
    parse(command);
  } catch (error) {
    if (error instanceof BrokerError) return error.fields.map(({ path }) => path);
  }
  return [];
}

// Words assembled by hand from IHI 0070G.b §4.3, §4.4 and §4.5.1.
describe("a typed command is the 16 bytes that the architecture gives it", () => {
  test.each<[string, iommubroker.v1.IInvalidationCommand, bigint, bigint]>([
    ["CMD_TLBI_NH_ALL: opcode 0x10", { tlbiNhAll: {} }, 0x10n, 0n],
    ["CMD_TLBI_NH_ASID: ASID [63:48]", { tlbiNhAsid: { asid: 0xabcd } }, 0xabcd_0000_0000_0011n, 0n],
    [
      "CMD_TLBI_NH_VA: address [127:76] in place, leaf 64",
      { tlbiNhVa: { asid: 1, address: longOf(0xffff_8000_1234_5000n), leaf: true } },
      0x0001_0000_0000_0012n,
      0xffff_8000_1234_5001n,
    ],
    [
      "CMD_TLBI_NH_VA, a range: NUM [16:12], SCALE [25:20], TTL [73:72], TG [75:74]",
      { tlbiNhVa: { asid: 0xffff, address: longOf(0x1000n), tg: 1, num: 31, scale: 2, ttl: 3 } },
      0xffff_0000_0021_f012n,
      0x1700n,
    ],
    [
      "CMD_TLBI_NH_VAA: opcode 0x13",
      { tlbiNhVaa: { address: longOf(0xffff_ffff_ffff_f000n) } },
      0x13n,
      0xffff_ffff_ffff_f000n,
    ],
    [
      "CMD_CFGI_CD: SubstreamID [31:12], StreamID [63:32], leaf 64",
      { cfgiCd: { virtualStreamId: 0xffff_ffff, substreamId: 0xf_ffff, leaf: true } },
      0xffff_ffff_ffff_f005n,
      1n,
    ],
    [
      "CMD_ATC_INV: opcode 0x40, StreamID [63:32], Size [69:64], Address [127:76]",
      { atcInv: { virtualStreamId: 8, address: longOf(0xffff_8000_1234_5000n), size: 3 } },
      0x0000_0008_0000_0040n,
      0xffff_8000_1234_5003n,
    ],
    [
      "CMD_ATC_INV with a PASID: G 9, SSV 11, SubstreamID [31:12]; 0 is a PASID too",
      { atcInv: { virtualStreamId: 8, substreamId: 0, global: true, size: 52 } },
      0x0000_0008_0000_0a40n,
      0x34n,
    ],
    ["CMD_CFGI_CD_ALL: opcode 6", { cfgiCdAll: { virtualStreamId: 8 } }, 0x0000_0008_0000_0006n, 0n],
  ])("%s", (_what, command, dword0, dword1) => {
    expect(parse(command)).toEqual({ dword0, dword1 });
  });
});

test("raw bytes are two little-endian doublewords", () => {
  const raw = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
  expect(parse({ raw })).toEqual({ dword0: 0x0807_0605_0403_0201n, dword1: 0x100f_0e0d_0c0b_0a09n });
});

describe("what does not fit its field is refused by path", () => {
  test.each<[iommubroker.v1.IInvalidationCommand, string[]]>([
    [{}, ["commands[0]"]],
    [{ raw: new Uint8Array(0) }, ["commands[0].raw"]],
    [{ raw: new Uint8Array(17) }, ["commands[0].raw"]],
    [{ tlbiNhAsid: { asid: 0x1_0000 } }, ["commands[0].tlbi_nh_asid.asid"]],
    [{ tlbiNhVa: { address: longOf(1n) } }, ["commands[0].tlbi_nh_va.address"]],
    [{ tlbiNhVa: { address: longOf(2n ** 63n + 2048n) } }, ["commands[0].tlbi_nh_va.address"]],
    [
      { tlbiNhVa: { asid: 2 ** 32 - 1, tg: 4, num: 32, scale: 32, ttl: 4 } },
      ["asid", "tg", "num", "scale", "ttl"].map((field) => `commands[0].tlbi_nh_va.${field}`),
    ],
    [{ tlbiNhVaa: { asid: 1 } }, ["commands[0].tlbi_nh_vaa.asid"]],
    [{ cfgiCd: { substreamId: 2 ** 20 } }, ["commands[0].cfgi_cd.substream_id"]],
    [{ atcInv: { global: true } }, ["commands[0].atc_inv.global"]],
    [
      { atcInv: { substreamId: 2 ** 20, address: longOf(1n), size: 53 } },
      ["substream_id", "address", "size"].map((field) => `commands[0].atc_inv.${field}`),
    ],
    [
      { cfgiCdAll: { substreamId: 1, leaf: true } },
      ["substream_id", "leaf"].map((field) => `commands[0].cfgi_cd_all.${field}`),
    ],
  ])("%j", (command, paths) => {
    expect(pathsRefused(command)).toEqual(paths);
  });
});
