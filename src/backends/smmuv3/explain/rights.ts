// What a stage 1 leaf lets an access do, with what the tables above it took away.
// Source: Arm ARM DDI 0487 D8.4 (direct permissions); IHI 0070G.b §5.4 WXN, PAN, EPAN.

import { bit } from "./bits.ts";

/** What Table descriptors took away from everything below them. */
export interface TableLimits {
  readonly noUnprivileged: boolean;
  readonly noWrite: boolean;
  readonly noPrivilegedExecute: boolean;
  readonly noUnprivilegedExecute: boolean;
}

export const NO_LIMITS: TableLimits = {
  noUnprivileged: false,
  noWrite: false,
  noPrivilegedExecute: false,
  noUnprivilegedExecute: false,
};

export function narrowed(limits: TableLimits, table: bigint): TableLimits {
  return {
    noUnprivileged: limits.noUnprivileged || bit(table, 61),
    noWrite: limits.noWrite || bit(table, 62),
    noPrivilegedExecute: limits.noPrivilegedExecute || bit(table, 59),
    noUnprivilegedExecute: limits.noUnprivilegedExecute || bit(table, 60),
  };
}

export interface Control {
  readonly wxn: boolean;
  readonly pan: boolean;
  readonly epan: boolean;
  /** EL1&0 and EL2&0; EL2 alone has one privilege. */
  readonly hasUnprivileged: boolean;
}

export interface Access {
  readonly access: "read" | "write" | "execute";
  readonly privileged: boolean;
}

/** @param leaf with AP[2] cleared where the hardware manages dirty state: it then counts as writable */
export function allows(leaf: bigint, limits: TableLimits, control: Control, { access, privileged }: Access): boolean {
  const writable = !bit(leaf, 7) && !limits.noWrite;
  const uxn = bit(leaf, 54) || limits.noUnprivilegedExecute;
  if (!control.hasUnprivileged) {
    if (access === "execute") return !uxn && !(control.wxn && writable);
    return access === "read" || writable;
  }
  const unprivilegedReads = bit(leaf, 6) && !limits.noUnprivileged;
  const unprivilegedWrites = unprivilegedReads && writable;
  if (!privileged) {
    if (access === "execute") return !uxn && !(control.wxn && unprivilegedWrites);
    return access === "read" ? unprivilegedReads : unprivilegedWrites;
  }
  if (access === "execute") {
    const pxn = bit(leaf, 53) || limits.noPrivilegedExecute;
    return !pxn && !unprivilegedWrites && !(control.wxn && writable);
  }
  const isKeptAway = control.pan && (unprivilegedReads || (control.epan && !uxn));
  return !isKeptAway && (access === "read" || writable);
}
