// Which faults of guests' tables and DMA a backend can tell: GetCapabilities says so, and a series of such a fault begins at 0.
// The simulated SMMU records all; Linux hands on those of stage 1 that it takes for the guest's, and logs the others.
// Source: IHI 0070G.b §7.3; Linux arm_smmu_handle_event, which forwards 0x04, 0x06, 0x08, 0x0A and 0x10 to 0x13 with S2=0.

import { type FaultRecord, PAGE_REQUEST } from "./faults.ts";

/** Faults that have these in common. */
export type FaultKind = Pick<FaultRecord, "type" | "stage" | "class">;

const ACCESS_FAULTS = ["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"] as const;
/** Where stage 2 refuses: the access itself, or a table or CD of the guest. */
const STAGE2_CLASSES = ["IN", "TTD", "CD"] as const;

const whole = (type: string): FaultKind => ({ type, stage: undefined, class: undefined });
const STAGE1_ACCESS: readonly FaultKind[] = ACCESS_FAULTS.map((type) => ({ type, stage: 1, class: "IN" }));
const STAGE2_ACCESS: readonly FaultKind[] = ACCESS_FAULTS.flatMap((type) =>
  STAGE2_CLASSES.map((accessed) => ({ type, stage: 2 as const, class: accessed })),
);

/** What a vEVENTQ is given. */
export const FORWARDED_FAULTS: readonly FaultKind[] = Object.freeze([
  ...["C_BAD_STE", "F_STREAM_DISABLED", "C_BAD_SUBSTREAMID", "C_BAD_CD"].map(whole),
  ...STAGE1_ACCESS,
]);

/** What a fault queue is given: accesses that stall. */
export const STALLED_FAULTS: readonly FaultKind[] = Object.freeze(STAGE1_ACCESS);

const RECORDED_FAULTS: readonly FaultKind[] = [
  ...["C_BAD_STE", "F_STREAM_DISABLED", "C_BAD_SUBSTREAMID", "F_CD_FETCH", "C_BAD_CD"].map(whole),
  { type: "F_WALK_EABT", stage: 1, class: "TTD" }, // its memory was taken away
  ...STAGE1_ACCESS,
  ...STAGE2_ACCESS,
];

/** What the model of an SMMU records, by what its devices may do. */
export function recordedFaults({ ats, pri }: { readonly ats: boolean; readonly pri: boolean }): readonly FaultKind[] {
  return Object.freeze([
    ...RECORDED_FAULTS,
    ...(ats ? ["F_BAD_ATS_TREQ", "F_TRANSL_FORBIDDEN"].map(whole) : []),
    ...(pri ? [whole(PAGE_REQUEST)] : []),
  ]);
}

export function isSameKind(one: FaultKind, other: FaultKind): boolean {
  return one.type === other.type && one.stage === other.stage && one.class === other.class;
}
