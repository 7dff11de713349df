// The Command queue at its edges: wrap, errors, legality of commands (§4.1, §7.1, §7.5).
import { describe, expect, test } from "vitest";
import { CMDS, COMMAND_QUEUE, Machine, OFFSET } from "../../support/smmuv3-machine.ts";
import { at, bypassSTE } from "../../support/smmuv3-tables.ts";

const CERROR_ILL = 1;
const CERROR_ABT = 2;

describe("the command queue", () => {
  test("wraps: CONS follows PROD through more commands than it has entries", () => {
    const machine = new Machine();
    for (let count = 0; count < 200; count++) machine.command(CMDS.sync());
    expect(machine.smmu.read32(OFFSET.CMDQ_CONS)).toBe(machine.smmu.read32(OFFSET.CMDQ_PROD));
    expect(machine.smmu.counters.commands).toBe(200);
  });

  test("stops at an illegal command until GERRORN acknowledges it, and goes on from there", () => {
    const machine = new Machine();
    machine.writeSTE(1, bypassSTE());
    machine.command(CMDS.sync(), [0xffn, 0n], CMDS.sync());
    expect(machine.commandError).toBe(CERROR_ILL);
    expect(machine.smmu.read32(OFFSET.CMDQ_CONS) & 0xf_ffff).toBe(1); // the offending command
    expect(machine.smmu.read32(OFFSET.GERROR)).toBe(1); // CMDQ_ERR
    expect(machine.gerrorInterrupts).toBe(1);
    machine.command(CMDS.sync());
    expect(machine.smmu.counters.commands).toBe(1);
    expect(machine.smmu.counters.commandsByOpcode[0x46]).toBe(1);
    machine.poke(COMMAND_QUEUE + 16, 0x46n); // repaired
    machine.smmu.write32(OFFSET.GERRORN, 1);
    expect(machine.smmu.counters.commands).toBe(4);
    expect([...machine.smmu.counters.commandsByOpcode].filter((count) => count > 0)).toEqual([4]); // all CMD_SYNC
    machine.command([0xffn, 0n]);
    expect(machine.smmu.read32(OFFSET.GERROR)).toBe(0); // toggled again: active while it differs
    expect(machine.gerrorInterrupts).toBe(2);
  });

  test("a command that cannot be fetched is CERROR_ABT", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b0101);
    machine.smmu.write64(OFFSET.CMDQ_BASE, 0x9000_0006n);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    machine.smmu.write32(OFFSET.CMDQ_PROD, 1);
    expect(machine.commandError).toBe(CERROR_ABT);
  });

  test("consumes nothing while CMDQEN is 0, and everything when it is set", () => {
    const machine = new Machine();
    machine.smmu.write32(OFFSET.CR0, 0b0101);
    machine.command(CMDS.sync());
    expect(machine.smmu.counters.commands).toBe(0);
    machine.smmu.write32(OFFSET.CR0, 0b1101);
    expect(machine.smmu.counters.commands).toBe(1);
  });

  const NO_STAGE1 = { idr0: (0x080c_101a & ~2) | 1 };
  const NO_STAGE2 = { idr0: 0x080c_101a };
  test.each([
    ["a reserved opcode", [0x7fn, 0n], {}],
    ["SSec=1 on the Non-secure queue", [0x03n | at(1, 10), 0n], {}],
    ["an EL3 form", [0x18n, 0n], {}],
    ["a reserved TLBI opcode", [0x1fn, 0n], {}],
    ["CMD_SYNC with CS=3", [0x46n | at(3, 12), 0n], {}],
    ["CMD_ATC_INV without ATS", [0x40n, 0n], {}],
    ["CMD_PRI_RESP without PRI", [0x41n, 0n], {}],
    ["CMD_CFGI_VMS_PIDM without MPAM", [0x07n, 0n], {}],
    ["a range of nothing", [0x12n, at(1, 10)], {}],
    ["an EL2 form without Hyp", [0x20n, 0n], NO_STAGE2],
    ["CMD_TLBI_S2_IPA without stage 2", [0x2an, 0n], NO_STAGE2],
    ["CMD_TLBI_S12_VMALL without stage 2", [0x28n, 0n], NO_STAGE2],
    ["CMD_TLBI_NH_ALL without stage 1", [0x10n, 0n], NO_STAGE1],
    ["CMD_TLBI_NH_VA without stage 1", [0x12n, 0n], NO_STAGE1],
    ["CMD_CFGI_CD without stage 1", [0x05n, 0n], NO_STAGE1],
    ["CMD_RESUME where nothing stalls", [0x44n, 0n], { idr0: 0x090c_121b }],
    ["CMD_STALL_TERM where nothing stalls", [0x45n, 0n], { idr0: 0x090c_121b }],
  ] as const)("%s is CERROR_ILL", (_, command, ids) => {
    const machine = new Machine({ ids });
    machine.command(command);
    expect(machine.commandError).toBe(CERROR_ILL);
  });

  test.each([
    ["CMD_PREFETCH_CONFIG", [0x01n, 0n], {}],
    ["CMD_PREFETCH_ADDR", [0x02n, 0n], {}],
    ["CMD_ATC_INV with ATS", [0x40n, 0n], { idr0: 0x080c_161b }],
    ["CMD_PRI_RESP with PRI", [0x41n, 0n], { idr0: 0x080d_121b }],
    ["a range field without RIL", [0x12n, at(1, 10)], { idr3: 0x214 }],
  ] as const)("%s is legal", (_, command, ids) => {
    const machine = new Machine({ ids });
    machine.command(command);
    expect(machine.commandError).toBe(0);
    expect(machine.smmu.counters.commands).toBe(1);
  });

  test("CMD_SYNC writes its MSI, and reports one that the bus refuses", () => {
    const machine = new Machine({ ids: { idr0: 0x080c_321b } }); // MSI
    const target = machine.allocate();
    machine.command([0x46n | at(1, 12) | at(0xcafe, 32), BigInt(target)]); // CS=1, MSIData, MSIAddress [115:66]
    expect(machine.peek(target)).toBe(0xcafen);
    machine.command([0x46n | at(1, 12), 0x9000_0000n]);
    expect(machine.smmu.read32(OFFSET.GERROR)).toBe(1 << 4); // MSI_CMDQ_ABT_ERR
    expect(machine.smmu.counters.commands).toBe(2);
  });
});
