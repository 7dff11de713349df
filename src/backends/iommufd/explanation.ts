// How an access would be translated, and why a fault happened, without the host's structures: nobody is shown those. The
// guest's tables are read from its memory by pread, its STE is what was bound last, and of stage 2 the address space knows
// what is mapped. A physical address is a guest's in disguise here, and is never shown.
// Source: IHI 0070G.b §5.2; Linux arm_smmu_make_nested_domain_ste.

import { STE_CONFIG } from "../../spec/encodings.ts";
import type { EventName } from "../../spec/events.ts";
import { doublewordsOf, get, getU64, set, setU64, wordsOf } from "../../spec/layout.ts";
import { IDR0 } from "../../spec/registers.ts";
import { STE, STE_WORDS } from "../../spec/ste.ts";
import type { BindPreview } from "../backend.ts";
import type { FaultDiagnosis } from "../diagnosis.ts";
import type { ExplainRequest, Explanation } from "../explanation.ts";
import type { FaultRecord } from "../faults.ts";
import type { HostIommu, IdRegisters } from "../inventory.ts";
import { explain, type MappedPage, type Explanation as Walk } from "../smmuv3/explain.ts";
import type { VSTE } from "../vste.ts";
import { diagnoseFault } from "../walks/diagnosis.ts";
import { notApplicable, type Walker } from "../walks/diagnosis-walk.ts";
import { guestView } from "../walks/explanation.ts";
import type { AddressSpace } from "./address-space.ts";
import type { StalledAccess } from "./fault-queue.ts";

/** What a walk starts from. */
export interface Walked {
  readonly host: HostIommu;
  readonly space: AddressSpace;
  readonly vste: VSTE;
}

/** Guest memory begins here in the addresses of a walk: beyond every IPA, and the STE is at 0. */
const GUEST_BASE = 2 ** 52;
const STE_BYTES = 64;
const PAGE_BYTES = 4096;
const GUEST_FIELDS = [
  ...(["S1Fmt", "S1ContextPtr", "S1CDMax", "S1DSS", "S1CIR", "S1COR", "S1CSH", "S1STALLD", "EATS"] as const),
];
const ENABLED = 1;
/** STRTAB_BASE_CFG 0: a linear table of 2^0 entries (§6.3.25); CR0.SMMUEN is bit 0 (§6.3.9). */
const LINEAR_OF_ONE = 0;
/** The walk's only stream. */
const STREAM = 0;

export function explainAccess(walked: Walked, request: ExplainRequest): Explanation {
  const { registers } = walked.host;
  if (registers === undefined)
    return notCovered(`the ID registers of ${walked.host.id} are not known, or it is no SMMU`);
  return guestView(walkAccess(walked, registers, request));
}

export function diagnoseAccess(walked: Walked, fault: FaultRecord): FaultDiagnosis {
  const { registers } = walked.host;
  if (registers === undefined) return notApplicable(`the ID registers of ${walked.host.id} are not known`);
  const walker: Walker = {
    explain: (access) => walkAccess(walked, registers, access),
    explainTranslationRequest: () => {
      const reason = "the kernel tells nothing of translation requests";
      return { steps: [], response: { kind: "not-covered", reason }, writes: [] };
    },
    physical: (ipa) => GUEST_BASE + ipa,
  };
  return diagnoseFault(walker, STREAM, fault);
}

const STALLING: ReadonlySet<EventName> = new Set(["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"]);

/** Which fault made an access stall, by the tables as they are; F_TRANSLATION where they have changed since. */
export function faultOf(walked: Walked, access: StalledAccess): EventName {
  const { registers } = walked.host;
  if (registers === undefined) return "F_TRANSLATION";
  const { outcome } = walkAccess(walked, registers, access);
  const type = outcome.kind === "ok" || outcome.kind === "not-covered" ? undefined : outcome.fault?.type;
  return type !== undefined && STALLING.has(type) ? type : "F_TRANSLATION";
}

