// The virtual machine: an SMMUv3 of both stages, two edu devices behind it, and a console that is read line by line.
// Emulated throughout, so neither KVM nor root is needed. Nothing of it is left when the call ends, however it ends.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { HostTools } from "./host-tools.ts";

/** Host memory of the guest, in MiB: Node, the daemon, VMMs and what they map. */
const MEMORY = "1024";
/**
 * StreamIDs 0x100 and 0x200: bus number × 256. Every address bit can be asked for. Each is alone behind a root port: the
 * only reset that an edu has is its bus's, and a device without a reset is quarantined after its first owner.
 */
const EDU = [2, 3].flatMap((slot) => [
  ...["-device", `pcie-root-port,id=port${slot},chassis=${slot},addr=${slot}`],
  ...["-device", `edu,dma_mask=0xffffffffffffffff,bus=port${slot}`],
]);
/** Everything that the IORT depends on: it names the buses, too. gic-version=3 has an ITS: MSIs are isolated. */
export const MACHINE = [
  "-M",
  "virt,gic-version=3,iommu=smmuv3",
  "-cpu",
  "max,pauth-impdef=on",
  "-smp",
  "2",
  ...EDU,
] as const;
/** Messages of the kernel would land within lines of the cases; it still says its last words. */
const KERNEL_ARGS = "console=ttyAMA0 panic=-1 loglevel=1";

/**
 * The guest's clock counts its instructions, 4 ns each, and leaps where it waits: a busy host delays everything alike, so
 * edu's 100 ms are 100 ms of the guest's, and cost nothing.
 */
const CLOCK = ["-accel", "tcg,thread=single", "-icount", "shift=2,sleep=off"] as const;

export interface Boot {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk?: string;
  /** The image of guest-qemu.ts, as a second disk. */
  readonly qemuDisk?: string | undefined;
  /** Of a socket that is made: there QEMU's monitor is on a port of the machine, for whom the kernel shows too little. */
  readonly monitor?: string;
  readonly kernelArgs?: string;
  readonly timeoutMs: number;
  readonly onLine: (line: string) => void;
}

/** Boots and waits until the machine is off. */
export async function boot(tools: HostTools, options: Boot): Promise<void> {
  const { disk, kernel, initrd, kernelArgs = "", monitor, qemuDisk, timeoutMs, onLine } = options;
  // In the order of their addresses the guest calls them vda and vdb.
  const disks = [...diskAt(5, "root", disk), ...diskAt(7, "qemu", qemuDisk)];
  const append = `${KERNEL_ARGS} iommu_e2e_now=${Math.floor(Date.now() / 1000)} ${kernelArgs}`;
  const args = [
    ...tools.qemuArgs,
    ...[...MACHINE, "-m", MEMORY, ...CLOCK, "-nographic", "-no-reboot", "-nic", "none"],
    ...["-bios", tools.firmware, "-kernel", kernel, "-initrd", initrd, "-append", append],
    ...[...disks, ...(monitor === undefined ? [] : monitorPort(monitor))],
  ];
  const qemu = spawn(tools.qemu, args, { env: { ...process.env, ...tools.env }, stdio: ["ignore", "pipe", "pipe"] });
  const kill = (): boolean => qemu.kill("SIGKILL");
  process.once("exit", kill);
  const stderr: string[] = [];
  createInterface(qemu.stderr).on("line", (line) => stderr.push(line));
  createInterface(qemu.stdout).on("line", (line) => onLine(line.replaceAll("\r", "")));
  try {
    await ended(qemu, { timeoutMs, stderr });
  } finally {
    kill();
    process.off("exit", kill);
  }
}

function diskAt(address: number, id: string, image: string | undefined): string[] {
  if (image === undefined) return [];
  const drive = `file=${image},format=raw,if=none,id=${id},readonly=on`;
  return ["-drive", drive, "-device", `virtio-blk-pci,drive=${id},addr=${address}`];
}

/** The monitor listens on a socket that only the port connects to. */
function monitorPort(socket: string): string[] {
  return [
    ...["-chardev", `socket,id=monitor,path=${socket},server=on,wait=off`, "-mon", "chardev=monitor,mode=control"],
    ...["-device", "virtio-serial-pci,addr=6", "-chardev", `socket,id=port,path=${socket}`],
    ...["-device", "virtserialport,chardev=port,name=iommu-e2e.monitor"],
  ];
}

interface End {
  readonly timeoutMs: number;
  readonly stderr: readonly string[];
}

function ended(qemu: ChildProcess, { timeoutMs, stderr }: End): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the machine was not off after ${timeoutMs / 1000} s`)), timeoutMs);
    qemu.once("error", reject);
    qemu.once("close", (code, signal) => {
      clearTimeout(late);
      if (code === 0) resolve();
      else reject(new Error(`QEMU ended with ${code ?? signal}\n${stderr.slice(-10).join("\n")}`));
    });
  });
}
