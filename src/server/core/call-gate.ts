// Whether who called a verb still waits for its answer: what the edge lets core ask.

import type { BrokerError } from "../../backends/errors.ts";

/**
 * Whether the caller still waits. A verb asks once it holds its objects and before the intent; from then on it completes.
 */
export interface CallGate {
  /** @throws BrokerError call_over when the call was cancelled or its deadline has passed */
  requireOpen(): void;
  /**
   * For a verb that waits: told once when the caller does not wait any more, or the daemon stops. Absent: nobody tells.
   * @returns calls it off
   */
  onOver?(listener: (error: BrokerError) => void): () => void;
}
