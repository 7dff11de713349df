// From the permission bits of descriptors to what an access may do.
// A set of permissions is six bits: read, write, execute, each for unprivileged and privileged accesses.
// Everything here is pure; stage1.ts and stage2.ts decide what follows from a refusal.
// Source: DDI 0487 D8.4; IHI 0070G.b §5.4 (WXN, PAN, EPAN), §6.3.4 (XNX), §13.4.

import { TABLE_LIMIT } from "./walk.ts";

/** One bit for each kind of access; a transaction needs exactly one of them. */
export const PERMISSION = {
  UNPRIVILEGED_READ: 1,
  UNPRIVILEGED_WRITE: 2,
  UNPRIVILEGED_EXECUTE: 4,
  PRIVILEGED_READ: 8,
  PRIVILEGED_WRITE: 16,
  PRIVILEGED_EXECUTE: 32,
} as const;

export const READ = PERMISSION.UNPRIVILEGED_READ | PERMISSION.PRIVILEGED_READ;
export const WRITE = PERMISSION.UNPRIVILEGED_WRITE | PERMISSION.PRIVILEGED_WRITE;
export const EXECUTE = PERMISSION.UNPRIVILEGED_EXECUTE | PERMISSION.PRIVILEGED_EXECUTE;
const UNPRIVILEGED = 0b000_111;
const PRIVILEGED = 0b111_000;

/** The stage 1 controls of a CD that bend permissions, as they are effective in its StreamWorld. */
export interface Stage1Controls {
  /** False in EL2, where every access counts as privileged and AP[1] as 1. */
  readonly hasUnprivileged: boolean;
  readonly wxn: boolean;
  readonly pan: boolean;
  readonly epan: boolean;
}

/**
 * Permissions of a stage 1 leaf under the Table descriptors above it.
 *
 * @param lo  bits [31:0] of the leaf: AP[2:1] in [7:6]; a writable-clean leaf is given with AP[2] cleared
 * @param hi  bits [63:32] of the leaf: PXN and UXN (XN) in [22:21]
 * @param tableLimits  TABLE_LIMIT bits gathered on the way
 */
export function stage1Permissions(lo: number, hi: number, tableLimits: number, controls: Stage1Controls): number {
  const isReadOnly = (lo & 0x80) !== 0 || (tableLimits & TABLE_LIMIT.NO_WRITE) !== 0;
  const xn = (hi & 0x40_0000) !== 0 || (tableLimits & TABLE_LIMIT.UXN) !== 0;
  if (!controls.hasUnprivileged) {
    const writable = isReadOnly ? 0 : WRITE;
    const executable = xn || (controls.wxn && !isReadOnly) ? 0 : EXECUTE;
    return READ | writable | executable;
  }
  const isUnprivileged = (lo & 0x40) !== 0 && (tableLimits & TABLE_LIMIT.NO_UNPRIVILEGED) === 0;
  let granted: number = PERMISSION.PRIVILEGED_READ | (isReadOnly ? 0 : PERMISSION.PRIVILEGED_WRITE);
  if (isUnprivileged) granted |= granted >>> 3;
  const isWritableBelow = (granted & PERMISSION.UNPRIVILEGED_WRITE) !== 0;
  const pxn = (hi & 0x20_0000) !== 0 || (tableLimits & TABLE_LIMIT.PXN) !== 0 || isWritableBelow;
  if (!pxn && !(controls.wxn && !isReadOnly)) granted |= PERMISSION.PRIVILEGED_EXECUTE;
  if (!xn && !(controls.wxn && isWritableBelow)) granted |= PERMISSION.UNPRIVILEGED_EXECUTE;
  return controls.pan ? withoutPrivilegedData(granted, controls.epan) : granted;
}

/** PAN: no privileged data access where unprivileged data access (EPAN: or execution) is allowed. Source: §5.4. */
function withoutPrivilegedData(granted: number, epan: boolean): number {
  const seenBelow = epan ? UNPRIVILEGED : UNPRIVILEGED & ~EXECUTE;
  if ((granted & seenBelow) === 0) return granted;
  return granted & ~(PRIVILEGED & ~EXECUTE);
}

/**
 * Permissions of a stage 2 leaf.
 *
 * @param lo  bits [31:0] of the leaf: S2AP in [7:6]; a writable-clean leaf is given with S2AP[1] set
 * @param hi  bits [63:32] of the leaf: XN[1:0] in [22:21]
 * @param xnx  both bits of XN count (IDR3.XNX); otherwise XN[1] alone
 */
export function stage2Permissions(lo: number, hi: number, xnx: boolean): number {
  let granted = 0;
  if ((lo & 0x40) !== 0) granted |= READ;
  if ((lo & 0x80) !== 0) granted |= WRITE;
  switch (xnx ? (hi >>> 21) & 3 : (hi >>> 21) & 2) {
    case 0b00:
      return granted | EXECUTE;
    case 0b01:
      return granted | PERMISSION.UNPRIVILEGED_EXECUTE;
    case 0b11:
      return granted | PERMISSION.PRIVILEGED_EXECUTE;
    default:
      return granted;
  }
}

/** Where a leaf's permission bits and the limits above it are in a table of stage1PermissionTable(). */
export function stage1PermissionIndex(lo: number, hi: number, tableLimits: number): number {
  return ((lo >>> 6) & 3) | ((hi >>> 19) & 0xc) | (tableLimits << 4);
}

/** stage1Permissions() of every leaf there is, for the hot path. */
export function stage1PermissionTable(controls: Stage1Controls): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, index) =>
    stage1Permissions((index & 3) << 6, (index & 0xc) << 19, index >>> 4, controls),
  );
}

export function stage2PermissionIndex(lo: number, hi: number): number {
  return ((lo >>> 6) & 3) | ((hi >>> 19) & 0xc);
}

/** stage2Permissions() of every leaf there is, for the hot path. */
export function stage2PermissionTable(xnx: boolean): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, index) => stage2Permissions((index & 3) << 6, (index & 0xc) << 19, xnx));
}

/** True for a stage 2 MemAttr[3:0] of any Device type. Source: DDI 0487 D8.6.5, D8.6.6 (with FWB). */
export function isStage2Device(memAttr: number, fwb: boolean): boolean {
  return fwb ? (memAttr & 0b0100) === 0 : (memAttr & 0b1100) === 0;
}
