// A VMM to be killed while its device waits: binds the DSP, lets one read stall, and does nothing more.
// Arguments: the broker's target, the directory for guest memory.

import { connect } from "../../src/client/client.ts";
import { DSP, faultGuest, HOLE, read } from "./e2e-fault-world.ts";

const [target = "", memoryRoot = ""] = process.argv.slice(2);
const { session } = await faultGuest(connect(target), memoryRoot, { name: "doomed", devices: [DSP], stalls: true });
await read(session, DSP, HOLE);
