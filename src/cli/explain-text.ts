// An explanation as a person reads it in a terminal: a step a line in columns, what it read beneath it, the end last.
// Knows no structure by name, so whatever step a broker adds shows up as it is. Text from the broker is escaped.

import { type Explanation, FaultClass, FaultStage, TransactionOutcome } from "../client/client.ts";
import { grouped, type Paint, paintOf, printable, sizeOf, type Terminal, wrapped } from "./terminal.ts";

type Step = Explanation["steps"][number];
type End = NonNullable<Explanation["end"]>;
type Fault = NonNullable<End["fault"]>;

/** The access that was asked about. */
export interface Asked {
  readonly iova: bigint;
  readonly access: string;
  readonly privileged?: boolean;
  readonly substream?: number;
}

interface Layout {
  readonly paint: Paint;
  readonly numberWidth: number;
  readonly nameWidth: number;
  readonly addressWidth: number;
  readonly columns: number;
}

/** Room that a sentence must have beside the columns; with less it stands beneath them. */
const SENTENCE_COLUMNS_MIN = 36;
const GAP = "  ";

export function explanationText(answer: Explanation, asked: Asked, terminal: Terminal): string {
  const paint = paintOf(terminal);
  const layout: Layout = {
    paint,
    numberWidth: String(answer.steps.length).length,
    nameWidth: Math.max(0, ...answer.steps.map(({ structure }) => printable(structure).length)),
    addressWidth: Math.max(0, ...answer.steps.map((step) => addressOf(step).length)),
    columns: terminal.columns ?? Number.POSITIVE_INFINITY,
  };
  const lines = [
    ...wrapped(titleOf(answer, asked), layout.columns).map((line) => paint(line, "bold")),
    "",
    ...answer.steps.flatMap((step, index) => stepLines(step, index + 1, layout)),
    ...endLines(answer, layout),
    ...wrapped("From the tables as they are now; a cache may still hold older ones.", layout.columns).map((line) =>
      paint(line, "dim"),
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function titleOf({ device, virtualStreamId }: Explanation, asked: Asked): string {
  const parts = [
    printable(device),
    `${asked.privileged === true ? "privileged " : ""}${asked.access} of ${grouped(asked.iova)}`,
    ...(asked.substream === undefined ? [] : [`SubstreamID ${asked.substream}`]),
    virtualStreamId === undefined ? "no virtual StreamID" : `virtual StreamID ${grouped(BigInt(virtualStreamId))}`,
  ];
  return parts.join(", ");
}

function stepLines(step: Step, number: number, layout: Layout): string[] {
  const { addressWidth, columns, nameWidth, numberWidth, paint } = layout;
  const head = [
    String(number).padStart(numberWidth + 1),
    printable(step.structure).padEnd(nameWidth),
    addressOf(step).padEnd(addressWidth),
  ].join(GAP);
  const indent = " ".repeat(numberWidth + 1 + GAP.length);
  const isBeside = columns - head.length - GAP.length >= SENTENCE_COLUMNS_MIN;
  const room = isBeside ? columns - head.length - GAP.length : columns - indent.length;
  const decision = wrapped(regrouped(printable(step.decision)), room);
  const section = printable(step.section);
  const last = decision.at(-1) ?? "";
  const sentence =
    last.length + GAP.length + section.length <= room
      ? [...decision.slice(0, -1), `${last}${GAP}${paint(section, "dim")}`]
      : [...decision, ...wrapped(section, room).map((line) => paint(line, "dim"))];
  const details = detailsOf(step).flatMap((text) => wrapped(text, columns - indent.length));
  const beside = " ".repeat(head.length + GAP.length);
  const [first = "", ...more] = sentence;
  return [
    ...(isBeside
      ? [`${head}${GAP}${first}`, ...more.map((line) => `${beside}${line}`)]
      : [head.trimEnd(), ...sentence.map((line) => `${indent}${line}`)]),
    ...details.map((line) => `${indent}${paint(line, "dim")}`),
  ];
}

function addressOf({ ipa, pa }: Step): string {
  if (ipa !== undefined) return `IPA ${grouped(ipa)}`;
  return pa === undefined ? "" : `PA ${grouped(pa)}`;
}

/** Doublewords to the last that is not 0, then the fields that are not 0. */
function detailsOf({ fields, ipa, pa, raw }: Step): string[] {
  const count = Math.max(1, raw.findLastIndex((word) => word !== 0n) + 1);
  const words = raw.slice(0, count).map((word) => grouped(word, 16));
  const shown = fields
    .filter(({ value }) => value !== 0n)
    .map(({ name, value }) => `${printable(name)}=${value < 10n ? value : grouped(value)}`);
  return [
    ...(ipa !== undefined && pa !== undefined ? [`PA ${grouped(pa)}`] : []),
    ...(words.length === 0 ? [] : [words.join(" ")]),
    ...(shown.length === 0 ? [] : [shown.join(" ")]),
  ];
}

function endLines({ end, writes }: Explanation, { columns, numberWidth, paint }: Layout): string[] {
  const indent = " ".repeat(numberWidth + 1 + GAP.length);
  const marked = (mark: string, text: string): string[] =>
    wrapped(text, columns - indent.length).map(
      (line, index) => `${index === 0 ? mark.padStart(numberWidth + 1) + GAP : indent}${line}`,
    );
  const updates = writes.flatMap(({ ipa, pa, value }) => {
    const where = [
      ...(ipa === undefined ? [] : [`IPA ${grouped(ipa)}`]),
      ...(pa === undefined ? [] : [`PA ${grouped(pa)}`]),
    ];
    return marked("+", `the hardware would write ${grouped(value, 16)} to ${where.join(", ")}`);
  });
  if (end === undefined) return [...updates, ...marked("=", "the broker does not say how it ends")];
  const isOk = end.outcome === TransactionOutcome.TRANSACTION_OUTCOME_OK;
  const colour = isOk ? "green" : end.notCovered === "" ? "red" : "yellow";
  return [...updates, ...marked("=", endOf(end)).map((line) => paint(line, colour))];
}

const TERMINATIONS: ReadonlyMap<number, string> = new Map([
  [TransactionOutcome.TRANSACTION_OUTCOME_ABORT, "terminated with an abort"],
  [TransactionOutcome.TRANSACTION_OUTCOME_RAZ_WI, "terminated: reads are zero, writes ignored"],
  [TransactionOutcome.TRANSACTION_OUTCOME_STALLED, "stalled until the host resumes it"],
]);

function endOf(end: End): string {
  if (end.notCovered !== "") return `not covered: ${printable(end.notCovered)}`;
  if (end.outcome === TransactionOutcome.TRANSACTION_OUTCOME_OK) return translationOf(end);
  const ending = TERMINATIONS.get(end.outcome) ?? `outcome ${end.outcome}`;
  const record = end.recorded ? "an event is recorded" : "no event is recorded";
  return end.fault === undefined ? `${ending}, ${record}` : `${faultOf(end.fault)}: ${ending}, ${record}`;
}

function translationOf({ bypass, ipa, pa, pageBytes }: End): string {
  const where = [
    ...(ipa === undefined ? [] : [`IPA ${grouped(ipa)}`]),
    ...(pa === undefined ? [] : [`PA ${grouped(pa)}`]),
  ];
  if (bypass) return ["passes untranslated", ...where].join(", ");
  return `translates to ${where.join(", ")}, in a page or block of ${sizeOf(pageBytes)}`;
}

function faultOf(fault: Fault): string {
  const stage = fault.stage === FaultStage.FAULT_STAGE_UNSPECIFIED ? [] : [`stage ${fault.stage}`];
  const purpose =
    fault.class === FaultClass.FAULT_CLASS_UNSPECIFIED ? [] : [`class ${FaultClass[fault.class].split("_").at(-1)}`];
  return [
    printable(fault.type),
    ...stage,
    ...purpose,
    ...(fault.ipa === undefined ? [] : [`IPA ${grouped(fault.ipa)}`]),
    ...(fault.fetchAddress === undefined ? [] : [`fetch of ${grouped(fault.fetchAddress)}`]),
  ].join(", ");
}

/** Long numbers of the broker's sentences, written as the columns have them. */
function regrouped(text: string): string {
  return text.replace(/\b0x[\da-f]{5,16}\b/g, (number) => grouped(BigInt(number)));
}
