// From SubstreamID to a legal Context Descriptor, or the fault on the way.
// With stage 2 the table and its leaves lie at IPAs; those accesses are stage 2 translations of class CD.
// Source: IHI 0070G.b §3.3.3, §5.3, §3.4.3, §7.3.9 to §7.3.11.

import { CD_BYTES, CD_WORDS } from "../../spec/cd.ts";
import { S1FMT } from "../../spec/encodings.ts";
import { L1CD, L1CD_BYTES } from "../../spec/l1cd.ts";
import { get, getAddress } from "../../spec/layout.ts";
import { ADDRESS_BITS_MAX, alignDown, hi32, joinNumber, low32, pow2 } from "../../spec/u64.ts";
import { checkDecodedCD, type DecodedCD, decodeCD, type StreamWorld } from "./cd.ts";
import type { SmmuCounters } from "./counters.ts";
import type { StageFault } from "./fault.ts";
import type { Features } from "./id-registers.ts";
import type { PhysicalMemory } from "./memory.ts";
import { PERMISSION } from "./permissions.ts";
import type { Stage2, Stage2Config } from "./stage2.ts";
import { type DecodedSTE, effectiveS1CDMax } from "./ste.ts";

export type CdLookup =
  | { readonly kind: "cd"; readonly cd: DecodedCD }
  | { readonly kind: "fault"; readonly fault: StageFault };

/** Which CD, and through what. */
export interface CdRequest {
  readonly ste: DecodedSTE;
  readonly world: StreamWorld;
  /** Stage 2 of the stream; undefined: the pointers are physical. */
  readonly stage2: Stage2Config | undefined;
  /** Below 2^S1CDMax; the caller has checked it. */
  readonly substreamID: number;
}

type Located =
  | { readonly kind: "at"; readonly address: number }
  | { readonly kind: "fault"; readonly fault: StageFault };

/** Fetches, decodes and checks CDs. */
export class ContextTableReader {
  readonly #memory: PhysicalMemory;
  readonly #features: Features;
  readonly #counters: SmmuCounters;
  readonly #stage2: Stage2;
  readonly #words = new Uint32Array(CD_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #l1cd = new Uint32Array(2);

  constructor(memory: PhysicalMemory, features: Features, counters: SmmuCounters, stage2: Stage2) {
    this.#memory = memory;
    this.#features = features;
    this.#counters = counters;
    this.#stage2 = stage2;
  }

  lookup(request: CdRequest): CdLookup {
    const at = this.#locate(request);
    if (at.kind === "fault") return at;
    const translated = this.#translate(request, at.address);
    if (translated.kind === "fault") return translated;
    this.#counters.configStructAccess += 1;
    if (!this.#memory.readBytes(translated.address, this.#bytes)) return fetchFault(translated.address);
    const cd = decodeCD(this.#words);
    if (checkDecodedCD(cd, request, this.#features) !== undefined) return BAD_CD;
    return { kind: "cd", cd };
  }

  /** Address of the CD before stage 2. */
  #locate(request: CdRequest): Located {
    const { ste, substreamID } = request;
    const cdBits = effectiveS1CDMax(ste, this.#features);
    if (cdBits === 0) return { kind: "at", address: ste.S1ContextPtr };
    if (ste.S1Fmt !== S1FMT.L2_4K && ste.S1Fmt !== S1FMT.L2_64K) {
      return { kind: "at", address: inTable(ste.S1ContextPtr, cdBits + 6, substreamID * CD_BYTES) };
    }
    const leafBits = ste.S1Fmt === S1FMT.L2_4K ? 6 : 10;
    const l1Offset = Math.floor(substreamID / pow2(leafBits)) * L1CD_BYTES;
    const l1 = this.#fetchL1CD(request, inTable(ste.S1ContextPtr, Math.max(6, cdBits - leafBits + 3), l1Offset));
    if (l1.kind === "fault") return l1;
    const leaf = alignDown(l1.address, leafBits + 6);
    return { kind: "at", address: leaf + (substreamID % pow2(leafBits)) * CD_BYTES };
  }

  #fetchL1CD(request: CdRequest, address: number): Located {
    const translated = this.#translate(request, address);
    if (translated.kind === "fault") return translated;
    this.#counters.configStructAccess += 1;
    if (!this.#memory.read64(translated.address)) return fetchFault(translated.address);
    this.#l1cd[0] = this.#memory.lo;
    this.#l1cd[1] = this.#memory.hi;
    const l2 = getAddress(this.#l1cd, 0, L1CD.L2Ptr, 12);
    // An IPA beyond what stage 2 translates is left to stage 2, one of the choices of §3.4.3 (4). One that no stage 2 of
    // ours can have, since 56-bit addresses need 128-bit descriptors, is out of range as a physical address is.
    const isReachable = l2 < pow2(request.stage2 === undefined ? this.#features.oasBits : ADDRESS_BITS_MAX);
    if (get(this.#l1cd, 0, L1CD.V) === 0 || !isReachable) return BAD_SUBSTREAMID;
    return { kind: "at", address: l2 };
  }

  #translate(request: CdRequest, address: number): Located {
    if (request.stage2 === undefined) return { kind: "at", address };
    const fault = this.#stage2.translate(
      request.stage2,
      hi32(address),
      low32(address),
      PERMISSION.PRIVILEGED_READ,
      "CD",
    );
    return fault === undefined
      ? { kind: "at", address: joinNumber(this.#stage2.paHi, this.#stage2.paLo) }
      : { kind: "fault", fault };
  }
}

/**
 * Address of an entry in a table of 2^sizeBits bytes. Where software left bits below the size set, the architecture
 * allows any entry of the table; this model counts on from the given address and stays inside. Source: §5.2, S1Fmt.
 */
function inTable(pointer: number, sizeBits: number, offset: number): number {
  const base = alignDown(pointer, sizeBits);
  return base + ((pointer - base + offset) % pow2(sizeBits));
}

type Refusal = { readonly kind: "fault"; readonly fault: StageFault };

const BAD_CD: Refusal = Object.freeze({ kind: "fault", fault: Object.freeze({ type: "C_BAD_CD" }) });
const BAD_SUBSTREAMID: Refusal = Object.freeze({ kind: "fault", fault: Object.freeze({ type: "C_BAD_SUBSTREAMID" }) });

function fetchFault(fetchAddress: number): Refusal {
  return { kind: "fault", fault: { type: "F_CD_FETCH", fetchAddress } };
}