/** The kernel shows nobody a host STE: what is told is what the hardware would say. */
export function previewBind(walked: Walked): BindPreview {
  const { registers } = walked.host;
  if (registers === undefined) return { hostSTE: [], wouldFault: [] };
  const access = { iova: 0n, access: "read", privileged: false, substreamID: undefined } as const;
  const { outcome, refusal } = walkAccess(walked, registers, access);
  if (outcome.kind === "ok" || outcome.kind === "not-covered" || outcome.fault === undefined) {
    return { hostSTE: [], wouldFault: [] };
  }
  const { fault } = outcome;
  const isConfiguration = fault.stage === undefined || fault.class === "CD"; // tables of translation depend on the address
  const reason = refusal?.why ?? "the configuration is not legal";
  return { hostSTE: [], wouldFault: isConfiguration ? [{ eventType: fault.type, reason }] : [] };
}

interface Access {
  readonly iova: bigint;
  readonly substreamID?: number | undefined;
  readonly access: "read" | "write" | "execute";
  readonly privileged: boolean;
}

function walkAccess({ host, space, vste }: Walked, id: IdRegisters, asked: Access): Walk {
  const { access, iova, privileged, substreamID } = asked;
  const ste = hostSTE(vste, id);
  const withID = substreamID === undefined ? {} : { substreamID };
  return explain({
    registers: { strtabBase: 0n, strtabBaseCfg: LINEAR_OF_ONE, cr0: ENABLED, cr2: 0, gbpa: 0 },
    id,
    read64: (pa) => (pa < BigInt(STE_BYTES) ? ste[Number(pa) / 8] : readGuest(space, Number(pa) - GUEST_BASE)),
    mapped: (ipa) => mappedAt(host, space, Number(ipa)),
    transaction: { streamID: STREAM, iova, access, privileged, ...withID },
  });
}

/** The guest's doubleword at an IPA; undefined: no memory, or none that can be read. */
function readGuest(space: AddressSpace, ipa: number): bigint | undefined {
  const mapping = space.find(ipa);
  if (mapping === undefined) return undefined;
  const bytes = new Uint8Array(8);
  if (!mapping.file.read(mapping.offset + ipa - mapping.ipa, bytes)) return undefined;
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

/** The MSI window is there as well: the kernel puts the host's doorbell into it, for devices to write. */
function mappedAt({ reservedRegions }: HostIommu, space: AddressSpace, ipa: number): MappedPage | undefined {
  const pa = BigInt(GUEST_BASE + ipa);
  const pageBytes = BigInt(PAGE_BYTES);
  const mapping = space.find(ipa);
  if (mapping !== undefined) return { pa, pageBytes, readable: mapping.readable, writable: mapping.writable };
  const isMSI = reservedRegions.some(
    ({ bytes, ipa: first, kind }) => kind === "msi" && ipa >= first && ipa < first + bytes,
  );
  return isMSI ? { pa, pageBytes, readable: false, writable: true } : undefined;
}

/** What Linux makes of a guest's STE, without the fields of stage 2: they are the host's, and not looked at. */
function hostSTE({ disposition, dword0, dword1 }: VSTE, { idr0 }: IdRegisters): readonly bigint[] {
  const words = new Uint32Array(STE_WORDS);
  set(words, 0, STE.V, 1);
  if (disposition === "abort") return doublewordsOf(words);
  const guest = wordsOf([dword0, dword1]);
  set(words, 0, STE.Config, disposition === "translate" ? STE_CONFIG.NESTED : STE_CONFIG.S2);
  if (disposition === "translate") {
    for (const name of GUEST_FIELDS) setU64(words, 0, STE[name], getU64(guest, 0, STE[name]));
    set(words, 0, STE.MEV, 1);
  }
  set(words, 0, STE.S2AA64, 1);
  set(words, 0, STE.S2R, 1);
  if (get(Uint32Array.of(idr0), 0, IDR0.ATS) === 0) set(words, 0, STE.EATS, 0);
  return doublewordsOf(words);
}

export function notCovered(reason: string): Explanation {
  return { steps: [], end: { kind: "not-covered", reason }, writes: [] };
}
