// Replays golden cases through the model and compares each translation.
// The model sees what the hardware saw: registers through its register file, memory, an Event queue that is drained.
// A disagreement is a value with what was expected and what came; run.ts prints, golden.test.ts expects none.

import type { Outcome } from "../../src/backends/smmuv3/smmu.ts";
import { type GoldenCase, type GoldenTranslation, type MaskedRecord, PAGE_BYTES } from "./case.ts";
import { CaseMachine, EVENT_BYTES, memoryOf, writeText } from "./machine.ts";

/** What of a row is no verdict: where it comes from, and what it is about. */
export const PROVENANCE = ["from", "how"] as const;

export interface Disagreement {
  /** Index of the translation, or of the event in the case's `events`. */
  readonly row: number;
  readonly what: "translation" | "events";
  readonly input: string;
  readonly expected: string;
  readonly got: string;
  readonly differences: readonly string[];
}

export interface CaseReport {
  readonly name: string;
  readonly agree: number;
  readonly disagreements: readonly Disagreement[];
  /** Fields of a row that this replay does not know, and so did not compare. */
  readonly unknownFields: readonly string[];
  /** Rows by where they come from. */
  readonly from: Readonly<Record<string, number>>;
}

/** Replays a whole case. Cases that judge descriptor updates start each row from fresh pages and cold caches. */
export function replay(golden: GoldenCase): CaseReport {
  const memory = memoryOf(golden);
  const isColdEachTime = golden.translations.some((row) => row.result.writes !== undefined);
  let machine = new CaseMachine(golden, memory);
  const disagreements: Disagreement[] = [];
  const unknown = new Set<string>();
  const recorded: string[] = [];
  const from: Record<string, number> = {};
  golden.translations.forEach((row, index) => {
    if (isColdEachTime) machine = new CaseMachine(golden, memory);
    const outcome = machine.run(golden, row);
    const events = machine.drain();
    recorded.push(...events);
    for (const key of Object.keys(row.result)) if (!COMPARED.has(key)) unknown.add(`result.${key}`);
    for (const key of Object.keys(row)) if (!ROW_FIELDS.has(key)) unknown.add(key);
    from[row.from] = (from[row.from] ?? 0) + 1;
    const differences = compare(row, outcome, events, memory.changes());
    if (isColdEachTime) memory.rollBack();
    if (differences.length > 0) disagreements.push(disagreement(row, index, outcome, events, differences));
  });
  const agree = golden.translations.length - disagreements.length;
  const inQueue = compareQueue(golden, recorded);
  return {
    name: golden.name,
    agree: agree + inQueue.agree,
    disagreements: [...disagreements, ...inQueue.disagreements],
    unknownFields: [...unknown],
    from,
  };
}

const COMPARED = new Set([
  "pa",
  "page_size",
  "bypass",
  "fault",
  "stage",
  "class",
  "ipa",
  "fetch_addr",
  "response",
  "unrecorded",
  "writes",
]);

/** What a row asks, what is compared, and its provenance. */
const ROW_FIELDS = new Set<string>([
  ...["stream_id", "iova", "ssid", "access", "privileged"],
  ...["result", "event", "event_fixed"],
  ...PROVENANCE,
]);

/** The `events` of a case are the whole queue, in order. */
function compareQueue(
  golden: GoldenCase,
  recorded: readonly string[],
): { agree: number; disagreements: Disagreement[] } {
  const disagreements: Disagreement[] = [];
  const expected = golden.events ?? [];
  expected.forEach((event, row) => {
    const got = recorded[row] ?? "nothing";
    if (isRecord(got, event.event_fixed ?? exactly(event.raw))) return;
    const differences = ["record in queue order"];
    disagreements.push({ row, what: "events", input: `event ${row}`, expected: event.raw, got, differences });
  });
  return { agree: expected.length - disagreements.length, disagreements };
}

/** The fields in which a translation differs from its row; none when they agree. */
export function compare(
  row: GoldenTranslation,
  outcome: Outcome,
  events: readonly string[],
  changes: readonly string[],
): string[] {
  const differences: string[] = [];
  const check = (field: string, isSame: boolean): void => {
    if (!isSame) differences.push(field);
  };
  const { result } = row;
  if (result.fault === undefined) {
    check("result", outcome.kind === "ok");
    if (outcome.kind !== "ok") return differences;
    check("pa", outcome.pa === result.pa);
    check("bypass", outcome.bypass === (result.bypass ?? false));
    if (result.page_size !== undefined) check("page_size", outcome.pageBytes === result.page_size);
    check("event", events.length === 0);
  } else if (result.fault === "ABORT") {
    check("result", outcome.kind === "abort" && outcome.fault === undefined);
    check("event", events.length === 0);
  } else {
    compareFault(row, outcome, events, check);
  }
  if (result.writes !== undefined) {
    const wanted = result.writes.map((write) => writeText(write.address, BigInt(write.value))).sort();
    check("writes", wanted.join() === changes.join());
  }
  return differences;
}

