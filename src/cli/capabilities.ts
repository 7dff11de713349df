// iommuctl capabilities: what the host's IOMMUs, or one device, can do for a guest, and why not more.

import type { Command } from "commander";
import type { BrokerClient, Capabilities } from "../client/client.ts";
import { capabilitiesText } from "./capabilities-text.ts";
import { addTargetOptions, type ConnectionOptions, withBroker } from "./connection.ts";
import { capabilitiesJson, jsonDocument } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";

interface CapabilitiesOptions extends ConnectionOptions {
  readonly fields?: boolean;
  readonly json?: boolean;
}

const LESSON: Lesson = {
  summary: "Shows what the host's IOMMUs, or one device, can do for a guest.",
  text: [
    "Of each IOMMU: whether a guest's tables can be nested, widths, granules, and every field of the ID registers that a guest is shown other than the host has it, with the reason. Of a device also what can be mapped for it.",
  ],
  examples: [
    ["iommuctl capabilities", "every IOMMU"],
    ["iommuctl capabilities 0000:01:00.0", "one device, and the IOMMU it sits behind"],
    ["iommuctl capabilities smmu0 --fields", "with every field of its registers"],
    ["iommuctl capabilities --json | jq '.iommus[].virtualRegisters'", "the registers to show a guest"],
  ],
  json: "the answer of GetCapabilities",
  seeAlso: ["render", "doctor", "devices"],
};

export function addCapabilities(program: Command, surroundings: Surroundings): void {
  const command = taught(program.command("capabilities"), LESSON)
    .argument("[name]", 'an IOMMU or a device: "smmu0", "iommus/smmu0", "0000:01:00.0", "devices/0000:01:00.0"')
    .option("--fields", "every register, and every field of it with what its value means")
    .option("--json", "print the answer as JSON");
  addTargetOptions(command).action(async (name: string | undefined, options: CapabilitiesOptions) => {
    const { environment, out, terminal } = surroundings;
    const answer = await withBroker(options, environment, (client) => capabilitiesOf(client, name));
    if (options.json === true) out(jsonDocument(capabilitiesJson(answer)));
    else out(capabilitiesText(answer, options.fields === true, terminal));
  });
}

/** A name without a folder is an IOMMU's where there is one of that name, else a device's. */
async function capabilitiesOf(client: BrokerClient, name: string | undefined): Promise<Capabilities> {
  if (name === undefined) return await client.getCapabilities({});
  if (name.startsWith("iommus/")) return await client.getCapabilities({ iommu: name });
  if (name.startsWith("devices/")) return await client.getCapabilities({ device: name });
  const all = await client.getCapabilities({});
  const iommu = `iommus/${name}`;
  if (all.iommus.some((each) => each.name === iommu)) return await client.getCapabilities({ iommu });
  return await client.getCapabilities({ device: `devices/${name}` });
}
