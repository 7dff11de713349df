// A guest's stage 1 as one bare page table, which is what VT-d's first stage takes; an SMMUv3 takes an STE (vste.ts). What a
// host IOMMU asks of one, and whether a given one is like that.
// Source: Intel VT-d architecture specification, revision 4.1, §3.6, §9.6 (scalable-mode PASID table entry); Linux
// include/uapi/linux/iommufd.h (iommu_hwpt_vtd_s1).

import { hex } from "../spec/u64.ts";
import { BrokerError, type FieldViolation } from "./errors.ts";
import type { HostIommu } from "./inventory.ts";

/** A guest's table by its root, without PASIDs. */
export interface PageTable {
  /** Guest physical address, 0 … 2^64 - 1 before it is checked. */
  readonly root: bigint;
  /** Bits of input address: 48 with four levels, 57 with five. */
  readonly addressBits: number;
  /** Supervisor requests are served (SRE). */
  readonly sre: boolean;
  /** Extended accessed flags are kept (EAFE). */
  readonly eafe: boolean;
  /** Supervisors' writes, too, need the entry's R/W (WPE). */
  readonly wpe: boolean;
}

/** What a host IOMMU asks of a guest's table. */
export interface PageTableForm {
  readonly addressBits: readonly number[];
  /** Where the root may be: below 2^rootBits. */
  readonly rootBits: number;
  readonly sre: boolean;
  readonly eafe: boolean;
  /** Why nobody can vouch for it. */
  readonly unverified: string;
}

const PAGE_BYTES = 4096n;

/** Why no table can be bound behind this IOMMU, whatever it is like; undefined: one can. */
export function pageTableRefusal({ nesting, pageTables, registers }: HostIommu): string | undefined {
  if (registers !== undefined) {
    return "an SMMUv3 reaches page tables through context descriptors only: bind an STE (raw or fields) instead";
  }
  if (pageTables !== undefined) return undefined;
  return nesting.supported ? "this IOMMU takes no bare page table" : nesting.reason;
}

/**
 * The form of tables behind this IOMMU.
 * @throws BrokerError backend_unsupported with the reason where there is none
 */
export function requirePageTables(host: HostIommu): PageTableForm {
  const refusal = pageTableRefusal(host);
  if (refusal === undefined && host.pageTables !== undefined) return host.pageTables;
  const facts = { iommu: host.id, table_shape: "TABLE_SHAPE_SINGLE_PAGE_TABLE", field: "page_table" };
  throw new BrokerError("backend_unsupported", refusal ?? "this IOMMU takes no bare page table", facts);
}

/** @throws BrokerError argument_invalid with every field that is not as the IOMMU asks */
export function checkPageTable(form: PageTableForm, table: PageTable): void {
  const { addressBits, root } = table;
  const fields: FieldViolation[] = [];
  const refuse = (field: string, description: string) => fields.push({ path: `page_table.${field}`, description });
  if (root % PAGE_BYTES !== 0n) refuse("root", `${hex(root)} must be a multiple of ${PAGE_BYTES}`);
  if (root >= 2n ** BigInt(form.rootBits)) {
    refuse("root", `${hex(root)} is beyond the ${form.rootBits}-bit guest physical addresses of this IOMMU (CAP.MGAW)`);
  }
  if (!form.addressBits.includes(addressBits)) {
    const fiveLevels = addressBits === 57 ? "; five levels need CAP.FS5LP, which this IOMMU has not" : "";
    refuse("address_bits", `${addressBits} must be ${form.addressBits.join(" or ")}${fiveLevels}`);
  }
  if (table.sre && !form.sre) refuse("sre", "needs ECAP.SRS, which this IOMMU has not");
  if (table.eafe && !form.eafe) refuse("eafe", "needs ECAP.EAFS, which this IOMMU has not");
  const [first] = fields;
  if (first === undefined) return;
  const facts = { root: hex(root), address_bits: addressBits };
  throw new BrokerError("argument_invalid", `${first.path}: ${first.description}`, facts, { fields });
}
