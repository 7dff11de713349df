// What doctor says of the guest, whose state is known: the daemon's program by itself, and the running daemon over gRPC.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { release } from "node:os";
import { basename } from "node:path";
import { running } from "../guest/native-daemon.ts";
import type { KernelCase } from "../kernel-case.ts";

const DAEMON = "/app/dist/server/main.js";
const COMMAND = "/app/dist/cli/main.js";

interface Finding {
  readonly check: string;
  readonly subject: string;
  readonly verdict: string;
  readonly what: string;
  readonly remedy: string;
}

interface Answer {
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

export const doctorCases: readonly KernelCase[] = [
  {
    name: "daemon, native: iommu-brokerd --doctor and iommuctl doctor say of this machine what is known of it, and the same",
    run: async (machine) => {
      const { target } = await running(machine);
      const alone = await answer(DAEMON, "--doctor");
      const [first, second] = machine.devices.map(({ address }) => address);
      const [smmu] = readdirSync("/sys/class/iommu").filter((name) => name.startsWith("smmu3"));
      const groups = readdirSync("/sys/kernel/iommu_groups").length;
      assert.deepEqual(
        alone.findings.map(({ check, subject, verdict, what }) => [check, subject, verdict, what]),
        [
          ["kernel_version", "", "ok", `Linux ${release()}`],
          ["iommu_present", "", "ok", `1 IOMMU(s), ${groups} group(s) of devices`],
          ["iommufd_node", "/dev/iommu", "ok", "can be opened"],
          // MLOCK_LIMIT of Linux, for nobody in the guest has raised it; and all is root's there.
          ["memlock", "", "ok", "at most 8388608 bytes of locked memory, which CAP_IPC_LOCK lifts"],
          ["unsafe_interrupts", "", "ok", "devices need isolated interrupts"],
          ["vfio_devices", "", "ok", `2 of ${groups} device(s) on a VFIO driver`],
          ["cdev_access", first, "ok", `${machine.devices[0]!.cdev} can be opened`],
          ["cdev_access", second, "ok", `${machine.devices[1]!.cdev} can be opened`],
          ["group_viable", `group ${groupOf(first!)}`, "ok", `nothing but VFIO uses ${first}`],
          ["group_viable", `group ${groupOf(second!)}`, "ok", `nothing but VFIO uses ${second}`],
          ["hardware", smmu, "ok", "an SMMUv3, 44-bit guest physical addresses"],
          ["nesting", smmu, "ok", "a guest's own tables can be bound"],
        ],
      );
      assert.equal(alone.exitCode, 0);
      assert.deepEqual(await answer(COMMAND, "doctor", "--socket", target.slice("unix:".length)), alone);
    },
  },
];

function groupOf(address: string): string {
  return basename(readlinkSync(`/sys/bus/pci/devices/${address}/iommu_group`));
}

function answer(...command: readonly [string, ...string[]]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...command, "--json"], (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode !== "number" || stdout === "") reject(new Error(`${command}: ${error?.message}\n${stderr}`));
      else resolve({ ...JSON.parse(stdout), exitCode });
    });
  });
}
