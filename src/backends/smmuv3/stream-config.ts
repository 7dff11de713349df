// An STE that is legal, put into the terms of a translation: which stages, which regime, whose TLB entries.
// Source: IHI 0070G.b §5.2 (Config, STRW, S2VMID, S1CDMax).

import { STRW } from "../../spec/encodings.ts";
import type { StreamWorld } from "./cd.ts";
import type { StreamConfig } from "./config-cache.ts";
import { needsOf } from "./effective-access.ts";
import type { Features } from "./id-registers.ts";
import { stage2Config } from "./stage2.ts";
import { type DecodedSTE, effectiveS1CDMax, passes, translatesStage1, translatesStage2, usesSTRW } from "./ste.ts";

export function streamConfig(ste: DecodedSTE, features: Features, e2h: boolean): StreamConfig {
  const world = streamWorld(ste, features, e2h);
  const vmid = features.stage2 && world === "EL1" ? ste.S2VMID : 0;
  return Object.freeze({
    ste,
    passes: passes(ste),
    hasStage1: translatesStage1(ste),
    stage2: translatesStage2(ste) ? stage2Config(ste, vmid, features) : undefined,
    world,
    vmid,
    cdBits: effectiveS1CDMax(ste, features),
    needs: needsOf(ste, features),
    override: features.attrTypesOverride ? ste : undefined,
    contexts: new Map(),
  });
}

/** STRW and E2H choose the regime of a stage-1-only stream. Source: §5.2, STRW. */
function streamWorld(ste: DecodedSTE, features: Features, e2h: boolean): StreamWorld {
  if (!usesSTRW(ste, features) || ste.STRW !== STRW.EL2) return "EL1";
  return e2h ? "EL2-E2H" : "EL2";
}
