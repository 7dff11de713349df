// Stage 2 as a table of what is mapped: for a host whose own tables cannot be seen, but who knows what it put into them.
// Such a host maps memory as Normal write-back, executable, with the Access flag set, as Linux does.
// Source: IHI 0070G.b §3.4, §7.3.13, §7.3.16; Arm ARM DDI 0487 D8.4, D8.6.

import { hex } from "../../../spec/u64.ts";
import { note, RIGHTS, refusalOf, type Stage2 } from "./stage2-walk.ts";
import { fail, type Stage2Question, type Trace } from "./trace.ts";

/** A page of stage 2. */
export interface MappedPage {
  /** Of the address that was asked for. */
  readonly pa: bigint;
  readonly pageBytes: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** What is mapped at an IPA; undefined: nothing. */
export type MappedLookup = (ipa: bigint) => MappedPage | undefined;

/** MemAttr 0b1111, SH Inner Shareable, AF. */
const LEAF = 0x73cn;
const READ = 0x40n;
const WRITE = 0x80n;

export function mappedStage2(trace: Trace, lookup: MappedLookup): Stage2 {
  return (ipa, purpose) => {
    const about = { stage: 2, class: purpose.class, ipa: Number(ipa) } as const;
    const asked: Stage2Question = { ipa, class: purpose.class, access: purpose.access };
    const page = lookup(ipa);
    if (page === undefined) {
      note(trace, asked, `nothing is mapped at IPA ${hex(ipa)}: F_TRANSLATION`, "§7.3.13");
      const why = `the ${purpose.what} at IPA ${hex(ipa)} is not mapped in stage 2`;
      return fail({ type: "F_TRANSLATION", ...about }, refusalOf("STAGE2_NOT_MAPPED", why, ipa));
    }
    const { pa, pageBytes, readable, writable } = page;
    const isAllowed = { read: readable, write: writable, execute: true }[purpose.access];
    if (!isAllowed) {
      note(trace, asked, `the mapping refuses this ${purpose.access}: F_PERMISSION`, "§7.3.16");
      const tableRead = purpose.class === "TTD" ? { tableRead: purpose.access === "read" } : {};
      const [rule, right] = RIGHTS[purpose.access];
      const why = `the ${purpose.what} at IPA ${hex(ipa)} is mapped in stage 2, but not for ${right}`;
      return fail({ type: "F_PERMISSION", ...about, ...tableRead }, refusalOf(rule, why, ipa));
    }
    note(trace, { ...asked, answer: page }, `IPA ${hex(ipa)} is mapped`, "§3.4");
    return { pa, pageBytes, leaf: LEAF + (readable ? READ : 0n) + (writable ? WRITE : 0n) };
  };
}
