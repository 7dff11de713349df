import { describe, expect, test } from "vitest";
import type { IdRegisters } from "../../../src/backends/inventory.ts";
import { checkInvalidations } from "../../../src/server/core/invalidation.ts";
import { refusal } from "../../support/host.ts";
import { at } from "../../support/smmuv3-tables.ts";

// Opcodes of IHI 0070G.b §4.1.3; positions of §4.3 to §4.5: StreamID [63:32], SubstreamID [31:12], VMID [47:32],
// ASID [63:48], NUM [16:12], SCALE [24:20]; in doubleword 1 Leaf 0, TTL [9:8], TG [11:10], Address [63:12], Size [5:0].
const CFGI_CD = 0x05n;
const CFGI_CD_ALL = 0x06n;
const NH_ALL = 0x10n;
const NH_ASID = 0x11n;
const NH_VA = 0x12n;
const NH_VAA = 0x13n;
const NSNH_ALL = 0x30n;
const ATC_INV = 0x40n;

/** ASID16 (bit 12), ATS (bit 10), no stalls; SSIDSIZE 8 at [10:6]; RIL (bit 10 of IDR3); 4K, 16K, 64K. */
const ALL: IdRegisters = {
  idr0: 0x1400,
  idr1: (8 << 6) | 16,
  idr2: 0,
  idr3: 1 << 10,
  idr4: 0,
  idr5: 0x75,
  idr6: 0,
  iidr: 0,
  aidr: 0,
};
const NAMES = new Set([0x30, 0xffff_ffff]);

type Raw = { dword0: bigint; dword1: bigint };
const raw = (dword0: bigint, dword1 = 0n): Raw => ({ dword0, dword1 });
const check = (command: Raw, registers: IdRegisters = ALL) => checkInvalidations([command], registers, NAMES);

describe("what a guest may send, passed on as it came", () => {
  test.each([
    ["CFGI_CD", raw(CFGI_CD | at(255, 12) | at(0x30, 32), 1n)],
    ["CFGI_CD of the highest virtual StreamID", raw(CFGI_CD | at(0xffff_ffff, 32))],
    ["CFGI_CD_ALL", raw(CFGI_CD_ALL | at(0x30, 32))],
    ["TLBI_NH_ALL", raw(NH_ALL)],
    ["TLBI_NH_ASID", raw(NH_ASID | at(0xffff, 48))],
    ["TLBI_NH_VA of one address", raw(NH_VA | at(7, 48), 0xffff_ffff_ffff_f001n)],
    ["TLBI_NH_VA of a range", raw(NH_VA | at(31, 12) | at(31, 20) | at(7, 48), 0x4000_0001n | at(3, 8) | at(1, 10))],
    ["TLBI_NH_VA with only a TTL", raw(NH_VA, at(2, 8) | at(2, 10))],
    ["TLBI_NH_VAA", raw(NH_VAA, 0x4000_0000n)],
    ["TLBI_NSNH_ALL", raw(NSNH_ALL)],
    ["ATC_INV of everything", raw(ATC_INV | at(1, 11) | at(255, 12) | at(0x30, 32), 52n)],
    ["ATC_INV, global", raw(ATC_INV | at(1, 9) | at(0x30, 32), 0x1000n)],
  ])("%s", (_, command) => {
    expect(check(command)).toEqual([{ opcode: Number(command.dword0 & 0xffn), ...command }]);
  });
});

async function expectRefusal(command: Raw, why: RegExp, registers: IdRegisters = ALL): Promise<void> {
  const error = await refusal(() => check(command, registers));
  expect(error.code).toBe("argument_invalid");
  expect(error.fields[0]!.path).toBe("commands[0]");
  expect(error.message).toMatch(why);
}

describe("what is not for a guest", () => {
  const ACCEPTED = [CFGI_CD, CFGI_CD_ALL, NH_ALL, NH_ASID, NH_VA, NH_VAA, NSNH_ALL, ATC_INV];
  test("every other opcode is refused, with the way it is done instead", async () => {
    for (let opcode = 0n; opcode < 256n; opcode += 1n) {
      if (ACCEPTED.includes(opcode)) continue;
      const why =
        opcode === 0x46n ? /implicit/ : opcode === 3n || opcode === 4n ? /BindGuestStage/ : /is not for a guest/;
      await expectRefusal(raw(opcode), why);
    }
  });

  test.each([
    ["TLBI_NH_ALL", raw(NH_ALL | at(1, 32))],
    ["TLBI_NH_ASID", raw(NH_ASID | at(0xffff, 32))],
    ["TLBI_NH_VA", raw(NH_VA | at(1, 32))],
    ["TLBI_NH_VAA", raw(NH_VAA | at(1, 32))],
  ])("%s with a VMID: VMIDs are the broker's", async (_, command) => {
    await expectRefusal(command, /VMID \d+ must be 0/);
  });

  test.each([
    ["CFGI_CD", CFGI_CD],
    ["CFGI_CD_ALL", CFGI_CD_ALL],
    ["ATC_INV", ATC_INV],
  ])("%s of a StreamID no device has", async (_, opcode) => {
    await expectRefusal(raw(opcode | at(0x31, 32)), /no device has virtual StreamID 49/);
  });

  test.each([
    ["CFGI_CD", raw(CFGI_CD | at(256, 12) | at(0x30, 32))],
    ["ATC_INV", raw(ATC_INV | at(1, 11) | at(256, 12) | at(0x30, 32))],
  ])("%s of a SubstreamID wider than the virtual SSIDSIZE", async (_, command) => {
    await expectRefusal(command, /SubstreamID 256 does not fit 8 bits/);
  });

  test("an ASID of 9 bits where ASID16 is 0; ASIDs of 8 bits stay", async () => {
    const small = { ...ALL, idr0: 0 };
    await expectRefusal(raw(NH_ASID | at(256, 48)), /ASID 256 needs 16 bits/, small);
    await expectRefusal(raw(NH_VA | at(256, 48)), /ASID 256 needs 16 bits/, small);
    expect(check(raw(NH_ASID | at(255, 48)), small)).toHaveLength(1);
    expect(check(raw(NH_ASID | at(256, 48)), ALL)).toHaveLength(1);
  });

  test("ATC_INV without ATS, and of more than everything", async () => {
    await expectRefusal(raw(ATC_INV | at(0x30, 32)), /has no ATS/, { ...ALL, idr0: 0x1000 });
    await expectRefusal(raw(ATC_INV | at(0x30, 32), 53n), /Size is above 52/);
  });
});

