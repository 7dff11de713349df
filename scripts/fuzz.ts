// Fuzzes the SMMUv3 model for a while: npm run fuzz -- --seconds 300 [--seed N] [--round N].
// Prints the seed first, so that a process that hangs can be told from one that failed, and shown again.

import { parseArgs } from "node:util";
import { fuzz } from "../test/support/fuzz.ts";
import { REGISTER_WRITE_MAX, TRANSACTION_MAX } from "../test/support/fuzz-bounds.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
    round: { type: "string", default: "0" },
  },
});
const seed = Number(values.seed);
console.log(`seed ${seed}, from round ${values.round}, ${values.seconds} s`);
try {
  const figures = fuzz(seed, Number(values.seconds), Number(values.round));
  const { ok, abort, stalled, "raz-wi": razWi } = figures.outcomes;
  console.log(`${figures.rounds} rounds, ${figures.steps} steps: nothing thrown, no access outside the regions`);
  console.log(
    `transactions: ${ok} ok, ${abort} aborted, ${razWi} RAZ/WI, ${stalled} stalled, ${figures.resumed} resumed`,
  );
  console.log(`${figures.commands} commands, ${figures.events} events, ${figures.timeouts} ATC time-outs`);
  console.log(`${figures.windowReads} doublewords read through windows`);
  const { answers, pages } = figures;
  const refused = answers["completer-abort"] + answers["unsupported-request"];
  console.log(
    `translation requests: ${answers.success} answered, ${refused} refused; page requests: ${pages.queued} queued`,
  );
  console.log(`memory accesses of one transaction: ${figures.transactionMax} at most, bound ${TRANSACTION_MAX}`);
  console.log(
    `memory accesses of one register write: ${figures.registerWriteMax} at most, bound ${REGISTER_WRITE_MAX}`,
  );
  console.log(`slowest step: ${figures.slowestStepMs.toFixed(1)} ms`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
