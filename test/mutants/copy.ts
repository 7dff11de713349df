// A copy of the tree to be mutated, so that the tree itself never is.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutant, mutated } from "./mutant.ts";
import { type Execution, type Verdict, verdictOn } from "./verdict.ts";

const COPIED = ["src", "test", "examples", "proto", "deploy", "package.json", "tsconfig.json", "vitest.config.ts"];
const TIMEOUT_MS = 180_000;
/** Cases of the random judge: enough for a rule that is gone, few enough for many mutants. */
const ORACLE_CASES = "300";

export class TreeCopy {
  readonly #directory = mkdtempSync(join(tmpdir(), "mutants-"));
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    for (const name of COPIED) cpSync(join(root, name), join(this.#directory, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(this.#directory, "node_modules"));
  }

  /** Applies the mutant, asks the tests, and takes the mutant back. */
  async judge(mutant: Mutant, isQuick = false): Promise<Verdict> {
    const text = readFileSync(join(this.#root, mutant.file), "utf8");
    const file = join(this.#directory, mutant.file);
    writeFileSync(file, mutated(text, mutant));
    try {
      return await verdictOn(mutant, (tests) => this.run(tests), isQuick);
    } finally {
      writeFileSync(file, text);
    }
  }

  run(tests: readonly string[]): Promise<Execution> {
    const vitest = join(this.#directory, "node_modules/vitest/vitest.mjs");
    const args = [vitest, "run", "--bail", "1", "--reporter", "dot", "--maxWorkers", "1", ...tests];
    const environment = { ...process.env, IOMMU_BROKER_ORACLE_CASES: ORACLE_CASES };
    const child = spawn(process.execPath, args, { cwd: this.#directory, env: environment, stdio: "ignore" });
    return new Promise((resolve, reject) => {
      let isTooLate = false;
      const timer = setTimeout(() => {
        isTooLate = true;
        child.kill("SIGKILL");
      }, TIMEOUT_MS);
      child.once("error", reject);
      child.once("close", (code) => {
        clearTimeout(timer);
        resolve(isTooLate ? "timed-out" : code === 0 ? "passed" : "failed");
      });
    });
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
