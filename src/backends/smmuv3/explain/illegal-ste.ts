// Whether a Stream Table Entry is legal, and which rule it breaks otherwise. Stage 2's fields are the host's: no value of
// theirs is given.
// Source: IHI 0070G.b §5.2.2.

import { hex } from "../../../spec/u64.ts";
import { pow2 } from "./bits.ts";
import { addressBits, type Implementation, isEndianSupported } from "./implementation.ts";
import { type Broken, broken, field } from "./refusal.ts";
import { isStage2StartLegal, stage2PageBits } from "./stage2-start.ts";
import { isAboveEL1, isStrwUsed, type SteReader, stage2Table, substreamBits } from "./stream-entry.ts";

/** Why the STE is illegal (C_BAD_STE), or undefined. Source: §5.2.2. */
export function illegalSte(
  ste: SteReader,
  implementation: Implementation,
  stage2: "walked" | "mapped" = "walked",
): Broken | undefined {
  if (ste("V") === 0n) return broken("STE_NOT_VALID", "STE.V is 0");
  const config = ste("Config");
  if (config < 0b100n) return undefined;
  const hasStage1 = config === 0b101n || config === 0b111n;
  const hasStage2 = config === 0b110n || config === 0b111n;
  if (hasStage1 && implementation.idr0("S1P") === 0) {
    const why = "STE.Config asks for stage 1, and IDR0.S1P is 0";
    return broken("STE_STAGE1_ABSENT", why, field("IDR0.S1P", 0));
  }
  if (hasStage2 && implementation.idr0("S2P") === 0) {
    const why = "STE.Config asks for stage 2, and IDR0.S2P is 0";
    return broken("STE_STAGE2_ABSENT", why, field("IDR0.S2P", 0));
  }
  if (isStrwUsed(ste, implementation) && ste("STRW") % 2n === 1n) {
    return broken("STE_STRW_RESERVED", "STE.STRW is a reserved encoding");
  }
  // S2VMID tags the TLB entries of an EL1 stream without stage 2 as well
  const isTagged = hasStage2 || (hasStage1 && implementation.idr0("S2P") === 1 && !isAboveEL1(ste, implementation));
  if (isTagged && ste("S2VMID") >= 256n && implementation.idr0("VMID16") === 0) {
    return broken("STE_VMID_SIZE", "STE.S2VMID needs 16 bits, and IDR0.VMID16 is 0", field("IDR0.VMID16", 0));
  }
  return (
    illegalAts(ste, implementation) ??
    (hasStage1 ? illegalStage1(ste, implementation) : undefined) ??
    (hasStage2 && stage2 === "walked" ? illegalStage2(ste, implementation) : undefined)
  );
}

function illegalAts(ste: SteReader, implementation: Implementation): Broken | undefined {
  const config = ste("Config");
  if (implementation.idr0("ATS") === 0 || config === 0b100n) return undefined;
  const stalls2 = config >= 0b110n && ste("S2S") === 1n;
  const eats = field("STE.EATS", ste("EATS"));
  switch (ste("EATS")) {
    case 1n:
      return stalls2 ? broken("STE_ATS_STALLS", "STE.EATS is 1, and stage 2 stalls", eats) : undefined;
    case 2n: {
      const isPossible = config === 0b111n && !stalls2 && implementation.idr0("NS1ATS") === 0;
      if (isPossible) return undefined;
      const why = "STE.EATS is 2, which needs both stages, no stall of stage 2 and IDR0.NS1ATS 0";
      return broken("STE_ATS_SPLIT", why, eats, field("IDR0.NS1ATS", implementation.idr0("NS1ATS")));
    }
    case 3n: {
      const isEL1 = !isAboveEL1(ste, implementation);
      if (!implementation.idr3("DPT") || (isEL1 && !stalls2)) return undefined;
      return broken("STE_ATS_DPT", "STE.EATS is 3 outside EL1, or where stage 2 stalls", eats, field("IDR3.DPT", 1));
    }
    default:
      return undefined;
  }
}

