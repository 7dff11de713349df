// Where QEMU's SMMUv3 under Linux is known to differ from the architecture, and so from the model: each with its reason. What
// is not in here must be equal, byte for byte, and an entry that no case shows any more fails.
// docs/native.md prints the list.

import { RAM } from "../guest/nested.ts";
import type { ModelOutcome } from "./outcome.ts";
import { PLACE, type Trial } from "./trial.ts";

export interface Deviation {
  /** A sentence about what QEMU or Linux does. */
  readonly name: string;
  /** "outcome", or a field of the record. */
  readonly field: string;
  /** What the model says, or may say: the outcome's word or the field's value; undefined: whatever. */
  readonly model: string | readonly string[] | undefined;
  /** What it is instead, or may be; undefined: whatever. */
  readonly kernel: string | readonly string[] | undefined;
  /** Where it applies. */
  readonly when: (model: ModelOutcome, trial: Trial) => boolean;
  readonly reason: string;
  /** Where it was seen. */
  readonly source: string;
}

const brokenRule =
  (...rules: readonly string[]): Deviation["when"] =>
  ({ why }) =>
    why.rule !== undefined && rules.includes(why.rule);

const EARLIER = "QEMU 10.0; 11.1 did so when the golden rows were recorded";
const SEEN = "QEMU 10.0";

export const DEVIATIONS: readonly Deviation[] = [
  {
    name: "AP[1]=0 and APTable[0]=1 stop nobody",
    field: "outcome",
    model: ["F_PERMISSION", "silent"],
    kernel: ["moved", "silent"],
    // With CD.R=0 the model names no rule.
    when: (model, trial) =>
      brokenRule("LEAF_PRIVILEGED", "TABLE_PRIVILEGED")(model, trial) || model.why.what === "unrecorded: F_PERMISSION",
    reason: "QEMU does not tell privileged accesses from others; edu's are unprivileged, and §7.3.16 has F_PERMISSION",
    source: EARLIER,
  },
  {
    name: "APTable[1]=1 refuses a write before the tables below are read",
    field: "outcome",
    model: ["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "silent"],
    kernel: "F_PERMISSION",
    when: (_, { words }) => [...words.values()].some((word) => (word >> 62n) % 2n === 1n),
    reason: "the walk goes on, and faults of later levels come first (Arm DDI 0487 D8.4.2)",
    source: EARLIER,
  },
  {
    name: "a block is accepted at levels that have none",
    field: "outcome",
    model: "F_TRANSLATION",
    kernel: ["F_ACCESS", "F_ADDR_SIZE", "F_PERMISSION", "moved", "silent"],
    when: ({ why }) => why.rule === "DESCRIPTOR_TYPE" && why.level !== 3,
    reason: "reserved at level 0, and at level 1 but for 4 KiB pages (D8.3.1)",
    source: EARLIER,
  },
  {
    name: "that stage 2 has no table of stage 1's is told to the guest",
    field: "outcome",
    model: "silent",
    kernel: "F_TRANSLATION",
    when: brokenRule("STAGE2_NOT_MAPPED"),
    reason: "QEMU leaves S2=0 in the record, by which Linux takes it for the guest's; §7.3.13 has S2=1",
    source: EARLIER,
  },
  {
    name: "a table beyond the output size is refused with CLASS TT",
    field: "CLASS",
    model: "0x2",
    kernel: "0x1",
    when: brokenRule("DESCRIPTOR_ADDRESS"),
    reason: "QEMU asks stage 2 for the table before it looks at the size: the record is stage 2's with S2=0",
    source: SEEN,
  },
  {
    name: "a table beyond the output size is refused with its IPA in the record",
    field: "IPA",
    model: "0x0",
    kernel: undefined,
    when: brokenRule("DESCRIPTOR_ADDRESS"),
    reason: "as CLASS TT",
    source: SEEN,
  },
  {
    name: "STE.S1CDMax that is not 0 makes an STE illegal",
    field: "outcome",
    model: undefined,
    kernel: "C_BAD_STE",
    when: (_, { vste }) => vste[0] >> 59n !== 0n,
    reason: "without substreams (IDR1.SSIDSIZE 0) the field is IGNORED (§5.2)",
    source: SEEN,
  },
  {
    name: "bits 51:48 of STE.S1ContextPtr are not looked at",
    field: "outcome",
    model: "silent",
    kernel: undefined,
    when: (_, { vste }) => (vste[0] >> 48n) % 16n !== 0n,
    reason: "the CD is fetched from another address; beyond the IPA size stage 2 refuses it (§3.4)",
    source: SEEN,
  },
  {
    name: "bits 51:48 of CD.TTB0 are not looked at",
    field: "outcome",
    model: "C_BAD_CD",
    kernel: undefined,
    when: brokenRule("CD_TABLE_ADDRESS"),
    reason: "a TTB0 beyond the output size makes the CD illegal (§5.4.2)",
    source: SEEN,
  },
  {
    name: "without stage 1 an address beyond the input size is refused without a record",
    field: "outcome",
    model: "F_ADDR_SIZE",
    kernel: "silent",
    when: brokenRule("INPUT_ADDRESS_SIZE"),
    reason: "the fault is stage 1's, and is recorded (§3.4)",
    source: SEEN,
  },
  {
    name: "CD.TTB0 is put through stage 2 with the CD, before the input address is looked at",
    field: "outcome",
    model: "F_TRANSLATION",
    kernel: "silent",
    when: (model, trial) => brokenRule("INPUT_ADDRESS_RANGE")(model, trial) && !isRam(firstTable(trial)),
    reason: "an address beyond CD.T0SZ ends the walk before any table is read (§3.4, Arm DDI 0487 D8.2)",
    source: SEEN,
  },
];

/** CD.TTB0, an IPA (§5.4). */
const firstTable = ({ words }: Trial): number => Number((words.get(PLACE.cd + 8) ?? 0n) & 0x000f_ffff_ffff_fff0n);
const isRam = (ipa: number): boolean => ipa >= RAM.ipa && ipa < RAM.ipa + RAM.bytes;

/** Of docs/native.md. */
export function deviationRows(): readonly string[] {
  const field = (of: string, value: Deviation["kernel"]): string => {
    const values = typeof value === "object" ? value.join(" or ") : value;
    return of === "outcome" ? (values ?? "any end") : `${of} ${values ?? "filled in"}`;
  };
  return DEVIATIONS.map(
    (each) =>
      `| ${each.name} | ${field(each.field, each.model)} | ${field(each.field, each.kernel)} | ${each.reason} | ${each.source} |`,
  );
}
