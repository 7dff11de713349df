// What a transaction asks for once its stream's configuration has bent it: privilege, instruction or data, and the
// permission that it needs.
// Source: IHI 0070G.b §5.2 (PRIVCFG, INSTCFG).

import { INSTCFG, PRIVCFG } from "../../spec/encodings.ts";
import type { Features } from "./id-registers.ts";
import { PERMISSION } from "./permissions.ts";
import type { DecodedSTE } from "./ste.ts";
import type { Access } from "./transaction.ts";
import type { Request } from "./verdict.ts";

const ACCESSES: readonly Access[] = ["read", "write", "execute"];

/** The access after STE.PRIVCFG and INSTCFG. */
export interface EffectiveAccess {
  readonly privileged: boolean;
  readonly instruction: boolean;
  readonly read: boolean;
  readonly need: number;
}

/** Source: §5.2 (PRIVCFG, INSTCFG): a write is data whatever is configured. */
export function effectiveAccess(
  tx: Pick<Request, "access" | "privileged">,
  ste: DecodedSTE,
  features: Features,
): EffectiveAccess {
  const priv = features.attrPermsOverride ? ste.PRIVCFG : 0;
  const inst = features.attrPermsOverride ? ste.INSTCFG : 0;
  const privileged = priv === PRIVCFG.PRIVILEGED || (tx.privileged && priv !== PRIVCFG.UNPRIVILEGED);
  const read = tx.access !== "write";
  const asked = tx.access === "execute";
  const instruction = read && (inst === INSTCFG.INSTRUCTION || (asked && inst !== INSTCFG.DATA));
  const below = instruction
    ? PERMISSION.UNPRIVILEGED_EXECUTE
    : read
      ? PERMISSION.UNPRIVILEGED_READ
      : PERMISSION.UNPRIVILEGED_WRITE;
  return { privileged, instruction, read, need: privileged ? below * 8 : below };
}

/** What each access needs, at the place that accessIndex() of fast-path.ts gives it. */
export function needsOf(ste: DecodedSTE, features: Features): readonly number[] {
  const asks = [false, true].flatMap((privileged) => ACCESSES.map((access) => ({ access, privileged })));
  return asks.map((asked) => effectiveAccess(asked, ste, features).need);
}