function illegalStage1(ste: SteReader, implementation: Implementation): Broken | undefined {
  const stallModel = implementation.idr0("STALL_MODEL");
  if (ste("S1STALLD") === 1n && stallModel !== 0) {
    const why = `STE.S1STALLD is 1, and IDR0.STALL_MODEL is ${stallModel}, not 0`;
    return broken("STE_STALL_DISABLE", why, field("STE.S1STALLD", 1), field("IDR0.STALL_MODEL", stallModel));
  }
  const cdBits = substreamBits(ste, implementation);
  const ssidsize = implementation.idr1("SSIDSIZE");
  const cdMax = field("STE.S1CDMax", cdBits);
  if (cdBits > ssidsize) {
    const why = `STE.S1CDMax ${cdBits} is above IDR1.SSIDSIZE ${ssidsize}`;
    return broken("STE_CD_COUNT", why, cdMax, field("IDR1.SSIDSIZE", ssidsize));
  }
  const isTwoLevel = ste("S1Fmt") === 1n || ste("S1Fmt") === 2n;
  if (cdBits !== 0 && isTwoLevel && implementation.idr0("CD2L") === 0) {
    const why = `STE.S1Fmt ${ste("S1Fmt")} is a two-level table, and IDR0.CD2L is 0`;
    return broken("STE_CD_TWO_LEVEL", why, field("STE.S1Fmt", ste("S1Fmt")), cdMax, field("IDR0.CD2L", 0));
  }
  // an IPA is stage 2's to refuse, a choice of §3.4.3
  const pointer = ste("S1ContextPtr") * 64n;
  if (ste("Config") !== 0b101n || pointer < pow2(implementation.oas)) return undefined;
  const why = `STE.S1ContextPtr ${hex(pointer)} has more than ${implementation.oas} bits`;
  return broken("STE_CD_ADDRESS", why, field("STE.S1ContextPtr", pointer));
}

function illegalStage2(ste: SteReader, implementation: Implementation): Broken | undefined {
  const ttf = implementation.idr0("TTF");
  const isAA64 = ste("S2AA64") === 1n;
  if (isAA64 ? ttf < 2 : ttf % 2 === 0) {
    return broken("STE_S2_FORMAT", "STE.S2AA64 asks for a format that IDR0.TTF does not offer", field("IDR0.TTF", ttf));
  }
  if (implementation.idr3("FWB") && ste("S2FWB") === 1n && !isAA64) {
    return broken("STE_S2_FORCED_WRITEBACK", "STE.S2FWB is 1 with STE.S2AA64 0");
  }
  const model = field("IDR0.STALL_MODEL", implementation.idr0("STALL_MODEL"));
  if (ste("S2S") === 1n && model.value === 1n) {
    return broken("STE_S2_STALL", "STE.S2S is 1, and IDR0.STALL_MODEL is 1: nothing stalls", model);
  }
  if (ste("S2S") === 0n && model.value === 2n) {
    return broken("STE_S2_STALL_FORCED", "STE.S2S is 0, and IDR0.STALL_MODEL is 2: everything stalls", model);
  }
  if (!isEndianSupported(implementation, ste("S2ENDI") === 1n)) {
    const ttendian = field("IDR0.TTENDIAN", implementation.idr0("TTENDIAN"));
    return broken("STE_S2_ENDIAN", "STE.S2ENDI is a byte order that IDR0.TTENDIAN does not offer", ttendian);
  }
  return isAA64 ? illegalTables(ste, implementation) : undefined;
}

function illegalTables(ste: SteReader, implementation: Implementation): Broken | undefined {
  const httu = implementation.idr0("HTTU");
  const offered = field("IDR0.HTTU", httu);
  if (httu === 0 && (ste("S2HA") === 1n || ste("S2HD") === 1n)) {
    return broken("STE_S2_ACCESS_FLAG", "STE.S2HA or STE.S2HD is 1, and IDR0.HTTU is 0", offered);
  }
  if (httu === 1 && ste("S2HD") === 1n) {
    return broken("STE_S2_DIRTY_STATE", "STE.S2HD is 1, and IDR0.HTTU 1 has no dirty state", offered);
  }
  if (httu === 3 && ste("S2HAFT") === 1n && ste("S2HA") === 0n) {
    return broken("STE_S2_TABLE_ACCESS_FLAG", "STE.S2HAFT is 1, and STE.S2HA is 0", offered);
  }
  if (!implementation.hasGranule(stage2PageBits(ste))) {
    return broken("STE_S2_GRANULE", "STE.S2TG is reserved, or a granule that IDR5 does not offer");
  }
  const isWide = stage2PageBits(ste) === 16 || (ste("S2DS") === 1n && implementation.ds);
  const tableBits = Math.min(addressBits(ste("S2PS")), implementation.oas, isWide ? 52 : 48);
  if (stage2Table(ste) >= pow2(tableBits)) {
    return broken("STE_S2_TABLE_ADDRESS", "STE.S2TTB is outside the effective STE.S2PS");
  }
  if (isStage2StartLegal(ste, implementation)) return undefined;
  return broken("STE_S2_START", "STE.S2T0SZ, STE.S2SL0 and STE.S2TG do not fit together");
}
