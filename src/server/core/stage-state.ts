// The stage states of an IOMMU group and the one table of transitions between them.
// No other code knows an order: an absent cell is transition_illegal.
// STE.Config per state (IHI 0070G.b §5.2): default-domain 0b101, nest-parent 0b110, guest-abort 0b000, guest-nested 0b111,
// quarantined and releasing 0b000; vended: whatever the holder of its descriptors attaches.

import { BrokerError } from "../../backends/errors.ts";
import type { Disposition } from "../../backends/vste.ts";

export const STAGE_STATES = [
  "default-domain",
  "nest-parent",
  "guest-abort",
  "guest-nested",
  "quarantined",
  "vended",
  "releasing",
] as const;
/** What the hardware holds for a group. */
export type StageState = (typeof STAGE_STATES)[number];

export const STAGE_TRIGGERS = [
  "attach",
  "attachAborted",
  "bindBypass",
  "bindAbort",
  "bindTranslate",
  "unbind",
  "release",
  "ownerLost",
  "quarantine",
  "vend",
  "withhold",
] as const;
/** What may happen to a group. */
export type StageTrigger = (typeof STAGE_TRIGGERS)[number];

export const TRANSITIONS = {
  "default-domain": {
    attach: "nest-parent",
    attachAborted: "guest-abort",
    release: "default-domain",
    ownerLost: "default-domain",
    vend: "vended",
  },
  "nest-parent": {
    bindBypass: "nest-parent",
    bindAbort: "guest-abort",
    bindTranslate: "guest-nested",
    unbind: "nest-parent",
    release: "default-domain",
    ownerLost: "guest-abort",
    quarantine: "quarantined",
    withhold: "releasing",
  },
  "guest-abort": {
    bindBypass: "nest-parent",
    bindAbort: "guest-abort",
    bindTranslate: "guest-nested",
    unbind: "nest-parent",
    release: "default-domain",
    ownerLost: "guest-abort",
    quarantine: "quarantined",
    withhold: "releasing",
  },
  "guest-nested": {
    bindBypass: "nest-parent",
    bindAbort: "guest-abort",
    bindTranslate: "guest-nested",
    unbind: "nest-parent",
    release: "default-domain",
    ownerLost: "guest-abort",
    quarantine: "quarantined",
    withhold: "releasing",
  },
  quarantined: {
    release: "default-domain",
    ownerLost: "quarantined",
  },
  // The holder of its iommufd attaches and detaches it: nobody else can stop its DMA until every copy is closed.
  vended: {
    ownerLost: "vended",
    withhold: "releasing",
  },
  releasing: {
    release: "default-domain",
    ownerLost: "releasing",
    quarantine: "quarantined",
  },
} as const satisfies Record<StageState, Partial<Record<StageTrigger, StageState>>>;

/**
 * The state after `trigger`.
 * @throws BrokerError transition_illegal with state and trigger when the table has no such cell
 */
export function next(state: StageState, trigger: StageTrigger): StageState {
  const row: Partial<Record<StageTrigger, StageState>> = TRANSITIONS[state];
  const to = row[trigger];
  if (to === undefined) {
    throw new BrokerError("transition_illegal", `${trigger} is not possible in state ${state}: ${remedy(state)}`, {
      state,
      trigger,
    });
  }
  return to;
}

/** The trigger that a guest STE stands for. */
export function bindTrigger(disposition: Disposition): StageTrigger {
  switch (disposition) {
    case "abort":
      return "bindAbort";
    case "bypass":
      return "bindBypass";
    case "translate":
      return "bindTranslate";
  }
}

function remedy(state: StageState): string {
  if (state === "quarantined") return "an administrator must release it from quarantine first";
  if (state === "releasing") return "every copy of its descriptors must be closed first";
  return state === "default-domain" ? "attach the device first" : "detach the device first";
}
