// The rules that a refused access can have broken: the word to compare by, the event it makes, its section, what it asks for.
// One table for the model, for diagnoses and for docs/faults.md, whose list a test compares with this one.
// A word is part of the contract: it may be added, and its meaning does not change.
// Source: IHI 0070G.b §5.2.2, §5.4.1, §7.3, as reference; the rows give the section.

/** `meaning`: what must hold, or what was found. */
export interface Rule {
  readonly events: string;
  readonly section: string;
  readonly meaning: string;
}

const rule = (events: string, section: string, meaning: string): Rule => Object.freeze({ events, section, meaning });
const badSTE = (meaning: string): Rule => rule("C_BAD_STE", "§5.2.2", meaning);
const badCD = (meaning: string): Rule => rule("C_BAD_CD", "§5.4.1", meaning);
const noSubstream = (meaning: string): Rule => rule("C_BAD_SUBSTREAMID", "§7.3.9", meaning);
const noTranslation = (section: string, meaning: string): Rule => rule("F_TRANSLATION", section, meaning);
const noPermission = (section: string, meaning: string): Rule => rule("F_PERMISSION", section, meaning);

export const RULES = Object.freeze({
  STREAM_OUT_OF_TABLE: rule("C_BAD_STREAMID", "§7.3.3", "the Stream table has an entry for the StreamID"),
  L1STD_INVALID: rule("C_BAD_STREAMID", "§7.3.3", "the first level of the Stream table leads to the StreamID's entry"),
  STE_FETCH_ABORTED: rule("F_STE_FETCH", "§7.3.4", "the Stream table can be read"),

  STE_NOT_VALID: badSTE("STE.V is 1"),
  STE_STAGE1_ABSENT: badSTE("STE.Config has stage 1 only where IDR0.S1P is 1"),
  STE_STAGE2_ABSENT: badSTE("STE.Config has stage 2 only where IDR0.S2P is 1"),
  STE_STRW_RESERVED: badSTE("STE.STRW is no reserved encoding, where it is used"),
  STE_VMID_SIZE: badSTE("STE.S2VMID is below 256 where IDR0.VMID16 is 0"),
  STE_ATS_STALLS: badSTE("STE.EATS is 1 only where stage 2 does not stall"),
  STE_ATS_SPLIT: badSTE("STE.EATS is 2 only with both stages, no stall of stage 2, and IDR0.NS1ATS 0"),
  STE_ATS_DPT: badSTE("STE.EATS is 3 only in the EL1 StreamWorld and where stage 2 does not stall, with IDR3.DPT"),
  STE_STALL_DISABLE: badSTE("STE.S1STALLD is 1 only where IDR0.STALL_MODEL is 0"),
  STE_CD_COUNT: badSTE("STE.S1CDMax is at most IDR1.SSIDSIZE"),
  STE_CD_TWO_LEVEL: badSTE("STE.S1Fmt is two-level only where IDR0.CD2L is 1"),
  STE_CD_ADDRESS: badSTE("STE.S1ContextPtr is within the output address size, without stage 2"),
  STE_S2_FORMAT: badSTE("STE.S2AA64 is a format that IDR0.TTF offers"),
  STE_S2_FORCED_WRITEBACK: badSTE("STE.S2FWB is 1 only with STE.S2AA64 1"),
  STE_S2_STALL: badSTE("STE.S2S is 1 only where IDR0.STALL_MODEL is not 1"),
  STE_S2_STALL_FORCED: badSTE("STE.S2S is 1 where IDR0.STALL_MODEL is 2"),
  STE_S2_ENDIAN: badSTE("STE.S2ENDI is what IDR0.TTENDIAN offers"),
  STE_S2_ACCESS_FLAG: badSTE("STE.S2HA and STE.S2HD are 0 where IDR0.HTTU is 0"),
  STE_S2_DIRTY_STATE: badSTE("STE.S2HD is 0 where IDR0.HTTU is 1"),
  STE_S2_TABLE_ACCESS_FLAG: badSTE("STE.S2HAFT is 1 only with STE.S2HA 1, where IDR0.HTTU is 3"),
  STE_S2_GRANULE: badSTE("STE.S2TG is a granule that IDR5 offers"),
  STE_S2_TABLE_ADDRESS: badSTE("STE.S2TTB is within the effective STE.S2PS"),
  STE_S2_START: badSTE("STE.S2T0SZ, STE.S2SL0 and STE.S2TG fit together"),

  SUBSTREAM_WITHOUT_STAGE1: noSubstream("an access has a SubstreamID only where stage 1 translates"),
  SUBSTREAM_NOT_SUPPORTED: noSubstream("an access has a SubstreamID only where IDR1.SSIDSIZE is not 0"),
  SUBSTREAM_ONE_CD: noSubstream("an access has a SubstreamID only where STE.S1CDMax is not 0"),
  SUBSTREAM_OUT_OF_TABLE: noSubstream("the SubstreamID is below 2^STE.S1CDMax"),
  L1CD_NOT_VALID: noSubstream("L1CD.V is 1"),
  L1CD_ADDRESS: noSubstream("L1CD.L2Ptr is within the output address size"),
  SUBSTREAM_REQUIRED: rule("F_STREAM_DISABLED", "§7.3.7", "an access has a SubstreamID where STE.S1DSS is 0"),
  SUBSTREAM_ZERO: rule("F_STREAM_DISABLED", "§7.3.7", "the SubstreamID is not 0 where STE.S1DSS is 2"),

  CD_FETCH_ABORTED: rule("F_CD_FETCH", "§7.3.10", "the context descriptor, or the L1CD that leads to it, can be read"),
  CD_NOT_VALID: badCD("CD.V is 1"),
  CD_STALL: badCD("CD.S is 0 where the stream or the SMMU does not stall"),
  CD_STALL_FORCED: badCD("CD.S is 1 where IDR0.STALL_MODEL is 2"),
  CD_ABORT_FORCED: badCD("CD.A is 1 where IDR0.TERM_MODEL is 1"),
  CD_FORMAT: badCD("CD.AA64 is a format that IDR0.TTF offers"),
  CD_ACCESS_FLAG: badCD("CD.HA and CD.HD are 0 where IDR0.HTTU is 0"),
  CD_DIRTY_STATE: badCD("CD.HD is 0 where IDR0.HTTU is 1"),
  CD_TABLE_ACCESS_FLAG: badCD("CD.HAFT is 1 only with CD.HA 1, where IDR0.HTTU is 3"),
  CD_ASID_SIZE: badCD("CD.ASID is below 256 where IDR0.ASID16 is 0"),
  CD_ENDIAN: badCD("CD.ENDI is what IDR0.TTENDIAN offers"),
  CD_GRANULE: badCD("CD.TG0 or CD.TG1 is a granule that IDR5 offers"),
  CD_INPUT_SIZE: badCD("CD.T0SZ or CD.T1SZ is within its bounds"),
  CD_TABLE_ADDRESS: badCD("CD.TTB0 or CD.TTB1 is within the effective CD.IPS"),

  INPUT_ADDRESS_SIZE: rule("F_ADDR_SIZE", "§3.4", "without stage 1 the input address is within the address size"),
  INPUT_ADDRESS_RANGE: noTranslation("§3.4.1", "the input address is one that CD.T0SZ or CD.T1SZ covers"),
  TABLE_DISABLED: noTranslation("§5.4", "CD.EPD0 or CD.EPD1 is 0 for the half that the input address lies in"),
  UNPRIVILEGED_DISABLED: noTranslation("§5.4", "CD.E0PD0 or CD.E0PD1 is 0 for an unprivileged access"),
  WALK_ABORTED: rule("F_WALK_EABT", "§7.3.12", "a stage 1 descriptor can be read"),
  DESCRIPTOR_INVALID: noTranslation("§7.3.13", "bit 0 of a stage 1 descriptor is 1"),
  DESCRIPTOR_TYPE: noTranslation(
    "§7.3.13",
    "bits 1:0 of a stage 1 descriptor are no type that is reserved at its level",
  ),
  DESCRIPTOR_ADDRESS: rule("F_ADDR_SIZE", "§3.4", "the address in a stage 1 descriptor is within the effective CD.IPS"),
  DESCRIPTOR_ACCESS_FLAG: rule("F_ACCESS", "§3.13", "AF of a stage 1 leaf is 1, unless CD.HA or CD.AFFD is"),
  LEAF_PRIVILEGED: noPermission("§7.3.16", "AP[1] of the leaf is 1 for an unprivileged access to data"),
  LEAF_READ_ONLY: noPermission("§7.3.16", "AP[2] of the leaf is 0 for a write, unless hardware keeps the dirty state"),
  LEAF_EXECUTE_NEVER: noPermission("§7.3.16", "UXN or PXN of the leaf is 0 for a fetch of that privilege"),
  TABLE_PRIVILEGED: noPermission("§7.3.16", "APTable[0] of the tables above is 0 for an unprivileged access to data"),
  TABLE_READ_ONLY: noPermission("§7.3.16", "APTable[1] of the tables above is 0 for a write"),
  TABLE_EXECUTE_NEVER: noPermission("§7.3.16", "UXNTable or PXNTable of the tables above is 0 for a fetch"),
  WRITABLE_EXECUTE_NEVER: noPermission("§5.4", "a page to fetch from is not writable where CD.WXN is 1"),
  UNPRIVILEGED_WRITABLE: noPermission(
    "§7.3.16",
    "a page for a privileged fetch is not writable for unprivileged accesses",
  ),
  PRIVILEGED_NEVER: noPermission(
    "§5.4",
    "with CD.PAN 1 a privileged access to data goes to no page that unprivileged ones read",
  ),
  PRIVILEGED_NEVER_EXECUTABLE: noPermission(
    "§5.4",
    "with CD.PAN and CD.EPAN 1 a privileged access to data goes to no page that unprivileged ones fetch from",
  ),

  STAGE2_RANGE: noTranslation("§3.4", "the IPA is one that stage 2 has bits for"),
  STAGE2_NOT_MAPPED: noTranslation("§7.3.13", "the IPA is mapped in the guest's address space"),
  STAGE2_ADDRESS: rule("F_ADDR_SIZE", "§3.4", "the host's stage 2 leads to addresses within its output size"),
  STAGE2_ACCESS_FLAG: rule("F_ACCESS", "§3.13", "AF of the host's stage 2 leaf is 1"),
  STAGE2_NOT_READABLE: noPermission("§7.3.16", "the IPA is mapped to be read"),
  STAGE2_NOT_WRITABLE: noPermission("§7.3.16", "the IPA is mapped to be written"),
  STAGE2_NOT_EXECUTABLE: noPermission("§7.3.16", "the IPA is mapped to be fetched from"),
  STAGE2_PROTECTED_WALK: noPermission(
    "§5.2",
    "no table and no context descriptor lies in Device memory, where STE.S2PTW is 1",
  ),
  STAGE2_WALK_ABORTED: rule("F_WALK_EABT", "§7.3.12", "the host's stage 2 tables can be read"),

  ATS_DISABLED: rule("F_BAD_ATS_TREQ", "§7.3.6", "STE.EATS lets the device make translation requests"),
  TRANSLATED_FORBIDDEN: rule("F_TRANSL_FORBIDDEN", "§7.3.8", "STE.EATS lets the device make translated accesses"),
});

export type RuleName = keyof typeof RULES;
