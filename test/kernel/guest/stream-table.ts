// The SMMU's stream table as it lies in memory, which the kernel shows nobody.
// Source: IHI 0070G.b §3.3.1, §5.1, §6.3.24, §6.3.25.

import { readFileSync } from "node:fs";
import { STRTAB_FMT } from "../../../src/spec/encodings.ts";
import { L1STD, L1STD_BYTES } from "../../../src/spec/l1std.ts";
import { get, getAddress, wordsOf } from "../../../src/spec/layout.ts";
import { REGISTER, STRTAB_BASE, STRTAB_BASE_CFG } from "../../../src/spec/registers.ts";
import { STE_BYTES } from "../../../src/spec/ste.ts";
import type { HostMonitor } from "./host-monitor.ts";

const STE_DOUBLEWORDS = STE_BYTES / 8;

/** The 8 doublewords of a stream's STE. */
export function readSTE(monitor: HostMonitor, streamID: number): readonly bigint[] {
  return monitor.read64(addressOfSTE(monitor, streamID), STE_DOUBLEWORDS);
}

function addressOfSTE(monitor: HostMonitor, streamID: number): number {
  const smmu = smmuAddress();
  const table = getAddress(wordsOf(monitor.read64(smmu + REGISTER.STRTAB_BASE)), 0, STRTAB_BASE.ADDR, 6);
  const config = Uint32Array.of(monitor.read32(smmu + REGISTER.STRTAB_BASE_CFG));
  if (get(config, 0, STRTAB_BASE_CFG.FMT) !== STRTAB_FMT.TWO_LEVEL) return table + streamID * STE_BYTES;
  const perL1 = 2 ** get(config, 0, STRTAB_BASE_CFG.SPLIT);
  const l1std = wordsOf(monitor.read64(table + Math.floor(streamID / perL1) * L1STD_BYTES));
  const span = get(l1std, 0, L1STD.Span);
  const index = streamID % perL1;
  if (span === 0 || index >= 2 ** (span - 1)) throw new Error(`StreamID 0x${streamID.toString(16)} has no STE`);
  return getAddress(l1std, 0, L1STD.L2Ptr, 6) + index * STE_BYTES;
}

/** As the kernel found it: "09050000-0906ffff : arm-smmu-v3.0.auto". */
function smmuAddress(): number {
  const line = readFileSync("/proc/iomem", "latin1").match(/^\s*([0-9a-f]+)-.* : arm-smmu-v3/m);
  if (line === null) throw new Error("/proc/iomem names no SMMU");
  return Number.parseInt(line[1] ?? "", 16);
}

/** PCI's Requester ID: bus, device and function; the machine's IORT gives StreamIDs the same numbers. */
export function streamIDOf(address: string): number {
  const [, bus = "", device = "", fn = ""] = address.split(/[:.]/);
  return Number.parseInt(bus, 16) * 256 + Number.parseInt(device, 16) * 8 + Number.parseInt(fn, 16);
}
