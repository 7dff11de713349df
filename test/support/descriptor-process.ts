// A VMM as a process of its own that holds its device's descriptors until it is killed.
// Usage: descriptor-process.ts TARGET attach|vend [child]; prints the pid of a child that has a copy too, or 0.

import { spawn } from "node:child_process";
import { connect } from "../../src/client/client.ts";

const DEVICE = "devices/0000:01:00.0";
const [target, how, child] = process.argv.slice(2);

const session = await connect(target!).openSession({ displayName: "holder" });
if (how === "attach") {
  const space = await session.createAddressSpace();
  const virtual = await session.createVirtualIommu({ addressSpace: space.name, iommus: ["iommus/smmu0"] });
  await session.attachDevice({ device: DEVICE, virtualIommu: virtual.name });
}
const { files } = how === "vend" ? await session.vendDevice(DEVICE) : await session.openDevice(DEVICE);
const fds = files.map(({ fd }) => fd);
const heir =
  child === "child"
    ? spawn("sleep", ["1000"], { stdio: ["ignore", "ignore", "ignore", ...fds], detached: true })
    : undefined;
process.stdout.write(`${heir?.pid ?? 0}\n`);
setInterval(() => {}, 60_000);
