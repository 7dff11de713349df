// Where the simulated backend's stand-ins for device nodes are: beside what else outlives the daemon, so that one which is
// started anew finds them; without a state directory, beside the descriptor socket.

import { dirname, join } from "node:path";
import type { Poller } from "../../os/poller.ts";
import { createStandIns } from "../../os/stand-in-fifos.ts";
import type { Config } from "../config.ts";

const DIRECTORY = "stand-ins";

/** Undefined: there is no descriptor socket to pass anything through. */
export function standInsOf({ fdSocket, stateDirectory }: Config, poller: Poller) {
  if (fdSocket === undefined) return undefined;
  return createStandIns({ directory: join(stateDirectory ?? dirname(fdSocket), DIRECTORY), poller });
}
