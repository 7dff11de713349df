// What the emulated SMMUv3 cannot show. The fields are those of IHI 0070 §6.3.1, §6.3.2 and §6.3.4.

import type { GuestMachine, UnreachableCase } from "../kernel-case.ts";
import { contractLeftOut } from "./contract.ts";

function field({ idr }: GuestMachine, register: number, [msb, lsb]: readonly [number, number]): number {
  return Math.floor((idr[register] ?? 0) / 2 ** lsb) % 2 ** (msb - lsb + 1);
}

export const unreachable: readonly UnreachableCase[] = [
  {
    name: "a stalled transaction waits for its answer",
    capability: "IDR0.STALL_MODEL 0b00 or 0b10",
    isThere: (machine) => field(machine, 0, [25, 24]) !== 1,
  },
  {
    name: "a page request is answered through the fault queue",
    capability: "IDR0.PRI",
    isThere: (machine) => field(machine, 0, [16, 16]) === 1,
  },
  {
    name: "CMD_ATC_INV empties a device's ATC",
    capability: "IDR0.ATS",
    isThere: (machine) => field(machine, 0, [10, 10]) === 1,
  },
  {
    name: "a SubstreamID leads to its own CD",
    capability: "IDR1.SSIDSIZE",
    isThere: (machine) => field(machine, 1, [10, 6]) !== 0,
  },
  {
    name: "the Access flag is set by hardware",
    capability: "IDR0.HTTU",
    isThere: (machine) => field(machine, 0, [7, 6]) !== 0,
  },
  {
    name: "stage 2 forces Write-Back",
    capability: "IDR3.FWB",
    isThere: (machine) => field(machine, 3, [8, 8]) === 1,
  },
  ...contractLeftOut,
];
