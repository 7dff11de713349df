// A VMM of today as a process: takes an iommufd and a node by their numbers, as QEMU does, says what they are and its own pid, and
// runs until it is told to end.
// Usage: vended-vmm.ts IOMMUFD DEVICE [CODE]; with CODE it exits with that at once.

import { fstatSync } from "node:fs";

const [iommufd, device, code] = process.argv.slice(2).map(Number);
const kindOf = (fd: number): string => (fstatSync(fd).isFIFO() ? "stand-in" : "something else");
process.stdout.write(`${iommufd} ${kindOf(iommufd!)}, ${device} ${kindOf(device!)}, ${process.pid}\n`);
if (code !== undefined) process.exit(code);
process.on("SIGTERM", () => process.exit(7));
setInterval(() => {}, 60_000);
