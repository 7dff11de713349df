// What a call was refused with. A file of its own because cases in the virtual machine, where there is no vitest, use it too.

import { BrokerError } from "../../src/backends/errors.ts";

/** The BrokerError that `act` ends in. */
export async function refusal(act: () => unknown): Promise<BrokerError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  throw new Error("expected a refusal, but the call succeeded");
}
