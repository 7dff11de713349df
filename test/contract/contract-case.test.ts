// How cases of the contract are run: what a case may use, what is left out, and that a lack is looked for.

import { describe, expect, test } from "vitest";
import { createSimulatedBackend } from "../../src/backends/sim/backend.ts";
import { TWO_SMMUS } from "../support/host.ts";
import { BufferFile } from "../support/memory-file.ts";
import { type ContractCase, isThere, runContractCase, sorted } from "./contract-case.ts";
import type { ContractFile, ContractSubject, Means } from "./subject.ts";

class PokedFile extends BufferFile implements ContractFile {
  poke(): void {}
}

function subject(means: Means = {}, ended: string[] = []) {
  const backend = createSimulatedBackend(TWO_SMMUS);
  const devices = backend.inventory.devices();
  const [single, other] = ["0000:01:00.0", "0000:00:01.0"].map((name) => devices.find(({ id }) => id === name)!);
  return async (): Promise<ContractSubject> => ({
    backend,
    single: single!,
    other: other!,
    means,
    file: (bytes) => new PokedFile("/memory/a", bytes),
    settle: async () => {},
    end: async () => {
      ended.push("ended");
    },
  });
}

const reaching: ContractCase = {
  name: "reaches",
  needs: ["dma"],
  run: async (scene) => scene.assertReached(0),
};

describe("running", () => {
  test("a case has the means that it says it needs", async () => {
    const seen: unknown[] = [];
    const dma = async (...access: readonly unknown[]) => {
      seen.push(access);
      return "ok";
    };
    await runContractCase(subject({ dma }), reaching);
    expect(seen).toEqual([["0000:01:00.0", 0]]);
  });

  test("means that a case did not say it needs it cannot use, nor what the subject has not", async () => {
    const dma = async () => "ok";
    await expect(runContractCase(subject({ dma }), { ...reaching, needs: [] })).rejects.toThrow(
      "the case uses dma and does not say that it needs it",
    );
    await expect(runContractCase(subject(), reaching)).rejects.toThrow("the subject has no means for dma");
  });

  test("the subject is ended after a case that fails, whose reason is told", async () => {
    const ended: string[] = [];
    const run = runContractCase(subject({ dma: async () => "aborted" }, ended), reaching);
    await expect(run).rejects.toThrow("0x0 is not reached");
    expect(ended).toEqual(["ended"]);
  });

  test("memory that the backend holds when it is closed is a failure", async () => {
    const keeping: ContractCase = { name: "keeps", needs: [], run: async ({ file }) => file.retain() };
    await expect(runContractCase(subject(), keeping)).rejects.toThrow("the backend is closed and holds guest memory");
  });
});

describe("leaving out", () => {
  test("a case is left out for the first of its needs that is lacking", () => {
    const plain: ContractCase = { name: "plain", needs: [], run: async () => {} };
    const both: ContractCase = { name: "both", needs: ["streamTable", "dma"], run: async () => {} };
    const { leftOut, run } = sorted([plain, both, reaching], { dma: { capability: "moving data" } });
    expect(run).toEqual([plain]);
    expect(leftOut).toEqual([
      { name: "both", need: "dma", capability: "moving data" },
      { name: "reaches", need: "dma", capability: "moving data" },
    ]);
  });

  test("a lack is looked for, and a subject that has means for it is a failure", async () => {
    const dma = async () => "ok";
    const lack = { capability: "moving data", isThere: () => true };
    expect(await isThere(subject(), { dma: lack }, "dma")).toBe(true);
    expect(await isThere(subject(), { dma: { ...lack, isThere: () => false } }, "dma")).toBe(false);
    expect(await isThere(subject(), { dma: { capability: "what is not in its nature" } }, "dma")).toBe(false);
    await expect(isThere(subject({ dma }), { dma: lack }, "dma")).rejects.toThrow(
      "the subject has means for dma and says that it lacks them",
    );
  });
});
