// Raw structures for the Simulator service: what stands in memory and registers, read as the host could.

import { CD_BYTES } from "../../spec/cd.ts";
import { S1FMT, STE_CONFIG } from "../../spec/encodings.ts";
import { L1CD } from "../../spec/l1cd.ts";
import { doublewordsOf, get, wordsOf } from "../../spec/layout.ts";
import { REGISTER } from "../../spec/registers.ts";
import type { RawStructures } from "../simulator-control.ts";
import type { MemoryMap } from "../smmuv3/memory.ts";
import { type DecodedSTE, decodeSTE, effectiveS1CDMax } from "../smmuv3/ste.ts";
import type { FileWindows } from "./file-windows.ts";
import type { Ioas } from "./objects.ts";
import type { SmmuDriver } from "./smmu-driver.ts";

const WIDE: ReadonlySet<string> = new Set(["STRTAB_BASE", "CMDQ_BASE", "EVENTQ_BASE", "PRIQ_BASE"]);

export function readStructures(of: {
  driver: SmmuDriver;
  memory: MemoryMap;
  windows: FileWindows;
  ioas: Ioas | undefined;
  streamID: number;
  substreamID: number;
}): RawStructures {
  const ste = of.driver.readSTE(of.streamID);
  return {
    streamID: of.streamID,
    ste,
    cd: readCD(of, decodeSTE(wordsOf(ste))),
    registers: Object.entries(REGISTER).map(([name, offset]) => {
      const value = WIDE.has(name) ? of.driver.smmu.read64(offset) : BigInt(of.driver.smmu.read32(offset));
      return { name, offset, value };
    }),
    windows: [...(of.ioas?.bases() ?? [])].map((base) => {
      const { bytes, file } = of.windows.at(base);
      return { path: file.path, pa: base, bytes };
    }),
  };
}

/** The context descriptor behind a nested STE, its pointers taken through the guest's mappings. Empty: none there. */
export function readCD(
  of: { driver: SmmuDriver; memory: MemoryMap; ioas: Ioas | undefined; substreamID: number },
  ste: DecodedSTE,
): bigint[] {
  if (ste.V === 0 || ste.Config !== STE_CONFIG.NESTED || !of.ioas) return [];
  const count = 2 ** effectiveS1CDMax(ste, of.driver.features);
  if (of.substreamID >= count) return [];
  const leafBits = ste.S1Fmt === S1FMT.L2_4K ? 6 : 10;
  const isTwoLevel = count > 1 && (ste.S1Fmt === S1FMT.L2_4K || ste.S1Fmt === S1FMT.L2_64K);
  if (!isTwoLevel) return readDoublewords(of, ste.S1ContextPtr + of.substreamID * CD_BYTES, 8);
  const [entry] = readDoublewords(of, ste.S1ContextPtr + Math.floor(of.substreamID / 2 ** leafBits) * 8, 1);
  if (entry === undefined) return [];
  const words = wordsOf([entry]);
  if (get(words, 0, L1CD.V) === 0) return [];
  const leaf = get(words, 0, L1CD.L2Ptr) * 4096;
  return readDoublewords(of, leaf + (of.substreamID % 2 ** leafBits) * CD_BYTES, 8);
}

function readDoublewords(of: { memory: MemoryMap; ioas: Ioas | undefined }, ipa: number, count: number): bigint[] {
  const pa = of.ioas?.physical(ipa);
  const bytes = new Uint8Array(8 * count);
  if (pa === undefined || !of.memory.readBytes(pa, bytes)) return [];
  return doublewordsOf(new Uint32Array(bytes.buffer));
}
