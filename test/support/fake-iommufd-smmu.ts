// What the drivers of the fake iommufd check by themselves: a guest's STE, a guest's commands, VT-d's first-level data.
// Source: reference of the uAPI §5.1, §5.2 and §5.5.

import * as uapi from "../../src/backends/iommufd/structs.ts";
import { Refusal, refuseIf } from "./fake-iommufd-refusal.ts";
import type { FakeContext, FakeIommu } from "./fake-iommufd-rules.ts";

/** V, Config, S1Fmt, S1ContextPtr, S1CDMax; then S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS (SMMUv3 §5.2). */
const ALLOWED0 = 0xf80f_ffff_ffff_ffffn;
const ALLOWED1 = 0x0000_0000_3800_00ffn;

const STAGE1 = 5n;
/** Abort, bypass, stage 1. */
const CONFIGS = [0n, 4n, STAGE1];

export function nestedOf(
  context: FakeContext,
  iommu: FakeIommu,
  on: number,
  data: { readonly type: number; readonly bytes: Uint8Array },
) {
  const parent = context.objects.get(on);
  if (parent?.kind === "viommu") {
    refuseIf(parent.iommu !== iommu, "EINVAL");
    refuseIf(data.type !== uapi.HWPT_DATA.ARM_SMMUV3 || data.bytes.byteLength !== 16, "EINVAL");
    return { kind: "nested", on, iommu, data: data.bytes, needsVdevice: checkSTE(data.bytes) } as const;
  }
  if (parent?.kind !== "paging") throw new Refusal("EINVAL");
  refuseIf(iommu.kind !== "vtd" || !iommu.nesting || !parent.nestParent, "EOPNOTSUPP");
  refuseIf(data.type !== uapi.HWPT_DATA.VTD_S1 || data.bytes.byteLength !== 24, "EINVAL");
  return { kind: "nested", on, iommu, data: data.bytes, needsVdevice: false } as const;
}

/** @returns that it translates with a guest's table, which needs a vDEVICE */
function checkSTE(ste: Uint8Array): boolean {
  const view = new DataView(ste.buffer, ste.byteOffset, 16);
  const [dword0, dword1] = [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  if (dword0 % 2n === 0n) return false; // V = 0: nothing else is looked at
  refuseIf((dword0 | ALLOWED0) !== ALLOWED0 || (dword1 | ALLOWED1) !== ALLOWED1, "EIO");
  const config = (dword0 >> 1n) & 7n;
  const eats = (dword1 >> 28n) & 3n;
  refuseIf(!CONFIGS.includes(config) || eats > 1n, "EIO");
  return config === STAGE1;
}

/** TLBI_NH_ALL, NH_ASID, NH_VA, NH_VAA, NSNH_ALL. */
const TLB_OPCODES = [0x10, 0x11, 0x12, 0x13, 0x30];
/** CFGI_CD, CFGI_CD_ALL, which name a StreamID; ATC_INV does too, but the fake's SMMU has no ATS. */
const STREAM_OPCODES = [0x05, 0x06];

interface Handled {
  readonly handled: number;
  readonly refusal?: Refusal;
}

export function invalidate(
  context: FakeContext,
  asked: {
    readonly hwpt_id: number;
    readonly data_type: number;
    readonly entry_len: number;
    readonly entry_num: number;
  },
  entries: Uint8Array,
  take: (entry: Uint8Array) => void,
): Handled {
  const early = (errno: ConstructorParameters<typeof Refusal>[0]): Handled => ({
    handled: 0,
    refusal: new Refusal(errno),
  });
  const { hwpt_id, data_type, entry_len, entry_num } = asked;
  if (entry_num > 0 && (entry_len === 0 || entry_len > 4096 || entry_num > 2 ** 19)) return early("EINVAL");
  const target = context.objects.get(hwpt_id);
  if (target === undefined) return early("ENOENT");
  const isVtd = target.kind === "nested" && target.iommu.kind === "vtd";
  if (target.kind === "nested" && !isVtd) return early("EOPNOTSUPP");
  if (target.kind !== "viommu" && !isVtd) return early("EINVAL");
  if (data_type !== (isVtd ? uapi.INVALIDATE_DATA.VTD_S1 : uapi.INVALIDATE_DATA.ARM_SMMUV3)) return early("EINVAL");
  if (entry_num === 0 || entry_len < (isVtd ? 24 : 16)) return early("EINVAL");
  for (let at = 0; at < entry_num; at++) {
    const entry = entries.slice(at * entry_len, (at + 1) * entry_len);
    if (!isVtd && !isTaken(context, hwpt_id, entry)) return { handled: at, refusal: new Refusal("EIO") };
    take(entry);
  }
  return { handled: entry_num };
}

function isTaken(context: FakeContext, viommu: number, entry: Uint8Array): boolean {
  const opcode = entry[0] ?? 0;
  if (TLB_OPCODES.includes(opcode)) return true;
  const stream = new DataView(entry.buffer, entry.byteOffset).getUint32(4, true);
  return STREAM_OPCODES.includes(opcode) && context.vdeviceNamed(viommu, BigInt(stream)) !== undefined;
}
