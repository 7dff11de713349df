// The most memory accesses that one transaction, request or register write of the fuzzer may cost, added up.
// The parts are the architecture's; what a fast way reads before it gives up comes on top.

/** A stage 2 walk: levels -1 to 3 and one update of the leaf (§3.3.5, §3.13). */
const STAGE2_WALK = 5 + 1;
/** What is read again where a fast way gave up: by the leaf table of the walk cache, then by way of four plain tables. */
const STAGE2_AGAIN = 1 + 4;
/** Four plain tables of stage 1, each behind stage 2's, and the page; then the leaf table of the walk cache (nested-walk.ts, stage1.ts). */
const NESTED_AGAIN = 4 * (4 + 1) + 4 + 1 + STAGE2_WALK;
/**
 * Doublewords one transaction may cost: level 1 descriptor and STE; level 1 descriptor and CD, each behind a stage 2
 * walk; five stage 1 descriptors, each behind one; the update of the last, which is a write of its own to stage 2;
 * stage 2 of the output; the record; the MSI that tells of it, or of its abort (§3.3.3, §3.13, §7.3, §3.18).
 */
export const TRANSACTION_MAX =
  1 +
  8 +
  (STAGE2_WALK + 1) +
  (STAGE2_WALK + 8) +
  5 * (STAGE2_WALK + 1) +
  (STAGE2_WALK + 1) +
  STAGE2_WALK +
  4 +
  1 +
  NESTED_AGAIN +
  10 * STAGE2_AGAIN;
/** A translation request is walked a second time where its own update of a stage 1 descriptor changed the stage 2 leaf it needs. */
export const REQUEST_MAX = 2 * TRANSACTION_MAX;
export const QUEUE_LOG2_MAX = 5;
export const STALL_MAX = 8;
/**
 * A register write may run the command queue once around and its wrap bit (§3.5.1): two doublewords each, an MSI for
 * CMD_SYNC's completion, one for its abort and, for CMD_RESUME, a transaction; then the stalls that waited are retried.
 */
export const REGISTER_WRITE_MAX = 2 ** (QUEUE_LOG2_MAX + 1) * (4 + TRANSACTION_MAX) + STALL_MAX * TRANSACTION_MAX;
