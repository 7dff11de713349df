// What a stage 1 leaf lets an access do, with what the tables above it took away; and which bit it is that refuses.
// Source: Arm ARM DDI 0487 D8.4 (direct permissions); IHI 0070G.b §5.4 WXN, PAN, EPAN.

import { bit, bits } from "./bits.ts";
import { type Broken, binary, broken, field, type Place, type Refusal, type RefusedField } from "./refusal.ts";

/** What Table descriptors took away from everything below them: the first that did. */
export interface TableLimits {
  readonly noUnprivileged?: Place;
  readonly noWrite?: Place;
  readonly noPrivilegedExecute?: Place;
  readonly noUnprivilegedExecute?: Place;
}

export const NO_LIMITS: TableLimits = {};

export function narrowed(limits: TableLimits, table: bigint, at: Place): TableLimits {
  return {
    ...(bit(table, 61) ? { noUnprivileged: at } : {}),
    ...(bit(table, 62) ? { noWrite: at } : {}),
    ...(bit(table, 59) ? { noPrivilegedExecute: at } : {}),
    ...(bit(table, 60) ? { noUnprivilegedExecute: at } : {}),
    ...limits,
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

/** A leaf that was found, and what may have been taken away on the way to it. */
export interface Leaf {
  readonly descriptor: bigint;
  /** The hardware manages dirty state: AP[2] counts as 0. */
  readonly isDirtyManaged: boolean;
  readonly limits: TableLimits;
  readonly at: Place;
}

/** Which rule refuses the access; undefined: none does. */
export function refusedBy(leaf: Leaf, control: Control, asked: Access): Refusal | undefined {
  if (!control.hasUnprivileged) return refusedAtEL2(leaf, control, asked);
  return asked.privileged ? refusedPrivileged(leaf, control, asked) : refusedUnprivileged(leaf, control, asked);
}

function refusedAtEL2(leaf: Leaf, control: Control, asked: Access): Refusal | undefined {
  if (asked.access === "execute") return executeNever(leaf, 54, asked) ?? writableExecuteNever(leaf, control, asked);
  return asked.access === "read" ? undefined : readOnly(leaf, asked);
}

function refusedUnprivileged(leaf: Leaf, control: Control, asked: Access): Refusal | undefined {
  if (asked.access === "execute") {
    const isWritable = noUnprivileged(leaf, asked) === undefined;
    return executeNever(leaf, 54, asked) ?? (isWritable ? writableExecuteNever(leaf, control, asked) : undefined);
  }
  const refused = noUnprivileged(leaf, asked);
  return refused ?? (asked.access === "read" ? undefined : readOnly(leaf, asked));
}

function refusedPrivileged(leaf: Leaf, control: Control, asked: Access): Refusal | undefined {
  const isUnprivileged = noUnprivileged(leaf, asked) === undefined;
  const ap = apOf(leaf);
  if (asked.access === "execute") {
    const never = executeNever(leaf, 53, asked);
    if (never !== undefined) return never;
    if (isUnprivileged && readOnly(leaf, asked) === undefined) {
      const why = `descriptor.AP[2:1] is ${binary(ap.value, 2)}: unprivileged accesses may write there`;
      return on(leaf, broken("UNPRIVILEGED_WRITABLE", told(why, asked), ap));
    }
    return writableExecuteNever(leaf, control, asked);
  }
  if (control.pan && isUnprivileged) {
    const why = `CD.PAN is 1, and descriptor.AP[2:1] is ${binary(ap.value, 2)}: a page for unprivileged accesses`;
    return on(leaf, broken("PRIVILEGED_NEVER", told(why, asked), field("CD.PAN", 1), ap));
  }
  if (control.pan && control.epan && executeNever(leaf, 54, asked) === undefined) {
    const why = "CD.PAN and CD.EPAN are 1, and descriptor.UXN is 0: unprivileged accesses may fetch there";
    const fields = [field("CD.PAN", 1), field("CD.EPAN", 1), field("descriptor.UXN", 0)];
    return on(leaf, broken("PRIVILEGED_NEVER_EXECUTABLE", told(why, asked), ...fields));
  }
  return asked.access === "read" ? undefined : readOnly(leaf, asked);
}

function noUnprivileged(leaf: Leaf, asked: Access): Refusal | undefined {
  const ap = apOf(leaf);
  if (!bit(leaf.descriptor, 6)) {
    const why = `descriptor.AP[2:1] is ${binary(ap.value, 2)}: privileged accesses only`;
    return on(leaf, broken("LEAF_PRIVILEGED", told(why, asked), ap));
  }
  return tableRefusal("TABLE_PRIVILEGED", leaf.limits.noUnprivileged, "privileged accesses only", asked);
}

function readOnly(leaf: Leaf, asked: Access): Refusal | undefined {
  const ap = apOf(leaf);
  if (bit(leaf.descriptor, 7) && !leaf.isDirtyManaged) {
    const why = `descriptor.AP[2:1] is ${binary(ap.value, 2)}: read-only`;
    const dbm = field("descriptor.DBM", bit(leaf.descriptor, 51));
    return on(leaf, broken("LEAF_READ_ONLY", told(why, asked), ap, dbm));
  }
  return tableRefusal("TABLE_READ_ONLY", leaf.limits.noWrite, "read-only", asked);
}

/** @param at  54: UXN, which is XN where there is one privilege; 53: PXN */
function executeNever(leaf: Leaf, at: 53 | 54, asked: Access): Refusal | undefined {
  const name = at === 53 ? "PXN" : "UXN";
  if (bit(leaf.descriptor, at)) {
    return on(
      leaf,
      broken("LEAF_EXECUTE_NEVER", told(`descriptor.${name} is 1`, asked), field(`descriptor.${name}`, 1)),
    );
  }
  const table = at === 53 ? leaf.limits.noPrivilegedExecute : leaf.limits.noUnprivilegedExecute;
  if (table === undefined) return undefined;
  const why = `descriptor.${name}Table of a level ${table.level} table is 1`;
  return { ...broken("TABLE_EXECUTE_NEVER", told(why, asked), field(`descriptor.${name}Table`, 1)), at: table };
}

function writableExecuteNever(leaf: Leaf, control: Control, asked: Access): Refusal | undefined {
  if (!control.wxn || readOnly(leaf, asked) !== undefined) return undefined;
  const ap = apOf(leaf);
  const why = `CD.WXN is 1, and descriptor.AP[2:1] is ${binary(ap.value, 2)}: writable`;
  return on(leaf, broken("WRITABLE_EXECUTE_NEVER", told(why, asked), field("CD.WXN", 1), ap));
}

function tableRefusal(
  rule: "TABLE_PRIVILEGED" | "TABLE_READ_ONLY",
  at: Place | undefined,
  what: string,
  asked: Access,
): Refusal | undefined {
  if (at === undefined) return undefined;
  const table = bits(at.raw[0] ?? 0n, 62, 61);
  const why = `descriptor.APTable of a level ${at.level} table is ${binary(table, 2)}: ${what} below it`;
  return { ...broken(rule, told(why, asked), field("descriptor.APTable", table)), at };
}

function apOf({ descriptor }: Leaf): RefusedField {
  return field("descriptor.AP[2:1]", bits(descriptor, 7, 6));
}

function on(leaf: Leaf, why: Broken): Refusal {
  return { ...why, at: leaf.at };
}

function told(why: string, { access, privileged }: Access): string {
  const kind = access === "execute" ? "instruction fetch" : access;
  return `${why}, and this is ${privileged ? "a privileged" : "an unprivileged"} ${kind}`;
}