describe("range fields", () => {
  test("NUM, SCALE and TTL mean nothing without TG and are refused", async () => {
    for (const command of [raw(NH_VA | at(1, 12)), raw(NH_VA | at(1, 20)), raw(NH_VAA, at(1, 8))]) {
      await expectRefusal(command, /NUM, SCALE and TTL need a TG/);
    }
  });

  test("TG needs RIL", async () => {
    await expectRefusal(raw(NH_VA | at(1, 12), at(1, 10)), /needs IDR3.RIL/, { ...ALL, idr3: 0 });
  });

  test.each([
    [1, "GRAN4K", 0x65],
    [2, "GRAN16K", 0x55],
    [3, "GRAN64K", 0x35],
  ])("TG %d needs %s", async (tg, name, idr5) => {
    await expectRefusal(raw(NH_VA | at(1, 12), at(tg, 10)), new RegExp(`needs ${name}`), { ...ALL, idr5 });
    expect(check(raw(NH_VA | at(1, 12), at(tg, 10)))).toHaveLength(1);
  });

  test("a range of nothing is refused, since the hardware answers it with CERROR_ILL (§4.4.1.1)", async () => {
    await expectRefusal(raw(NH_VA, at(1, 10)), /without NUM, SCALE or TTL/);
  });

  test("TTL 1 with 16 KiB is reserved without DS and counts as 0: nothing again; with DS it is a level", async () => {
    const command = raw(NH_VA, at(1, 8) | at(2, 10));
    await expectRefusal(command, /without NUM, SCALE or TTL/);
    expect(check(command, { ...ALL, idr5: ALL.idr5 | (1 << 7) })).toHaveLength(1);
  });
});

describe("reserved bits, one by one", () => {
  // Bits that are fields, by command, from §4.3 to §4.5; all others are reserved (SSec, bit 10, is not a guest's).
  const FIELDS: readonly (readonly [string, bigint, readonly (readonly [number, number])[]])[] = [
    [
      "CFGI_CD",
      CFGI_CD,
      [
        [31, 12],
        [63, 32],
        [64, 64],
      ],
    ],
    ["CFGI_CD_ALL", CFGI_CD_ALL, [[63, 32]]],
    ["TLBI_NH_ALL", NH_ALL, [[47, 32]]],
    [
      "TLBI_NH_ASID",
      NH_ASID,
      [
        [47, 32],
        [63, 48],
      ],
    ],
    [
      "TLBI_NH_VA",
      NH_VA,
      [
        [16, 12],
        [24, 20],
        [47, 32],
        [63, 48],
        [64, 64],
        [73, 72],
        [75, 74],
        [127, 76],
      ],
    ],
    [
      "TLBI_NH_VAA",
      NH_VAA,
      [
        [16, 12],
        [24, 20],
        [47, 32],
        [64, 64],
        [73, 72],
        [75, 74],
        [127, 76],
      ],
    ],
    ["TLBI_NSNH_ALL", NSNH_ALL, []],
    [
      "ATC_INV",
      ATC_INV,
      [
        [9, 9],
        [11, 11],
        [31, 12],
        [63, 32],
        [69, 64],
        [127, 76],
      ],
    ],
  ];

  for (const [name, opcode, fields] of FIELDS) {
    test(`${name} refuses each of its reserved bits and names it`, async () => {
      const stream = name.startsWith("TLBI") ? 0n : at(0x30, 32);
      let reserved = 0;
      for (let bit = 8; bit < 128; bit += 1) {
        if (fields.some(([msb, lsb]) => bit <= msb && bit >= lsb)) continue;
        reserved += 1;
        const whole = opcode | stream | (1n << BigInt(bit));
        const command = raw(whole & 0xffff_ffff_ffff_ffffn, whole >> 64n);
        await expectRefusal(command, new RegExp(`reserved bit ${bit} is set`));
      }
      expect(reserved).toBe(120 - fields.reduce((sum, [msb, lsb]) => sum + msb - lsb + 1, 0));
    });
  }
});

test("of a batch the first bad command is named by its index, and the good ones before it do not help", async () => {
  const error = await refusal(() => checkInvalidations([raw(NH_ALL), raw(NSNH_ALL), raw(0x46n), raw(0n)], ALL, NAMES));
  expect(error.fields[0]!.path).toBe("commands[2]");
  expect(error.facts).toMatchObject({ index: 2, opcode: 0x46 });
});
