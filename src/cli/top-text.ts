// A round of iommuctl top: rates as rows, cut to the terminal; and the same as JSON.

import { idOf } from "./argument-values.ts";
import { stateName } from "./device-text.ts";
import { deviceJson, jsonLine } from "./json-output.ts";
import { tableText } from "./table-text.ts";
import { paintOf, type Terminal, wrapped } from "./terminal.ts";
import type { Rates } from "./top-rates.ts";

const UNCOUNTED =
  "this host's hardware counts no translations and no TLB lookups: rates shown as - are unknown, not zero";
const HEADS = ["DEVICE", "STATE", "OWNER", "TRANSL/S", "FAULTS/S"];
const NARROW_HEADS = ["DEVICE", "TRANSL/S", "FAULTS/S"];
/** Below this state and owner are left out. */
const NARROW_COLUMNS = 60;

/** @param rows  lines there is room for; undefined: all */
export function topLines(rates: Rates, terminal: Terminal, rows?: number): readonly string[] {
  const isNarrow = (terminal.columns ?? NARROW_COLUMNS) < NARROW_COLUMNS;
  const devices = rates.devices.map(({ device, faultsPerSecond, translationsPerSecond }) => {
    const figures = [rateText(translationsPerSecond), rateText(faultsPerSecond)];
    const owner = device.owner === "" ? "-" : device.ownerDisplayName;
    return isNarrow ? [idOf(device.name), ...figures] : [idOf(device.name), stateName(device.state), owner, ...figures];
  });
  const iommus = rates.iommus.map(({ iommu, tlbHitRatio, transactionsPerSecond }) => [
    iommu,
    rateText(transactionsPerSecond),
    tlbHitRatio === undefined ? "-" : `${(100 * tlbHitRatio).toFixed(1)} %`,
  ]);
  const lines = [
    ...tableText(["IOMMU", "TRANS/S", "TLB HITS"], iommus, terminal),
    ...(rates.isCounted ? [] : noticeLines(terminal)),
    "",
    ...tableText(isNarrow ? NARROW_HEADS : HEADS, devices, terminal),
  ];
  if (rows === undefined || lines.length <= rows) return lines;
  return [...lines.slice(0, Math.max(rows - 1, 0)), cut(`… ${lines.length - rows + 1} more`, terminal)];
}

export function topJson(rates: Rates, time: Date): string {
  const devices = rates.devices.map(({ device, ...figures }) => ({ device: deviceJson(device), ...figures }));
  return jsonLine({ time: time.toISOString(), counted: rates.isCounted, iommus: rates.iommus, devices });
}

/** Three digits, and what they count in. */
export function rateText(perSecond: number | undefined): string {
  if (perSecond === undefined) return "-";
  if (perSecond === 0) return "0";
  if (perSecond < 1000) return perSecond < 10 ? perSecond.toFixed(2) : perSecond.toFixed(0);
  if (perSecond < 999_500) return `${(perSecond / 1000).toPrecision(3)} k`;
  return `${(perSecond / 1e6).toPrecision(3)} M`;
}

function noticeLines(terminal: Terminal): readonly string[] {
  const lines = wrapped(UNCOUNTED, terminal.columns ?? UNCOUNTED.length);
  return lines.map((line) => paintOf(terminal)(line, "yellow"));
}

function cut(text: string, { columns }: Terminal): string {
  return columns === undefined || text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
