// A case of the backend contract: a sentence, what it needs to see, and a function. No test framework: the same cases run on
// the host and in a virtual machine, where one would be too slow.

import assert from "node:assert/strict";
import { Scene } from "./scene.ts";
import { ALL_NEEDS, type Lacks, type MakeSubject, type Need } from "./subject.ts";

export interface ContractCase {
  /** A sentence about behaviour. */
  readonly name: string;
  /** Beyond what every subject has. */
  readonly needs: readonly Need[];
  /** Throws when it is not so. */
  readonly run: (scene: Scene) => Promise<void>;
}

export interface Sorted {
  readonly run: readonly ContractCase[];
  readonly leftOut: readonly { readonly name: string; readonly need: Need; readonly capability: string }[];
}

/** Which cases run on a subject that lacks this, and which cannot. */
export function sorted(cases: readonly ContractCase[], lacks: Lacks): Sorted {
  const leftOut = cases.flatMap(({ name, needs }) => {
    const need = needs.find((one) => lacks[one] !== undefined);
    return need === undefined ? [] : [{ name, need, capability: lacks[need]?.capability ?? need }];
  });
  const without = new Set(leftOut.map(({ name }) => name));
  return { run: cases.filter(({ name }) => !without.has(name)), leftOut };
}

/** Whoever the case leaves attached, closing the backend gives all memory back. */
export async function runContractCase(make: MakeSubject, { needs, run }: ContractCase): Promise<void> {
  const subject = await make();
  await using ends = new AsyncDisposableStack();
  ends.defer(() => subject.end());
  const scene = ends.use(await Scene.open(subject, needs));
  await run(scene);
  await scene.close();
  assert.equal(scene.file.references, 1, "the backend is closed and holds guest memory");
}

/** Whether a subject can show after all what it is said to lack: then the cases that need it are due. */
export async function isThere(make: MakeSubject, lacks: Lacks, need: Need): Promise<boolean> {
  const subject = await make();
  await using ends = new AsyncDisposableStack();
  ends.defer(() => subject.end());
  const scene = ends.use(await Scene.open(subject, ALL_NEEDS));
  assert.equal(subject.means[need], undefined, `the subject has means for ${need} and says that it lacks them`);
  return (await lacks[need]?.isThere?.(scene)) === true;
}
