// Whatever a guest writes into its tables, a fault that comes of it is reproduced at once, and shows nothing of the host's.

import { beforeEach, expect, test } from "vitest";
import type { FaultDiagnosis } from "../../../src/backends/diagnosis.ts";
import type { FaultRecord } from "../../../src/backends/faults.ts";
import { bind, NVME } from "../../support/host.ts";
import {
  IDR,
  PAGE,
  plantTables,
  recordsOf,
  type SeedAccess,
  type Seeded,
  seedBed,
  translating,
  withSubstreams,
} from "../../support/seeded-fault.ts";
import { at } from "../../support/smmuv3-tables.ts";

let bed: Seeded;
beforeEach(async () => {
  bed = await seedBed();
});

function diagnose(fault: FaultRecord): FaultDiagnosis {
  return bed.host.backend.diagnose(fault);
}

/** Numbers below a bound from a seed (Lehmer's generator). */
function chance(seed: number): (below: number) => number {
  let state = BigInt(seed % 2147483646) + 1n;
  return (below) => {
    state = (state * 48271n) % 2147483647n;
    return Number(state % BigInt(below));
  };
}

const ROUNDS = Number(process.env.IOMMU_BROKER_DIAGNOSES ?? 600);
const SEED = Number(process.env.IOMMU_BROKER_DIAGNOSIS_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** CMD_TLBI_NH_ALL, and CMD_CFGI_CD_ALL of the stream. */
async function invalidate(): Promise<void> {
  await bed.host.core.virtualIommus.invalidate(bed.vmm.session, bed.vmm.virtualIommu, [
    { dword0: 0x10n, dword1: 0n },
    { dword0: 0x06n | at(0x42, 32), dword1: 0n },
  ]);
}

/** Everything a guest has, with bits turned over; a third of the time nothing else is wrong. */
function garble(next: (below: number) => number, places: readonly number[], good: readonly bigint[]): void {
  places.forEach((place, index) => {
    let word = good[index]!;
    if (next(4) === 0) word ^= at(1, next(64));
    if (next(20) === 0) word = at(next(2 ** 30), next(34));
    bed.tables.poke(place, word);
  });
}

test(`what a guest's tables make of an access is reproduced at once, whatever they hold (seed ${SEED})`, async () => {
  bed = await seedBed({ idr0: IDR.idr0 + 2 * 2 ** 6, idr3: IDR.idr3 + 2 ** 13 + 2 ** 17 });
  const next = chance(SEED);
  const { cd, levels } = plantTables(bed.tables);
  const places = [cd, cd + 8, cd + 16, levels[1], levels[2], levels[3]];
  const good = places.map((place) => bed.tables.peek(place));
  const rules = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    garble(next, places, good);
    const vste = next(3) > 0 ? translating(cd) : withSubstreams(cd, next(4) * 2, next(4), next(4));
    await bind(bed.host, bed.vmm, NVME, vste, 0x42);
    await invalidate();
    const asked: SeedAccess = {
      access: (["read", "write", "execute"] as const)[next(3)]!,
      iova: next(12) === 0 ? at(next(2 ** 30), next(34)) : BigInt(PAGE + 8 * next(512)),
      privileged: next(2) === 0,
      ...(next(4) === 0 ? { substreamID: next(3) } : {}),
    };
    for (const fault of await recordsOf(bed.host, asked)) {
      const diagnosis = diagnose(fault);
      expect(diagnosis, `round ${round}: ${fault.type}`).toMatchObject({ verdict: "reproduced" });
      if (diagnosis.verdict === "reproduced") rules.add(diagnosis.cause.rule);
      // and whatever is there later, it is an answer
      garble(next, places, good);
      expect(["reproduced", "no-longer-reproducible"], `round ${round}`).toContain(diagnose(fault).verdict);
    }
  }
  expect(rules.size, "rules reached").toBeGreaterThan(8);
}, 120_000);

test(`a diagnosis has none of the host's numbers (seed ${SEED})`, async () => {
  const next = chance(SEED);
  const { cd, levels } = plantTables(bed.tables);
  await bind(bed.host, bed.vmm, NVME, translating(cd), 0x42);
  const places = [cd, cd + 8, levels[1], levels[2], levels[3]];
  const good = places.map((place) => bed.tables.peek(place));
  for (let round = 0; round < 200; round += 1) {
    garble(next, places, good);
    await invalidate();
    for (const fault of await recordsOf(bed.host, {})) {
      const secret = hostNumbers();
      const shown = numbersIn(diagnose(fault));
      expect(
        [...shown].filter((number) => secret.has(number)),
        `round ${round}`,
      ).toEqual([]);
    }
  }
});

/** Every address of the host that the walk meets, and what stands in its structures; the numbers that are small by nature not. */
function hostNumbers(): Set<bigint> {
  const { steps } = bed.host.backend.explain({
    ...{ device: NVME, streamIndex: 0, iova: BigInt(PAGE) + 0x128n, substreamID: undefined },
    ...{ access: "read", privileged: false, showsHost: true },
  });
  const found = new Set<bigint>();
  for (const { pa, raw, structure } of steps) {
    if (pa !== undefined) found.add(pa);
    if (structure.startsWith("stage 2") || /^(?:STE|STRTAB_BASE|L1STD)/.test(structure))
      for (const word of raw) found.add(word);
  }
  found.add(0x100n); // the host's StreamID
  for (const small of [0n, 0xd4n]) found.delete(small);
  return found;
}

function numbersIn(value: unknown): Set<bigint> {
  const found = new Set<bigint>();
  const look = (each: unknown): void => {
    if (typeof each === "bigint") found.add(each);
    else if (typeof each === "string") for (const [text] of each.matchAll(/0x[\da-f]+|\d+/g)) found.add(BigInt(text));
    else if (typeof each === "object" && each !== null) Object.values(each).forEach(look);
  };
  look(value);
  return found;
}
