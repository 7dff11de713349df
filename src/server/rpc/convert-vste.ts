// BindGuestStage's config to a guest's stage 1: an STE, raw or by fields, checked here, or a bare page table, which only core
// can check: it knows the IOMMU.
// backends/vste.ts names what it refuses by the STE's field; here that becomes the path of the request's field.

import { BrokerError, invalidField } from "../../backends/errors.ts";
import type { PageTable } from "../../backends/page-table.ts";
import { ABORT_VSTE, BYPASS_VSTE, checkVSTE, encodeVSTE, type VSTE } from "../../backends/vste.ts";
import { STE } from "../../spec/ste.ts";
import type { GuestStage } from "../core/stage-verbs.ts";
import { iommubroker } from "./codec.ts";
import { refuseViolations } from "./field.ts";
import { bigintOf } from "./int64.ts";

const Stage1Mode = iommubroker.v1.Stage1Mode;

const FIELD_PATHS = new Map([
  ["S1ContextPtr", "s1_context_ptr"],
  ["S1Fmt", "s1_fmt"],
  ["S1CDMax", "s1_cd_max"],
  ["S1DSS", "s1_dss"],
  ["S1CIR", "s1_cir"],
  ["S1COR", "s1_cor"],
  ["S1CSH", "s1_csh"],
  ["S1STALLD", "s1_stalld"],
  ["EATS", "eats"],
]);
const FIRST_BIT_OF_DOUBLEWORD1 = 64;

/** @throws BrokerError vste_invalid or argument_invalid with field paths */
export function parseGuestStage(request: iommubroker.v1.BindGuestStageRequest, prefix: string): GuestStage {
  if (request.raw) return { vste: parseRaw(request.raw, prefix) };
  if (request.fields) return { vste: parseFields(request.fields, prefix) };
  if (request.pageTable) return { pageTable: pageTableOf(request.pageTable) };
  throw invalidField(`${prefix}config`, "must be one of raw, fields, page_table");
}

function pageTableOf({ addressBits, eafe, root, sre, wpe }: iommubroker.v1.ISinglePageTable): PageTable {
  const flags = { sre: sre ?? false, eafe: eafe ?? false, wpe: wpe ?? false };
  return { root: bigintOf(root ?? 0), addressBits: addressBits ?? 0, ...flags };
}

function parseRaw(raw: iommubroker.v1.RawSte, prefix: string): VSTE {
  return renamed(
    (name) => `${prefix}raw.${doublewordOf(name)}`,
    () => checkVSTE(bigintOf(raw.doubleword0), bigintOf(raw.doubleword1)),
  );
}

function parseFields(fields: iommubroker.v1.Smmuv3Stage1, prefix: string): VSTE {
  const path = `${prefix}fields`;
  switch (fields.mode) {
    case Stage1Mode.STAGE1_MODE_TRANSLATE:
      return translating(fields, path);
    case Stage1Mode.STAGE1_MODE_BYPASS:
      refuseTableFields(fields, path, "STAGE1_MODE_BYPASS");
      return BYPASS_VSTE;
    case Stage1Mode.STAGE1_MODE_ABORT:
      refuseTableFields(fields, path, "STAGE1_MODE_ABORT");
      return ABORT_VSTE;
    default:
      throw invalidField(
        `${path}.mode`,
        `must be STAGE1_MODE_TRANSLATE, STAGE1_MODE_BYPASS or STAGE1_MODE_ABORT, is ${fields.mode}`,
      );
  }
}

function translating(fields: iommubroker.v1.Smmuv3Stage1, path: string): VSTE {
  const table = tableFields(fields);
  return renamed(
    (name) => `${path}.${FIELD_PATHS.get(name) ?? name}`,
    () => encodeVSTE({ ...table, S1STALLD: fields.s1Stalld }),
  );
}

function tableFields(fields: iommubroker.v1.Smmuv3Stage1) {
  return {
    S1ContextPtr: bigintOf(fields.s1ContextPtr),
    S1Fmt: fields.s1Fmt,
    S1CDMax: fields.s1CdMax,
    S1DSS: fields.s1Dss,
    S1CIR: fields.s1Cir,
    S1COR: fields.s1Cor,
    S1CSH: fields.s1Csh,
    EATS: fields.eats,
  };
}

function refuseTableFields(fields: iommubroker.v1.Smmuv3Stage1, path: string, mode: string): void {
  const set = Object.entries({ ...tableFields(fields), S1STALLD: fields.s1Stalld });
  refuseViolations(
    set
      .filter(([, value]) => Boolean(value))
      .map(([name]) => ({ path: `${path}.${FIELD_PATHS.get(name) ?? name}`, description: `must be 0 with ${mode}` })),
  );
}

/** Which doubleword a refused STE field stands in; vste.ts writes "bit 77" for bits that no field has. */
function doublewordOf(name: string): string {
  const bit = Number(/^bit (\d+)$/.exec(name)?.[1] ?? lsbOf(name));
  return bit < FIRST_BIT_OF_DOUBLEWORD1 ? "doubleword0" : "doubleword1";
}

function lsbOf(name: string): number {
  const bare = name.replace(/\[.*$/, "");
  return Object.values(STE).find((field) => field.name === bare)?.lsb ?? 0;
}

function renamed(pathOf: (name: string) => string, check: () => VSTE): VSTE {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const fields = error.fields.map(({ path, description }) => ({ path: pathOf(path), description }));
    throw new BrokerError(error.code, error.message, error.facts, { cause: error, fields });
  }
}
