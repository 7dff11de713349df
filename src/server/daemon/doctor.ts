// iommu-brokerd --doctor: examines this host without a daemon, with the permissions of whoever runs it.
// It is the daemon's program and not iommuctl that does it, for the command line knows the client and nothing else.
// The hardware is asked, as the daemon asks it, through devices on a VFIO driver that nobody uses.

import {
  askingProbe,
  counterFindings,
  deviceProbe,
  examineHost,
  exitCodeOf,
  HOST_ROOTS,
} from "../../backends/select.ts";
import { hostFiles } from "../../os/host-files.ts";
import { createNativeKernel } from "../../os/native-kernel.ts";
import { perfEvents } from "../../os/perf-events.ts";
import { Poller } from "../../os/poller.ts";
import { doctorJson, doctorLines } from "../doctor-lines.ts";

/** @returns what to print, and the exit code: 0 nothing amiss, 1 something is left out, 2 something stands in the way */
export async function doctor(asJson: boolean): Promise<{ readonly text: string; readonly exitCode: 0 | 1 | 2 }> {
  const poller = new Poller((error) => {
    throw error; // nothing is watched here
  });
  const kernel = createNativeKernel({ poller });
  try {
    const findings = await examineHost({
      files: hostFiles,
      roots: HOST_ROOTS,
      uid: process.getuid?.() ?? 0,
      probe: askingProbe(deviceProbe(kernel, HOST_ROOTS)),
      counters: await counterFindings(hostFiles, HOST_ROOTS, perfEvents),
    });
    return {
      text: `${asJson ? doctorJson(findings) : doctorLines(findings).join("\n")}\n`,
      exitCode: exitCodeOf(findings),
    };
  } finally {
    await kernel.shutDown();
    await poller.close();
  }
}
