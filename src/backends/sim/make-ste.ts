// The physical STE for each thing the host wants: abort, the default domain, stage 2 alone, stage 2 under a guest's
// stage 1. Eight doublewords, as Linux's templates build them (arm_smmu_make_*_ste, arm_smmu_make_nested_domain_ste).
// Source: IHI 0070G.b §5.2.

import { ADDRESS_SIZE_BITS, EATS, SHCFG, STE_CONFIG } from "../../spec/encodings.ts";
import { doublewordsOf, get, set, setAddress, wordsOf } from "../../spec/layout.ts";
import { STE, STE_WORDS } from "../../spec/ste.ts";
import type { Features } from "../smmuv3/id-registers.ts";
import type { VSTE } from "../vste.ts";

/** An STE as 8 doublewords. */
export type SteWords = readonly bigint[];

/** Stage 2 of a nesting parent. */
export interface Stage2Setting {
  readonly vmid: number;
  readonly root: number;
  readonly ipaBits: number;
  /** S2SL0. */
  readonly s2sl0: number;
}

const WRITE_BACK = 0b01;
const INNER_SHAREABLE = 0b11;

export function abortSTE(): SteWords {
  const words = new Uint32Array(STE_WORDS);
  set(words, 0, STE.V, 1);
  return doublewordsOf(words);
}

/** The host's default domain: stage 1 with the stream's own context descriptor. */
export function defaultDomainSTE(contextDescriptor: number, features: Features): SteWords {
  const words = new Uint32Array(STE_WORDS);
  set(words, 0, STE.V, 1);
  set(words, 0, STE.Config, STE_CONFIG.S1);
  setAddress(words, 0, STE.S1ContextPtr, 6, contextDescriptor);
  set(words, 0, STE.S1CIR, WRITE_BACK);
  set(words, 0, STE.S1COR, WRITE_BACK);
  set(words, 0, STE.S1CSH, INNER_SHAREABLE);
  if (canStall(features)) set(words, 0, STE.S1STALLD, 1);
  return doublewordsOf(words);
}

/** Stage 1 bypass, stage 2 translate. */
export function stage2STE(stage2: Stage2Setting, features: Features, hasATS = false): SteWords {
  const words = stage2Words(stage2, features);
  if (hasATS) set(words, 0, STE.EATS, EATS.FULL);
  return doublewordsOf(words);
}

/** The guest's stage 1 on the host's stage 2; bits of the guest are those checkVSTE let through. */
export function nestedSTE(
  vste: VSTE,
  stage2: Stage2Setting,
  features: Features,
  device: { readonly ats: boolean; readonly stall?: boolean },
): SteWords {
  const words = stage2Words(stage2, features);
  const guest = wordsOf([vste.dword0, vste.dword1]);
  set(words, 0, STE.Config, STE_CONFIG.NESTED);
  for (const name of ["S1Fmt", "S1ContextPtr", "S1CDMax", "S1DSS", "S1CIR", "S1COR", "S1CSH", "S1STALLD"] as const) {
    set(words, 0, STE[name], get(guest, 0, STE[name]));
  }
  // A device that must not stall gets what Linux gives it: with S1STALLD=1 a CD with S=1 is C_BAD_CD (§5.5).
  if (canStall(features) && device.stall !== true) set(words, 0, STE.S1STALLD, 1);
  if (device.ats) set(words, 0, STE.EATS, get(guest, 0, STE.EATS));
  set(words, 0, STE.MEV, 1);
  return doublewordsOf(words);
}

function stage2Words(stage2: Stage2Setting, features: Features): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(STE_WORDS);
  set(words, 0, STE.V, 1);
  set(words, 0, STE.Config, STE_CONFIG.S2);
  if (features.attrTypesOverride) set(words, 0, STE.SHCFG, SHCFG.INCOMING);
  set(words, 0, STE.S2VMID, stage2.vmid);
  set(words, 0, STE.S2T0SZ, 64 - stage2.ipaBits);
  set(words, 0, STE.S2SL0, stage2.s2sl0);
  set(words, 0, STE.S2IR0, WRITE_BACK);
  set(words, 0, STE.S2OR0, WRITE_BACK);
  set(words, 0, STE.S2SH0, INNER_SHAREABLE);
  set(words, 0, STE.S2PS, addressSizeCode(Math.min(features.oasBits, 48)));
  set(words, 0, STE.S2AA64, 1);
  set(words, 0, STE.S2PTW, 1);
  set(words, 0, STE.S2R, 1);
  setAddress(words, 0, STE.S2TTB, 4, stage2.root);
  return words;
}

/** The encoding of an address size, for S2PS and CD.IPS. Source: §6.3.6. */
export function addressSizeCode(bits: number): number {
  const sizes: readonly number[] = ADDRESS_SIZE_BITS;
  return sizes.indexOf(bits);
}

function canStall(features: Features): boolean {
  return features.stallModel === 0;
}
