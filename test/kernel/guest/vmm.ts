// A VMM as a process of its own, to be killed: attaches and binds a device, says so, and then only lives.
// Usage: vmm.js TARGET ADDRESS, with the guest's memory as descriptor 3.

import { connect } from "../../../src/client/client.ts";
import { openGuest } from "./broker-guest.ts";

const RAM_FD = 3;

const [target = "", address = ""] = process.argv.slice(2);
const { bind } = await openGuest(connect(target), { name: "doomed VMM", ram: RAM_FD, addresses: [address] });
await bind(0);
process.stdout.write("bound\n");
setInterval(() => {}, 60_000);
