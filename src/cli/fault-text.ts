// Faults as people read logs: a line each, in the order time, device, number, who, what, where; why it happened behind it
// or, in a terminal, beneath it. Knows no event by name but the page request. Text from the broker is escaped.

import {
  FaultDiagnosisVerdict,
  type FaultEvent,
  type FaultGap,
  FaultGapReason,
  type FaultResolution,
  FaultResolutionOutcome,
  FaultStage,
} from "../client/client.ts";
import { grouped, type Paint, paintOf, printable, type Terminal, wrapped } from "./terminal.ts";

type Time = FaultEvent["time"];

const INDENT = "    ";

/** RFC 3339 in UTC, to the millisecond; undefined: the broker did not say. */
export function timeOf(time: Time): string | undefined {
  if (time === undefined) return undefined;
  const ms = Number(time.seconds) * 1000 + Math.floor(time.nanos / 1_000_000);
  return Number.isFinite(new Date(ms).getTime()) ? new Date(ms).toISOString() : undefined;
}

export function eventText(event: FaultEvent, terminal: Terminal): string {
  const paint = paintOf(terminal);
  const facts = [...whoOf(event), ...whereOf(event), ...marksOf(event)].join(", ");
  const name = paint(printable(event.type), event.hostOnly ? "yellow" : "red");
  const line = `${headOf(event, event.time, paint)} ${name}  ${facts}`;
  const why = whyOf(event.diagnosis);
  if (why === "") return `${line}\n`;
  if (terminal.columns === undefined) return `${line} — ${why}\n`;
  const beneath = wrapped(why, terminal.columns - INDENT.length).map((each) => `${INDENT}${paint(each, "bold")}`);
  return `${[line, ...beneath].join("\n")}\n`;
}

function headOf({ device, sequence }: { device: string; sequence: bigint }, time: Time, paint: Paint): string {
  const when = timeOf(time) ?? "-";
  return `${paint(when, "dim")} ${shortOf(device)} #${sequence}`;
}

/** Devices are known by their ids; the prefix is the same in every line. */
function shortOf(device: string): string {
  return printable(device.replace(/^devices\//, ""));
}

function whoOf({ substreamId, virtualStreamId }: FaultEvent): string[] {
  return [
    virtualStreamId === undefined ? "no vSID" : `vSID ${grouped(BigInt(virtualStreamId))}`,
    ...(substreamId === undefined ? [] : [`SubstreamID ${substreamId}`]),
  ];
}

function whereOf(event: FaultEvent): string[] {
  const { fetchAddress, inputAddress, instruction, ipa, pageRequest, privileged, read, stage } = event;
  const stages = stage === FaultStage.FAULT_STAGE_UNSPECIFIED ? [] : [`stage ${stage}`];
  const asked = pageRequest && accessesOf(pageRequest);
  const kind = instruction === true ? "fetch" : read === true ? "read" : read === false ? "write" : "access";
  const access =
    inputAddress === undefined || pageRequest !== undefined
      ? []
      : [`${privileged === true ? "privileged " : ""}${kind} of ${grouped(inputAddress)}`];
  return [
    ...stages,
    ...access,
    ...(asked === undefined ? [] : [asked]),
    ...(ipa === undefined ? [] : [`IPA ${grouped(ipa)}`]),
    ...(fetchAddress === undefined ? [] : [`its fetch of ${grouped(fetchAddress)}`]),
  ];
}

function accessesOf(request: NonNullable<FaultEvent["pageRequest"]>): string {
  const { address, execute, groupIndex, last, privileged, read, write } = request;
  const kinds = [...(read ? ["read"] : []), ...(write ? ["write"] : []), ...(execute ? ["execute"] : [])];
  const what = kinds.length === 0 ? "nothing" : `${privileged ? "privileged " : ""}${kinds.join(" and ")}`;
  return `asks for the page at ${grouped(address)} (${what}), group ${groupIndex}${last ? ", the last of it" : ""}`;
}

function marksOf({ hostOnly, pending, transition }: FaultEvent): string[] {
  const stag = pending?.stag === undefined ? "" : ` (STAG ${grouped(BigInt(pending.stag))})`;
  const until = timeOf(pending?.deadline);
  return [
    ...(hostOnly ? ["the host's business"] : []),
    ...(transition ? ["while the STE was being changed"] : []),
    ...(pending === undefined ? [] : [`waits for an answer${stag}${until === undefined ? "" : ` until ${until}`}`]),
  ];
}

/** Empty: nothing to say. */
function whyOf(diagnosis: FaultEvent["diagnosis"]): string {
  if (diagnosis === undefined) return "";
  const section = diagnosis.section === "" ? "" : ` (${diagnosis.section})`;
  const isPast = diagnosis.verdict === FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_NO_LONGER_REPRODUCIBLE;
  return printable(`${isPast ? "no longer reproducible: " : ""}${diagnosis.summary}${section}`);
}

const GAPS: ReadonlyMap<number, string> = new Map([
  [FaultGapReason.FAULT_GAP_REASON_RING_OVERRUN, "this reader was slower than the ring is long"],
  [FaultGapReason.FAULT_GAP_REASON_HARDWARE_OVERFLOW, "the hardware's event queue overflowed"],
  [FaultGapReason.FAULT_GAP_REASON_RELEASED, "the device was released before they were read"],
  [FaultGapReason.FAULT_GAP_REASON_RATE_LIMIT, "more came than limits.fault_events_per_second lets pass"],
  [FaultGapReason.FAULT_GAP_REASON_RESTART, "the broker was restarted or the device removed"],
]);

/** Numbers are reserved in blocks, ahead of their events: of a block that was begun nobody knows how far it came. */
const SET_ASIDE = "set aside before the broker was restarted or the device removed, and may never have been used";

export function gapText(gap: FaultGap, terminal: Terminal): string {
  const { count, device, first, last, reason, suppressed } = gap;
  const numbers = first === last ? `#${first}` : `#${first} to #${last}`;
  const head = `-- ${shortOf(device)} ${numbers}:`;
  if (count === 0n && reason === FaultGapReason.FAULT_GAP_REASON_RESTART) {
    return `${paintOf(terminal)(`${head} ${SET_ASIDE}`, "dim")}\n`;
  }
  const many =
    count === 0n ? "events lost, nobody knows how many" : `${count} ${count === 1n ? "event" : "events"} lost`;
  const kinds = suppressed.map(({ count: each, page, type }) => {
    const name = type === "" ? "others" : printable(type);
    return `${each} ${name}${page === undefined ? "" : ` at ${grouped(page)}`}`;
  });
  const what = kinds.length === 0 ? "" : `: ${kinds.join(", ")}`;
  const line = `${head} ${many}, ${GAPS.get(reason) ?? `reason ${reason}`}${what}`;
  return `${paintOf(terminal)(line, "yellow")}\n`;
}

const OUTCOMES: ReadonlyMap<number, string> = new Map([
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_ANSWERED, "was answered"],
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_TIMED_OUT, "was ended: nobody answered in time"],
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_OWNER_GONE, "was ended: its owner is gone"],
  [FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_STAGE_CHANGED, "was ended: the device's stage was changed"],
]);

export function resolutionText(resolution: FaultResolution, terminal: Terminal): string {
  const paint = paintOf(terminal);
  const { outcome, time } = resolution;
  const isAnswered = outcome === FaultResolutionOutcome.FAULT_RESOLUTION_OUTCOME_ANSWERED;
  const what = paint(OUTCOMES.get(outcome) ?? `ended with outcome ${outcome}`, isAnswered ? "green" : "yellow");
  return `${headOf(resolution, time, paint)} ${what}\n`;
}
