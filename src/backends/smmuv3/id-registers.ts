// What this SMMU implements: the identification registers, decoded once into plain flags and sizes.
// Everything that asks "is this supported?" asks Features, never a register.
// Source: IHI 0070G.b §6.3.1 to §6.3.8; IAS and OAS from §3.4.

import { ADDRESS_SIZE_BITS } from "../../spec/encodings.ts";
import { type Field, get } from "../../spec/layout.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../../spec/registers.ts";
import { ADDRESS_BITS_MAX } from "../../spec/u64.ts";

/** Raw 32-bit values of the identification registers. */
export interface IdRegisters {
  readonly idr0: number;
  readonly idr1: number;
  readonly idr2: number;
  readonly idr3: number;
  readonly idr4: number;
  readonly idr5: number;
  readonly idr6: number;
  readonly iidr: number;
  readonly aidr: number;
}

/** The identification registers in words the rest of the model uses. */
export interface Features {
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly aarch32: boolean;
  readonly aarch64: boolean;
  /** 0 none, 1 Access flag, 2 and dirty state, 3 and Access flag in Table descriptors. */
  readonly httu: number;
  readonly btm: boolean;
  readonly hyp: boolean;
  readonly ats: boolean;
  /** Split-stage ATS is *not* supported. */
  readonly ns1ats: boolean;
  /** CR2.REC_CFG_ATS exists. */
  readonly atsRecErr: boolean;
  /** Page requests: needs ATS. */
  readonly pri: boolean;
  /** Automatic responses to page requests have the PASID of the request, whatever STE.PPAR says. */
  readonly pps: boolean;
  /** Translated transactions may have a PASID. */
  readonly pasidtt: boolean;
  readonly asid16: boolean;
  readonly vmid16: boolean;
  readonly vmw: boolean;
  readonly sev: boolean;
  readonly msi: boolean;
  readonly cd2l: boolean;
  readonly ttendian: number;
  readonly stallModel: number;
  readonly termModel: number;
  readonly twoLevelStreamTable: boolean;
  readonly sidBits: number;
  readonly ssidBits: number;
  readonly cmdqBitsMax: number;
  readonly eventqBitsMax: number;
  readonly priqBitsMax: number;
  readonly attrPermsOverride: boolean;
  readonly attrTypesOverride: boolean;
  readonly had: boolean;
  readonly xnx: boolean;
  readonly fwb: boolean;
  readonly mtePerm: boolean;
  readonly stt: boolean;
  readonly ril: boolean;
  readonly e0pd: boolean;
  readonly epan: boolean;
  readonly ptwnnc: boolean;
  readonly dpt: boolean;
  readonly s2po: boolean;
  readonly ds: boolean;
  /** Output address size in bits, at most 52: 56 needs D128, which the model does not have. */
  readonly oasBits: number;
  /** Intermediate address size in bits. */
  readonly iasBits: number;
  readonly vaBits52: boolean;
  readonly granules: ReadonlySet<number>;
  readonly stallMax: number;
  readonly pbha: boolean;
  readonly mpam: boolean;
}

const cache = new WeakMap<IdRegisters, Features>();

/** Decodes identification registers; the same object gives the same Features. */
export function featuresOf(id: IdRegisters): Features {
  const known = cache.get(id);
  if (known !== undefined) return known;
  const made = Object.freeze(decode(id));
  cache.set(id, made);
  return made;
}

function decode(id: IdRegisters): Features {
  const words = Uint32Array.of(id.idr0, id.idr1, id.idr3, id.idr5);
  const idr0 = (field: Field): number => get(words, 0, field);
  const idr1 = (field: Field): number => get(words, 1, field);
  const idr3 = (field: Field): number => get(words, 2, field);
  const idr5 = (field: Field): number => get(words, 3, field);
  const aarch32 = idr0(IDR0.TTF) % 2 === 1;
  const aarch64 = idr0(IDR0.TTF) >= 2;
  const oasBits = Math.min(ADDRESS_SIZE_BITS[idr5(IDR5.OAS)] ?? 32, ADDRESS_BITS_MAX);
  const granules = new Set<number>();
  if (idr5(IDR5.GRAN4K) === 1) granules.add(12);
  if (idr5(IDR5.GRAN16K) === 1) granules.add(14);
  if (idr5(IDR5.GRAN64K) === 1) granules.add(16);
  return {
    stage1: idr0(IDR0.S1P) === 1,
    stage2: idr0(IDR0.S2P) === 1,
    aarch32,
    aarch64,
    httu: idr0(IDR0.HTTU),
    btm: idr0(IDR0.BTM) === 1,
    hyp: idr0(IDR0.Hyp) === 1,
    ats: idr0(IDR0.ATS) === 1,
    ns1ats: idr0(IDR0.NS1ATS) === 1,
    atsRecErr: idr0(IDR0.ATS) === 1 && idr0(IDR0.ATSRECERR) === 1,
    pri: idr0(IDR0.PRI) === 1,
    pps: idr3(IDR3.PPS) === 1,
    pasidtt: idr3(IDR3.PASIDTT) === 1,
    asid16: idr0(IDR0.ASID16) === 1,
    vmid16: idr0(IDR0.VMID16) === 1,
    vmw: idr0(IDR0.VMW) === 1,
    sev: idr0(IDR0.SEV) === 1,
    msi: idr0(IDR0.MSI) === 1,
    cd2l: idr0(IDR0.CD2L) === 1,
    ttendian: idr0(IDR0.TTENDIAN),
    stallModel: idr0(IDR0.STALL_MODEL),
    termModel: idr0(IDR0.TERM_MODEL),
    twoLevelStreamTable: idr0(IDR0.ST_LEVEL) !== 0,
    sidBits: Math.min(idr1(IDR1.SIDSIZE), 32),
    ssidBits: Math.min(idr1(IDR1.SSIDSIZE), 20),
    cmdqBitsMax: Math.min(idr1(IDR1.CMDQS), 19),
    eventqBitsMax: Math.min(idr1(IDR1.EVENTQS), 19),
    priqBitsMax: Math.min(idr1(IDR1.PRIQS), 19),
    attrPermsOverride: idr1(IDR1.ATTR_PERMS_OVR) === 1,
    attrTypesOverride: idr1(IDR1.ATTR_TYPES_OVR) === 1,
    had: idr3(IDR3.HAD) === 1,
    xnx: idr3(IDR3.XNX) === 1,
    fwb: idr3(IDR3.FWB) === 1,
    mtePerm: idr3(IDR3.MTEPERM) === 1,
    stt: idr3(IDR3.STT) === 1,
    ril: idr3(IDR3.RIL) === 1,
    e0pd: idr3(IDR3.E0PD) === 1,
    epan: idr3(IDR3.EPAN) === 1,
    ptwnnc: idr3(IDR3.PTWNNC) === 1,
    dpt: idr3(IDR3.DPT) === 1,
    s2po: idr3(IDR3.S2PO) === 1,
    ds: idr5(IDR5.DS) === 1,
    oasBits,
    iasBits: aarch32 ? Math.max(40, aarch64 ? oasBits : 0) : oasBits,
    vaBits52: idr5(IDR5.VAX) >= 1,
    granules,
    stallMax: idr5(IDR5.STALL_MAX),
    pbha: idr3(IDR3.PBHA) === 1,
    mpam: idr3(IDR3.MPAM) === 1,
  };
}
