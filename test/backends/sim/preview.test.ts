import { describe, expect, test } from "vitest";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import { checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import { guest, NVME, type TestHost, testHost } from "../../support/host.ts";

// 64-byte CDs by hand (IHI 0070 §5.4): T0SZ 25, EPD1, V, IPS 48 bits, AA64, R, A, ASID 1; TTB0 0x4000_3000.
const GOOD_CD = 25n | (1n << 30n) | (1n << 31n) | (5n << 32n) | (1n << 41n) | (3n << 45n) | (1n << 48n);
const WITHOUT_A = GOOD_CD & ~(1n << 46n); // TERM_MODEL=1 needs CD.A=1 (§5.4.1)
const CONTEXT_IPA = 0x4000_1000n;

/** V, Config 0b101, S1ContextPtr, and what else is asked for. */
const ste = (more = 0n, pointer = CONTEXT_IPA, dword1 = 0xd4n): VSTE => checkVSTE(0xbn | pointer | more, dword1);

async function wouldFault(vste: VSTE, context: bigint | undefined, prepare: (host: TestHost) => void = () => {}) {
  const host = testHost();
  const vmm = await guest(host);
  if (context !== undefined) {
    const words = new DataView(vmm.file.data.buffer);
    words.setBigUint64(0x1000, context, true);
    words.setBigUint64(0x1008, 0x4000_3000n, true);
  }
  prepare(host);
  const { session, virtualIommu } = vmm;
  await host.core.stages.attach(session, {
    device: NVME,
    virtualIommu,
    initial: "abort",
    expectedGeneration: undefined,
  });
  const request = { device: NVME, virtualStreamID: virtualStreamID(1), vste, expectedGeneration: undefined };
  const { preview } = await host.core.stages.bind(session, { ...request, validateOnly: true });
  await host.core.stages.bind(session, { ...request, validateOnly: false });
  const access = { iova: 0n, substreamID: undefined, privileged: false, streamIndex: 0, access: "read" } as const;
  const [outcome] = await host.core.simulator!.translate(session, NVME, [access]);
  return { said: preview!.wouldFault, came: outcome!.fault?.type };
}

describe("what validate_only foretells is what the first transaction records", () => {
  test("a legal context descriptor: nothing, though the tables behind it are empty", async () => {
    const { came, said } = await wouldFault(ste(), GOOD_CD);
    expect(said).toEqual([]);
    expect(came).toBe("F_TRANSLATION");
  });

  test.each([
    ["an empty context descriptor", ste(), 0n, "C_BAD_CD", /V/],
    ["CD.A=0 where the SMMU only aborts", ste(), WITHOUT_A, "C_BAD_CD", /\bA\b/],
    ["S1CDMax above SSIDSIZE", ste(21n << 59n), GOOD_CD, "C_BAD_STE", /S1CDMax 21/],
    ["a context pointer to nowhere", ste(0n, 0x9_0000_0000n), GOOD_CD, "F_TRANSLATION", /0x900000000/],
    ["substreams with S1DSS 0", ste(2n << 59n), GOOD_CD, "F_STREAM_DISABLED", /S1DSS 0 with S1CDMax 2/],
    [
      "an invalid first level of a CD table",
      ste((10n << 59n) | (1n << 4n), CONTEXT_IPA, 0xd6n),
      0n,
      "C_BAD_SUBSTREAMID",
      /first-level/,
    ],
  ])("%s", async (_, vste, context, type, reason) => {
    const { came, said } = await wouldFault(vste, context);
    expect(said).toEqual([{ eventType: type, reason: expect.stringMatching(reason) }]);
    expect(came).toBe(type);
  });

  test("a context descriptor in a part of the file that is gone", async () => {
    const { came, said } = await wouldFault(ste(), undefined, (host) => host.files.get("/memory/vmm")!.truncate(4096));
    expect(said).toEqual([{ eventType: "F_CD_FETCH", reason: expect.stringContaining("0x40001000") }]);
    expect(came).toBe("F_CD_FETCH");
  });
});
