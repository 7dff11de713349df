// Whether a context descriptor is legal, and which rule it breaks otherwise.
// Source: IHI 0070G.b §5.4.1.

import type { CD } from "../../../spec/cd.ts";
import { hex } from "../../../spec/u64.ts";
import { pow2 } from "./bits.ts";
import { type CdReader, type Half, halfOf, isContextDS, stage1OutputBits } from "./context-entry.ts";
import { type Implementation, isEndianSupported } from "./implementation.ts";
import { type Broken, broken, field, type RefusedField } from "./refusal.ts";
import type { SteReader, StreamWorld } from "./stream-entry.ts";

/** What a CD is judged by. */
interface Judged {
  readonly cd: CdReader;
  readonly ste: SteReader;
  readonly implementation: Implementation;
  readonly world: StreamWorld;
}

/** Why the CD is illegal (C_BAD_CD), or undefined. Source: §5.4.1. */
export function illegalCd(
  cd: CdReader,
  ste: SteReader,
  implementation: Implementation,
  world: StreamWorld,
): Broken | undefined {
  if (cd("V") === 0n) return broken("CD_NOT_VALID", "CD.V is 0", field("CD.V", 0));
  const judged = { cd, ste, implementation, world };
  const why = illegalModel(judged) ?? illegalFormat(judged) ?? illegalUpdates(judged) ?? illegalASID(judged);
  if (why !== undefined || cd("AA64") === 0n) return why;
  const halves = (world === "EL2" ? ([0] as const) : ([0, 1] as const)).map((which) =>
    halfOf(cd, implementation, world, which),
  );
  const enabled = halves.filter((half) => !half.isDisabled);
  if (enabled.length === 0) return undefined;
  if (!isEndianSupported(implementation, cd("ENDI") === 1n)) {
    const ttendian = implementation.idr0("TTENDIAN");
    const order = ttendian === 2 ? "little-endian" : "big-endian";
    const why = `CD.ENDI is ${cd("ENDI")}, and IDR0.TTENDIAN ${ttendian} has ${order} tables only`;
    return broken("CD_ENDIAN", why, field("CD.ENDI", cd("ENDI")), field("IDR0.TTENDIAN", ttendian));
  }
  return enabled.map((half) => illegalHalf(half, cd, implementation)).find((each) => each !== undefined);
}

function of(cd: CdReader, name: keyof typeof CD): RefusedField {
  return field(`CD.${name}`, cd(name));
}

/** STE.S1STALLD is no field here: the host may have set it. */
function illegalModel({ cd, implementation, ste }: Judged): Broken | undefined {
  const stallModel = implementation.idr0("STALL_MODEL");
  const model = field("IDR0.STALL_MODEL", stallModel);
  const stalls = of(cd, "S");
  if (cd("S") === 1n && ste("S1STALLD") === 1n) {
    return broken("CD_STALL", "CD.S is 1, and this stream's accesses do not stall", stalls);
  }
  if (cd("S") === 1n && stallModel === 1) {
    return broken("CD_STALL", "CD.S is 1, and IDR0.STALL_MODEL is 1: nothing stalls", stalls, model);
  }
  if (cd("S") === 0n && stallModel === 2) {
    return broken("CD_STALL_FORCED", "CD.S is 0, and IDR0.STALL_MODEL is 2: everything stalls", stalls, model);
  }
  if (cd("A") === 1n || implementation.idr0("TERM_MODEL") === 0) return undefined;
  const why = "CD.A is 0, and IDR0.TERM_MODEL is 1: what is terminated aborts";
  return broken("CD_ABORT_FORCED", why, of(cd, "A"), field("IDR0.TERM_MODEL", 1));
}

/** Above a VMSAv8-32 stage 2 AA64=1 is illegal too: no CD is looked at there, as explain.ts does not cover it. */
function illegalFormat({ cd, implementation }: Judged): Broken | undefined {
  const ttf = implementation.idr0("TTF");
  const isAA64 = cd("AA64") === 1n;
  if (isAA64 ? ttf >= 2 : ttf % 2 === 1) return undefined;
  const why = `CD.AA64 is ${cd("AA64")}, and IDR0.TTF ${ttf} does not offer that format`;
  return broken("CD_FORMAT", why, of(cd, "AA64"), field("IDR0.TTF", ttf));
}

function illegalUpdates({ cd, implementation }: Judged): Broken | undefined {
  const httu = implementation.idr0("HTTU");
  const offered = field("IDR0.HTTU", httu);
  if (httu === 0 && (cd("HA") === 1n || cd("HD") === 1n)) {
    const why = `CD.HA is ${cd("HA")} and CD.HD ${cd("HD")}, and IDR0.HTTU is 0`;
    return broken("CD_ACCESS_FLAG", why, of(cd, "HA"), of(cd, "HD"), offered);
  }
  if (httu === 1 && cd("HD") === 1n) {
    return broken("CD_DIRTY_STATE", "CD.HD is 1, and IDR0.HTTU 1 has no dirty state", of(cd, "HD"), offered);
  }
  if (httu !== 3 || cd("HAFT") === 0n || cd("HA") === 1n) return undefined;
  return broken("CD_TABLE_ACCESS_FLAG", "CD.HAFT is 1, and CD.HA is 0", of(cd, "HAFT"), of(cd, "HA"), offered);
}

function illegalASID({ cd, implementation, world }: Judged): Broken | undefined {
  if (world === "EL2" || cd("ASID") < 256n || implementation.idr0("ASID16") === 1) return undefined;
  const why = `CD.ASID ${hex(cd("ASID"))} needs 16 bits, and IDR0.ASID16 is 0`;
  return broken("CD_ASID_SIZE", why, of(cd, "ASID"), field("IDR0.ASID16", 0));
}

function illegalHalf(half: Half, cd: CdReader, implementation: Implementation): Broken | undefined {
  const { index, pageBits, tsz, ttb } = half;
  const granule = of(cd, index === 0 ? "TG0" : "TG1");
  if (!implementation.hasGranule(pageBits)) {
    const what = pageBits === 0 ? "reserved" : `${2 ** (pageBits - 10)} KiB, which IDR5 does not offer`;
    return broken("CD_GRANULE", `${granule.name} is ${granule.value}: ${what}`, granule);
  }
  const is64K = pageBits === 16;
  const min = implementation.va52 && (is64K || isContextDS(cd, implementation)) ? 12 : 16;
  const max = implementation.idr3("STT") ? (is64K ? 47 : 48) : 39;
  if (tsz < min || tsz > max) {
    const why = `CD.T${index}SZ ${tsz} is outside ${min} to ${max}`;
    return broken("CD_INPUT_SIZE", why, field(`CD.T${index}SZ`, tsz), granule);
  }
  const outputBits = stage1OutputBits(cd, implementation, pageBits);
  if (ttb < pow2(outputBits)) return undefined;
  const why = `CD.TTB${index} ${hex(ttb)} has more than the ${outputBits} bits that addresses have here`;
  return broken("CD_TABLE_ADDRESS", why, field(`CD.TTB${index}`, ttb), of(cd, "IPS"));
}
