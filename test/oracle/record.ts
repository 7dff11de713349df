// An Event record assembled by hand from an explanation, to compare with the 32 bytes the model writes.
// Positions are those of the manual's record figures, written out here a second time on purpose.
// Source: IHI 0070G.b §7.3.

import type { Fault } from "../../src/backends/smmuv3/smmu.ts";

const NUMBER: Readonly<Record<string, bigint>> = {
  C_BAD_STREAMID: 0x02n,
  F_STE_FETCH: 0x03n,
  C_BAD_STE: 0x04n,
  F_BAD_ATS_TREQ: 0x05n,
  F_STREAM_DISABLED: 0x06n,
  F_TRANSL_FORBIDDEN: 0x07n,
  C_BAD_SUBSTREAMID: 0x08n,
  F_CD_FETCH: 0x09n,
  C_BAD_CD: 0x0an,
  F_WALK_EABT: 0x0bn,
  F_TRANSLATION: 0x10n,
  F_ADDR_SIZE: 0x11n,
  F_ACCESS: 0x12n,
  F_PERMISSION: 0x13n,
};

/** The record as hexadecimal text, byte 0 first. */
export function recordOf(fault: Fault, stag?: number): string {
  const number = NUMBER[fault.type];
  if (number === undefined) throw new Error(`no record is known for ${fault.type}`);
  let record = number;
  const put = (value: bigint | number, lsb: number): void => {
    record |= BigInt(value) << BigInt(lsb);
  };
  put(fault.streamID, 32);
  if (fault.type !== "F_STREAM_DISABLED" && fault.substreamID !== undefined) {
    put(fault.substreamID, 12);
    if (fault.type !== "C_BAD_SUBSTREAMID") put(1, 11);
  }
  if (stag !== undefined) {
    put(stag, 64);
    put(1, 95);
  }
  if (fault.asked !== undefined) {
    put(fault.asked.privileged ? 1 : 0, 97);
    put(fault.asked.execute ? 1 : 0, 98);
    put(1, 99);
    put(fault.asked.write ? 1 : 0, 100);
    put(1, 108);
  }
  if (fault.privileged === true) put(1, 97);
  if (fault.instruction === true) put(1, 98);
  if (fault.read === true) put(1, 99);
  if (fault.stage === 2) put(1, 103);
  if (fault.class !== undefined) put({ CD: 0, TTD: 1, IN: 2 }[fault.class], 104);
  if (fault.tableRead === true) put(1, 108);
  if (fault.inputAddr !== undefined)
    put(fault.asked === undefined ? fault.inputAddr : fault.inputAddr - (fault.inputAddr % 4096n), 128);
  if (fault.fetchAddress !== undefined) put((BigInt(fault.fetchAddress) >> 3n) << 3n, 192);
  else if (fault.ipa !== undefined && fault.stage === 2) put((BigInt(fault.ipa) >> 12n) << 12n, 192);
  return Buffer.from(record.toString(16).padStart(64, "0"), "hex").reverse().toString("hex");
}