function compareFault(
  row: GoldenTranslation,
  outcome: Outcome,
  events: readonly string[],
  check: (field: string, isSame: boolean) => void,
): void {
  const { result } = row;
  check("result", outcome.kind !== "ok" && outcome.fault !== undefined);
  if (outcome.kind === "ok" || outcome.fault === undefined) return;
  const { fault } = outcome;
  check("fault", fault.type === result.fault);
  if (result.stage !== undefined) check("stage", fault.stage === result.stage);
  if (result.class !== undefined) check("class", fault.class === result.class);
  if (result.ipa !== undefined) check("ipa", pageOf(fault.ipa) === pageOf(result.ipa));
  if (result.fetch_addr !== undefined) {
    const isExact = row.from !== "qemu"; // QEMU tells the page, and all of what it tells is compared
    const got = isExact ? fault.fetchAddress : pageOf(fault.fetchAddress);
    check("fetch_addr", got === (isExact ? result.fetch_addr : pageOf(result.fetch_addr)));
  }
  if (result.response !== undefined) check("response", outcome.kind === result.response.replace("_", "-"));
  const expected = expectedRecord(row);
  if (result.unrecorded === true) check("unrecorded", events.length === 0);
  else check("recorded", events.length === 1);
  if (expected !== undefined && events[0] !== undefined) check("event_fixed", isRecord(events[0], expected));
  if (row.event !== undefined && events[0] !== undefined)
    check("event", isRecord(events[0], rawRecord(row, row.event)));
}

/** Bits of a record, counted over its 32 bytes, in which QEMU goes its own way whatever the row: PnU, InD, address[11:0]. */
const QEMU_OWN: readonly (readonly [msb: number, lsb: number])[] = [
  [98, 97],
  [203, 192],
];
const RNW = 99;

/** The raw record, all of it but what QEMU does its own way, as README.md lists it. */
function rawRecord(row: GoldenTranslation, raw: string): MaskedRecord {
  if (row.from !== "qemu") return exactly(raw);
  const isWriteToCD = row.access === "w" && row.result.class === "CD";
  const own = isWriteToCD ? [...QEMU_OWN, [RNW, RNW] as const] : QEMU_OWN;
  return { value: withFetchAddressInPlace(row, raw), mask: maskWithout(own) };
}

function maskWithout(ranges: readonly (readonly [msb: number, lsb: number])[]): string {
  const bytes = Buffer.alloc(EVENT_BYTES, 0xff);
  for (const [msb, lsb] of ranges) {
    for (let bit = lsb; bit <= msb; bit++) bytes[Math.floor(bit / 8)]! &= ~(1 << (bit % 8));
  }
  return bytes.toString("hex");
}

/** What the record must be by the architecture alone. */
function expectedRecord(row: GoldenTranslation): MaskedRecord | undefined {
  const given = row.event_fixed ?? (row.event === undefined ? undefined : exactly(row.event));
  return given === undefined ? undefined : { ...given, value: withFetchAddressInPlace(row, given.value) };
}

/**
 * QEMU writes FetchAddr of F_CD_FETCH into the doubleword where other records have InputAddr; the architecture has it in
 * bits [247:195] and no InputAddr at all (§7.3.10), so a value there is moved to its place.
 */
function withFetchAddressInPlace(row: GoldenTranslation, record: string): string {
  if (row.from !== "qemu" || row.result.fault !== "F_CD_FETCH") return record;
  const fetchAddress = record.slice(32, 48);
  return /^0+$/.test(fetchAddress) ? record : record.slice(0, 32) + record.slice(48, 64) + fetchAddress;
}

function pageOf(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value - (value % PAGE_BYTES);
}

function exactly(value: string): MaskedRecord {
  return { value, mask: "f".repeat(2 * EVENT_BYTES) };
}

function isRecord(record: string, expected: MaskedRecord): boolean {
  if (record.length !== 2 * EVENT_BYTES) return false;
  const mask = BigInt(`0x${expected.mask}`);
  return (BigInt(`0x${record}`) & mask) === (BigInt(`0x${expected.value}`) & mask);
}

function disagreement(
  row: GoldenTranslation,
  index: number,
  outcome: Outcome,
  events: readonly string[],
  differences: readonly string[],
): Disagreement {
  const ssid = row.ssid === null ? "" : ` ssid ${row.ssid}`;
  const stream = row.stream_id === undefined ? "" : `stream 0x${row.stream_id.toString(16)} `;
  return {
    row: index,
    what: "translation",
    input: `${stream}iova ${row.iova}${ssid} ${row.access} (${row.how ?? row.from})`,
    expected: text({ ...row.result, event: row.event_fixed?.value ?? row.event }),
    got: text({ ...outcome, events }),
    differences,
  };
}

function text(value: object): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === "bigint" || (typeof item === "number" && item > 15)) return `0x${item.toString(16)}`;
    return item;
  });
}
