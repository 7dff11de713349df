// What a guest is told of its faults: records that are the model's byte for byte, why they happened, and that some were lost.

import assert from "node:assert/strict";
import { VEVENTQ_DEPTH } from "../../../src/backends/iommufd/part.ts";
import { FaultDiagnosisVerdict, FaultGapReason } from "../../../src/client/client.ts";
import { differencesOf, explanationOf, wordOf } from "../differential/comparison.ts";
import { DEVIATIONS } from "../differential/deviations.ts";
import { trialOfOne, type Wanted } from "../differential/generate.ts";
import { printedOutcome } from "../differential/outcome.ts";
import { printed } from "../differential/trial.ts";
import { takeFaults, VIRTUAL_STREAM_IDS } from "../guest/broker-guest.ts";
import { BUFFER_BYTES, Edu } from "../guest/edu.ts";
import { running, withGuest } from "../guest/native-daemon.ts";
import { CD, FIRST_IOVA, LEAVES, RAM, READ_ONLY, setPage, write64 } from "../guest/nested.ts";
import { tryOut } from "../guest/trials.ts";
import type { KernelCase } from "../kernel-case.ts";

const PAGE = 0x1000;
const REPRODUCED = FaultDiagnosisVerdict.FAULT_DIAGNOSIS_VERDICT_REPRODUCED;
const { FAULT_GAP_REASON_HARDWARE_OVERFLOW } = FaultGapReason;

/** One access each, and what becomes of it. */
const FAULTS: readonly (readonly [string, Wanted])[] = [
  ["C_BAD_STE", { theme: "STE.S1STALLD=1", kind: "read" }],
  ["C_BAD_CD", { theme: "CD.V=0", kind: "read" }],
  ["C_BAD_CD", { theme: "CD.A=0", kind: "write" }],
  ["C_BAD_CD", { theme: "CD.T0SZ out of range", kind: "write" }],
  ["F_TRANSLATION", { ways: ["table not valid"], kind: "read" }],
  ["F_TRANSLATION", { ways: ["leaf not valid"], kind: "write" }],
  ["F_TRANSLATION", { theme: "CD.EPD0=1", kind: "write" }],
  ["F_TRANSLATION", { beyond: 39, kind: "read" }],
  ["F_PERMISSION", { ways: ["AP[2]: read-only"], kind: "write" }],
  ["F_ACCESS", { ways: ["AF=0"], kind: "read" }],
  ["F_ACCESS", { ways: ["AF=0"], kind: "write" }],
  ["F_ADDR_SIZE", { ways: ["leaf beyond OAS"], kind: "read" }],
  ["F_ADDR_SIZE", { ways: ["leaf beyond OAS"], kind: "write" }],
  ["moved", { kind: "read" }],
  ["moved", { kind: "write" }],
  ["refused", { theme: "STE.MEV=1, which is the host's", kind: "read" }],
  ["silent", { theme: "abort", kind: "write" }],
  ["silent", { theme: "CD.R=0", ways: ["leaf not valid"], kind: "read" }],
  ["silent", { ways: ["leaf to no RAM"], kind: "write" }],
  ["silent", { theme: "CD in no RAM", kind: "read" }],
];

/** One access each that shows a known deviation, and the deviation's name or names. */
const DEVIATING: readonly (readonly [readonly string[], Wanted])[] = [
  [["AP[1]=0 and APTable[0]=1 stop nobody"], { ways: ["AP[1]=0: privileged"], kind: "read" }],
  [
    ["APTable[1]=1 refuses a write before the tables below are read"],
    { ways: ["APTable[1]: read-only", "leaf not valid"], kind: "write" },
  ],
  [
    ["a block is accepted at levels that have none"],
    { ways: ["a block where the table was"], level: 0, inputBits: 48, kind: "read" },
  ],
  [["that stage 2 has no table of stage 1's is told to the guest"], { ways: ["table in no RAM"], kind: "read" }],
  [
    [
      "a table beyond the output size is refused with CLASS TT",
      "a table beyond the output size is refused with its IPA in the record",
    ],
    { ways: ["table beyond OAS"], kind: "read" },
  ],
  [
    [
      "a table beyond the output size is refused with CLASS TT",
      "a table beyond the output size is refused with its IPA in the record",
    ],
    { ways: ["table beyond 32 bits"], ips: 0, kind: "read" },
  ],
  [["STE.S1CDMax that is not 0 makes an STE illegal"], { theme: "STE.S1CDMax is not 0", kind: "read" }],
  [["bits 51:48 of STE.S1ContextPtr are not looked at"], { theme: "STE.S1ContextPtr[51:48] is not 0", kind: "read" }],
  [["bits 51:48 of CD.TTB0 are not looked at"], { theme: "CD.TTB0[51:48] is not 0", kind: "read" }],
  [
    ["without stage 1 an address beyond the input size is refused without a record"],
    { theme: "bypass", beyond: 46, kind: "read" },
  ],
  [
    ["CD.TTB0 is put through stage 2 with the CD, before the input address is looked at"],
    { theme: "CD.TTB0 in no RAM", beyond: 39, kind: "read" },
  ],
];

