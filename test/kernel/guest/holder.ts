// A VMM as a process of its own, to be killed, that holds the node of its device: attached, bound, fetched.
// Usage: holder.js TARGET ADDRESS [heir], with the guest's memory as descriptor 3; prints the pid of a process that has a copy
// of the node too, or 0.

import { spawn } from "node:child_process";
import { connect } from "../../../src/client/client.ts";
import { openGuest } from "./broker-guest.ts";

const RAM_FD = 3;

const [target = "", address = "", heir] = process.argv.slice(2);
const { bind, devices, session } = await openGuest(connect(target), {
  name: "holder",
  ram: RAM_FD,
  addresses: [address],
});
await bind(0);
const { files } = await session.openDevice(devices[0]!);
const program = [process.execPath, ["-e", "setInterval(() => {}, 60000)"]] as const;
const stdio = ["ignore", "ignore", "ignore", ...files.map(({ fd }) => fd)] as const;
const child = heir === "heir" ? spawn(...program, { stdio: [...stdio], detached: true }) : undefined;
process.stdout.write(`${child?.pid ?? 0}\n`);
setInterval(() => {}, 60_000);
