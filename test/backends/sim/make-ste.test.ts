import { describe, expect, test } from "vitest";
import { abortSTE, defaultDomainSTE, nestedSTE, stage2STE } from "../../../src/backends/sim/make-ste.ts";
import { featuresOf } from "../../../src/backends/smmuv3/id-registers.ts";
import { checkSTE, decodeSTE } from "../../../src/backends/smmuv3/ste.ts";
import { checkVSTE } from "../../../src/backends/vste.ts";
import { wordsOf } from "../../../src/spec/layout.ts";
import { TWO_SMMUS } from "../../support/host.ts";
import { at } from "../../support/smmuv3-tables.ts";

const ZERO = { idr0: 0, idr1: 0, idr2: 0, idr3: 0, idr4: 0, idr5: 0, idr6: 0, iidr: 0, aidr: 0 };
const TERMINATING = { ...ZERO, ...TWO_SMMUS.iommus[0]!.registers }; // STALL_MODEL 1, OAS 48 bits
const STALLING = { ...TERMINATING, idr0: TERMINATING.idr0 & ~(3 << 24) }; // STALL_MODEL 0
const OVERRIDING = { ...TERMINATING, idr1: TERMINATING.idr1 | (1 << 27) }; // ATTR_TYPES_OVR
const STAGE2 = { vmid: 0x1234, root: 0x8_8765_4000, ipaBits: 48, s2sl0: 2 };

/**
 * Doubleword 2 by hand (§5.2): S2VMID 0x1234; S2T0SZ 16 [37:32], S2SL0 2 [39:38], S2IR0=S2OR0=1, S2SH0=3, S2TG=0 (4 KiB),
 * S2PS=5 (48 bits) [50:48], S2AA64 51, S2PTW 54, S2R 58: the word that Linux's arm_smmu_make_s2_domain_ste makes.
 */
const W2 = 0x0448_0000_0000_1234n | at(16, 32) | at(2, 38) | at(1, 40) | at(1, 42) | at(3, 44) | at(5, 48);

describe("the words of each template", () => {
  test("the doubleword 2 that this test expects is a Linux one", () => {
    expect(W2).toBe(0x044d_3590_0000_1234n);
  });

  test("abort is V and nothing else", () => {
    expect(abortSTE()).toEqual([1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
  });

  test("stage 2: Config 0b110, the stage-2 words, no stage-1 field", () => {
    const ste = stage2STE(STAGE2, featuresOf(TERMINATING));
    expect(ste).toEqual([0b1101n, 0n, W2, 0x8_8765_4000n, 0n, 0n, 0n, 0n]);
    expect(checkSTE(decodeSTE(wordsOf(ste)), TERMINATING)).toBeUndefined();
  });

  test("SHCFG is incoming where the SMMU has ATTR_TYPES_OVR", () => {
    expect(stage2STE(STAGE2, featuresOf(OVERRIDING))[1]).toBe(at(1, 44));
  });

  test("a 52-bit SMMU is driven with 48 bits of output", () => {
    const wide = { ...TERMINATING, idr5: 0x76 };
    expect(stage2STE(STAGE2, featuresOf(wide))[2]).toBe(W2);
  });

  test("the default domain: Config 0b101, the host's context descriptor, one CD", () => {
    const ste = defaultDomainSTE(0x8_0000_1000, featuresOf(TERMINATING));
    expect(ste).toEqual([0x8_0000_100bn, 0xd4n, 0n, 0n, 0n, 0n, 0n, 0n]);
  });
});

describe("a guest's stage 1 on the host's stage 2", () => {
  // S1Fmt 2, S1ContextPtr, S1CDMax 20; S1DSS 2, S1CIR=S1COR=1, S1CSH=3
  const GUEST = checkVSTE(1n | at(5, 1) | at(2, 4) | 0x4000_0040n | at(20, 59), 2n | 0xd4n);

  test("the guest's fields as they came, Config 0b111, the host's stage 2, and MEV", () => {
    const ste = nestedSTE(GUEST, STAGE2, featuresOf(TERMINATING), { ats: false });
    expect(ste).toEqual([GUEST.dword0 | at(7, 1), 0xd6n | at(1, 19), W2, 0x8_8765_4000n, 0n, 0n, 0n, 0n]);
    expect(checkSTE(decodeSTE(wordsOf(ste)), TERMINATING)).toBeUndefined();
  });

  test("where the host can stall, S1STALLD keeps a guest that was shown terminate-only from stalling", () => {
    expect(nestedSTE(GUEST, STAGE2, featuresOf(STALLING), { ats: false })[1]).toBe(0xd6n | at(1, 19) | at(1, 27));
    expect(defaultDomainSTE(0x1000, featuresOf(STALLING))[1]).toBe(0xd4n | at(1, 27));
  });

  test("a device that may stall keeps what its guest says of it", () => {
    const device = { ats: false, stall: true };
    expect(nestedSTE(GUEST, STAGE2, featuresOf(STALLING), device)[1]).toBe(0xd6n | at(1, 19));
    const stalld = checkVSTE(GUEST.dword0, GUEST.dword1 | at(1, 27));
    expect(nestedSTE(stalld, STAGE2, featuresOf(STALLING), device)[1]).toBe(0xd6n | at(1, 19) | at(1, 27));
  });

  test("a guest's own S1STALLD is installed where nothing stalls, and is then C_BAD_STE, as on hardware", () => {
    const stalld = checkVSTE(GUEST.dword0, GUEST.dword1 | at(1, 27));
    const ste = nestedSTE(stalld, STAGE2, featuresOf(TERMINATING), { ats: false });
    expect(checkSTE(decodeSTE(wordsOf(ste)), TERMINATING)).toMatch(/S1STALLD/);
  });

  test("EATS counts only for a device that has ATS", () => {
    const ats = checkVSTE(GUEST.dword0, GUEST.dword1 | at(1, 28));
    expect(nestedSTE(ats, STAGE2, featuresOf(TERMINATING), { ats: true })[1]).toBe(0xd6n | at(1, 19) | at(1, 28));
    expect(nestedSTE(ats, STAGE2, featuresOf(TERMINATING), { ats: false })[1]).toBe(0xd6n | at(1, 19));
  });
});
