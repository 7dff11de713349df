// The IORT of this QEMU's machine, as one boot shows it, with CANWBS: once for each QEMU and each set of machine options.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { cached } from "./cache.ts";
import type { HostTools } from "./host-tools.ts";
import { bareInitrd } from "./initrd.ts";
import { tableOverride, withCanwbs } from "./iort.ts";
import { boot, MACHINE } from "./machine.ts";
import type { Say } from "./unavailable.ts";

const BOOT_MS = 120_000;

export interface Ingredients {
  readonly tools: HostTools;
  readonly kernel: string;
  readonly busybox: string;
}

/** The archive to put in front of the initrd. */
export async function iortOverride({ tools, kernel, busybox }: Ingredients, say: Say): Promise<Buffer> {
  const key = createHash("sha256")
    .update(`${tools.qemuVersion} ${MACHINE.join(" ")} `)
    .update(readFileSync(tools.firmware));
  const path = await cached(`iort-${key.digest("hex").slice(0, 16)}.aml`, async (file) => {
    say("booting once for the machine's IORT");
    const initrd = `${file}.initrd`;
    writeFileSync(initrd, bareInitrd(busybox));
    const lines: string[] = [];
    const options = { kernel, initrd, kernelArgs: "iommu_e2e=iort", timeoutMs: BOOT_MS };
    await boot(tools, { ...options, onLine: (line) => lines.push(line) });
    const hex = /@kernel-iort ([0-9a-f]+)/.exec(lines.join("\n"))?.[1];
    if (hex === undefined) throw new Error(`the guest showed no IORT:\n${lines.slice(-20).join("\n")}`);
    writeFileSync(file, withCanwbs(Buffer.from(hex, "hex")));
  });
  return tableOverride(readFileSync(path));
}
