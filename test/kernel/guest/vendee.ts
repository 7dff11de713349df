// A VMM as QEMU is, as a process of its own, to be killed: it is given an iommufd and a node, binds the one to the other itself,
// maps the guest's memory and attaches the device.
// Usage: vendee.js TARGET ADDRESS [heir], with the guest's memory as descriptor 3; prints the pid of a process that has a copy
// of the node too, or 0.
// Source: QEMU hw/vfio/iommufd.c (iommufd_cdev_connect_and_bind, iommufd_cdev_attach).

import { spawn } from "node:child_process";
import { connect } from "../../../src/client/client.ts";
import { allocateAddressSpace, allocateNestParent, attachDevice, bindDevice, mapFile } from "./iommufd.ts";
import { RAM } from "./nested.ts";

const RAM_FD = 3;

const [target = "", address = "", heir] = process.argv.slice(2);
const session = await connect(target).openSession({ displayName: "vendee" });
const { files } = await session.vendDevice(`devices/${address}`);
const [iommufd, node] = files.map(({ fd }) => fd);
const object = bindDevice(node!, iommufd!);
const ioas = allocateAddressSpace(iommufd!);
mapFile(iommufd!, { ioas, file: RAM_FD, start: 0, bytes: RAM.bytes, ipa: RAM.ipa });
attachDevice(node!, allocateNestParent(iommufd!, object, ioas));
const program = [process.execPath, ["-e", "setInterval(() => {}, 60000)"]] as const;
const stdio = ["ignore", "ignore", "ignore", node!] as const;
const child = heir === "heir" ? spawn(...program, { stdio: [...stdio], detached: true }) : undefined;
process.stdout.write(`${child?.pid ?? 0}\n`);
setInterval(() => {}, 60_000);
