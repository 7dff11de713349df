// iommuctl render: what a VMM must be told to have a device, with each value from what this host can do.

import { Argument, type Command } from "commander";
import { deviceName } from "./argument-values.ts";
import { addTargetOptions, type ConnectionOptions, withBroker } from "./connection.ts";
import { jsonDocument } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { renderInput } from "./render-values.ts";
import { shellText, VMMS, xmlText } from "./render-vmms.ts";
import { type Lesson, taught } from "./teaching.ts";

interface RenderOptions extends ConnectionOptions {
  readonly json?: boolean;
  readonly smmu: boolean;
  readonly vended?: boolean;
}

const LESSON: Lesson = {
  summary: "Prints a VMM's arguments for a device, each value with its reason.",
  text: [
    "The values come from the ID registers that a guest is to be shown and from what the device has (iommuctl capabilities). What the host does not tell is left out, and a comment says so. For what is given and why: the comments before the arguments, or in the XML.",
  ],
  examples: [
    ["iommuctl render qemu 0000:01:00.0", "-object iommufd, -device arm-smmuv3, -device vfio-pci"],
    [
      "iommuctl render qemu 0000:01:00.0 --vended --no-smmu",
      "for iommuctl vend, and a QEMU whose arm-smmuv3 has no accel: stage 2 alone",
    ],
    ["iommuctl render libvirt 0000:01:00.0 > device.xml", "elements of the domain"],
    ["iommuctl render cloud-hypervisor 0000:01:00.0 --json | jq -r '.arguments[]'", "the arguments alone"],
  ],
  json: '{"vmm", "device", "arguments": [line] or, for libvirt, "xml", "values": [{"name", "value", "why"}], "attention": [text]}; values where the guest has an SMMUv3, value where it is known',
  seeAlso: ["capabilities", "devices"],
};

export function addRender(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("render"), LESSON)
    .addArgument(new Argument("<vmm>", "which VMM").choices(Object.keys(VMMS)))
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .option("--vended", "for iommuctl vend: with descriptors in the place of what the VMM opens (not libvirt)")
    .option("--no-smmu", "without an SMMUv3 for the guest, also where it could have one")
    .option("--json", "print JSON");
  addTargetOptions(command).action(async (vmm: string, name: string, options: RenderOptions) => {
    const { environment, out } = surroundings;
    const device = deviceName(name);
    const whole = await withBroker(options, environment, async (client) =>
      renderInput(await client.getDevice(device), await client.getCapabilities({ device })),
    );
    const input = options.smmu ? whole : { ...whole, smmu: undefined, smmuAttention: [] };
    const rendered = VMMS[vmm]?.(input, options.vended === true ? "vended" : "opened") ?? { lines: [], comments: [] };
    const text = vmm === "libvirt" ? xmlText(rendered) : shellText(rendered);
    const content = vmm === "libvirt" ? { xml: text } : { arguments: rendered.lines };
    const { smmu: values } = input;
    const attention = [...input.attention, ...(vmm === "cloud-hypervisor" ? [] : input.smmuAttention)];
    out(options.json === true ? jsonDocument({ vmm, device, ...content, values, attention }) : text);
  });
}