export const recordCases: readonly KernelCase[] = [
  {
    name: "daemon, native: each fault's record is the model's byte for byte, and data lands where the model says",
    run: async (machine) => {
      const all = [...FAULTS, ...DEVIATING].map(([, wanted]) => trialOfOne(wanted));
      const tried = await tryOut(machine, all);
      const used = new Set<string>();
      tried.forEach((each, index) => {
        const { kernel, model, trial } = each;
        const whole = `kernel: ${printedOutcome(kernel)}\nmodel: ${printedOutcome(model.outcome)}\n${printed(trial)}`;
        const differences = differencesOf(model.outcome, kernel);
        const [end] = FAULTS[index] ?? [];
        const [known] = DEVIATING[index - FAULTS.length] ?? [];
        if (end !== undefined) assert.equal(wordOf(kernel), end, whole);
        const names = differences.map((one) => explanationOf(each, one, DEVIATIONS)?.name ?? JSON.stringify(one));
        assert.deepEqual(names, known ?? [], whole);
        for (const name of names) used.add(name);
      });
      assert.deepEqual(
        DEVIATIONS.filter(({ name }) => !used.has(name)).map(({ name }) => name),
        [],
        "nothing shows these deviations: take them off the list",
      );
    },
  },
  {
    name: "daemon, native: WatchFaults says which rule a fault broke, in which structure, by which field",
    run: (machine) =>
      withGuest(machine, { devices: 1 }, async ({ bind, ram, session, virtualIommu }) => {
        const readOnly = BigInt(RAM.ipa) + READ_ONLY;
        setPage(ram, 1, readOnly);
        await bind(0);
        const tables = session.watchFaults({ diagnose: true });
        await tables.ready;
        using edu = Edu.ofAddress(machine.devices[0]!.address);
        await edu.read(FIRST_IOVA, 4);
        await edu.write(FIRST_IOVA + PAGE, 4);
        const found = [...(await takeFaults(tables, 2))];
        write64(ram, CD, 0n);
        await session.invalidateCache(virtualIommu, [{ cfgiCdAll: { virtualStreamId: VIRTUAL_STREAM_IDS[0] } }]);
        await edu.read(FIRST_IOVA, 4);
        const later = session.watchFaults({ diagnose: true, resumeAfter: tables.seen, fromStart: true });
        found.push(...(await takeFaults(later, 1)));
        const leaf = BigInt(RAM.ipa + LEAVES);
        assert.deepEqual(
          found.map(({ diagnosis, type }) => {
            const { address, fields, level, raw, rule, structure, verdict } = diagnosis!;
            const [field] = fields;
            return [type, verdict, rule, structure, level, address, raw[0], field?.name];
          }),
          [
            ["F_TRANSLATION", REPRODUCED, "DESCRIPTOR_INVALID", "stage 1 descriptor", 3, leaf, 0n, "descriptor[1:0]"],
            [
              "F_PERMISSION",
              REPRODUCED,
              "LEAF_READ_ONLY",
              "stage 1 descriptor",
              3,
              leaf + 8n,
              readOnly,
              "descriptor.AP[2:1]",
            ],
            ["C_BAD_CD", REPRODUCED, "CD_NOT_VALID", "CD", undefined, BigInt(RAM.ipa + CD), 0n, "CD.V"],
          ],
        );
      }),
  },
  {
    name: "daemon, native: faults that the kernel had no room for are a gap of WatchFaults, and those after it are told",
    run: (machine) =>
      withGuest(machine, { devices: 1 }, async ({ bind, session }) => {
        await bind(0);
        const watch = session.watchFaults();
        await watch.ready;
        const daemon = await running(machine);
        using edu = Edu.ofAddress(machine.devices[0]!.address);
        const transfers = Math.floor(VEVENTQ_DEPTH / (BUFFER_BYTES / 4)) + 1;
        await daemon.whileStopped(async () => {
          for (let count = 0; count < transfers; count += 1) await edu.read(FIRST_IOVA, BUFFER_BYTES);
        });
        let told = 0;
        let numbered = 0n;
        for await (const { events, gaps } of watch) {
          told += events.length;
          const overrun = gaps.filter(({ reason }) => reason !== FAULT_GAP_REASON_HARDWARE_OVERFLOW);
          for (const { count } of overrun) told += Number(count);
          const lost = gaps.find(({ reason }) => reason === FAULT_GAP_REASON_HARDWARE_OVERFLOW);
          if (lost === undefined) continue;
          // How many were lost the kernel does not say: one number stands for them.
          assert.deepEqual(
            [lost.device, lost.count, lost.last],
            [`devices/${machine.devices[0]!.address}`, 0n, lost.first],
          );
          numbered = lost.first;
          break;
        }
        assert.equal(told, VEVENTQ_DEPTH);
        const after = session.watchFaults({ resumeAfter: watch.seen, fromStart: true });
        await after.ready;
        await edu.write(FIRST_IOVA + PAGE, 4);
        const [next] = await takeFaults(after, 1);
        assert.deepEqual([next!.type, next!.sequence], ["F_TRANSLATION", numbered + 1n]);
      }),
  },
];
