// A context: one decoded CD under the STE that leads to it, boiled down to what stage 1 needs per transaction.
// Source: IHI 0070G.b §5.4, §3.3.4 (StreamWorld), §3.17 (tags), §13.4.2 (attributes).

import { type DecodedCD, effectiveDS, isHalfEnabled, type StreamWorld } from "./cd.ts";
import type { Features } from "./id-registers.ts";
import { stage1AttributeTable } from "./memory-type.ts";
import { type Stage1Controls, stage1PermissionTable } from "./permissions.ts";
import { stage1Format, type TableFormat } from "./table-format.ts";
import { tlbTag } from "./tlb.ts";

/** One half, TTB0's or TTB1's. A half that is not enabled has the geometry of nothing. */
export interface HalfConfig {
  readonly isEnabled: boolean;
  readonly format: TableFormat;
  readonly inputBits: number;
  readonly tbi: boolean;
  readonly e0pd: boolean;
  /** Memory attributes by stage1AttributeIndex(). */
  readonly attributes: Uint16Array;
}

export interface ContextConfig {
  readonly cd: DecodedCD;
  readonly hasTwoHalves: boolean;
  readonly halves: readonly HalfConfig[];
  readonly controls: Stage1Controls;
  /** PERMISSION bits by stage1PermissionIndex(). */
  readonly granted: Uint8Array;
  readonly affd: boolean;
  readonly ha: boolean;
  readonly hd: boolean;
  /** VMID and ASID, as far as the StreamWorld has them. */
  readonly tag: number;
  /** StreamWorld, whether stage 2 takes part, and ASET. */
  readonly key: number;
}

/** TLB keys: StreamWorld in bits [1:0], NESTED_KEY when stage 2 takes part, ASET_KEY of the other set of ASIDs. */
export const WORLD_KEY: Readonly<Record<StreamWorld, number>> = { EL1: 0, EL2: 1, "EL2-E2H": 2 };
export const WORLD_KEY_MASK = 3;
export const NESTED_KEY = 4;
/** A global entry is not for lookups of the other ASET; that the others are not either costs a walk (§3.17.1). */
export const ASET_KEY = 8;

export interface ContextSetting {
  readonly world: StreamWorld;
  /** 0 where the StreamWorld has no VMID. */
  readonly vmid: number;
  readonly isNested: boolean;
}

/** Takes what stage 1 needs from a legal CD. */
export function contextConfig(cd: DecodedCD, setting: ContextSetting, features: Features): ContextConfig {
  const hasTwoHalves = setting.world !== "EL2";
  const ha = features.httu >= 1 && cd.HA === 1;
  const halves = [halfConfig(cd, 0, setting.world, features)];
  if (hasTwoHalves) halves.push(halfConfig(cd, 1, setting.world, features));
  const controls: Stage1Controls = Object.freeze({
    hasUnprivileged: hasTwoHalves,
    wxn: cd.WXN === 1,
    pan: hasTwoHalves && cd.PAN === 1,
    epan: features.epan && cd.EPAN === 1,
  });
  return Object.freeze({
    cd,
    hasTwoHalves,
    halves: Object.freeze(halves),
    controls,
    granted: stage1PermissionTable(controls),
    affd: cd.AFFD === 1,
    ha,
    hd: features.httu >= 2 && ha && cd.HD === 1, // HD without HA behaves as neither
    tag: tlbTag(setting.vmid, hasTwoHalves ? cd.ASID : 0),
    key:
      WORLD_KEY[setting.world] + (setting.isNested ? NESTED_KEY : 0) + (hasTwoHalves && cd.ASET === 1 ? ASET_KEY : 0),
  });
}

function halfConfig(cd: DecodedCD, index: 0 | 1, world: StreamWorld, features: Features): HalfConfig {
  const half = cd.halves[index];
  const isEnabled = isHalfEnabled(cd, index, world);
  const fixedSH = effectiveDS(cd, half, features) ? half.SHx : undefined;
  return Object.freeze({
    isEnabled,
    format: isEnabled ? stage1Format(cd, index, features) : NO_TABLES,
    inputBits: isEnabled ? 64 - half.TxSZ : 0,
    tbi: half.TBIx === 1,
    e0pd: isEnabled && features.e0pd && world !== "EL2" && half.E0PDx === 1,
    attributes: isEnabled ? stage1AttributeTable(cd.MAIR0, cd.MAIR1, fixedSH) : NO_ATTRIBUTES,
  });
}

const NO_ATTRIBUTES = new Uint16Array();

const NO_TABLES: TableFormat = Object.freeze({
  pageBits: 12,
  inputBits: 0,
  startLevel: 3,
  startIndexBits: 0,
  baseHi: 0,
  baseLo: 0,
  outputBits: 32,
  ds: false,
  wide64k: false,
  blockLevels: 0,
  bigEndian: false,
  hierarchical: false,
  isPlain: false,
  haft: false,
});
