// iommuctl attach and detach: a device out of the host's hands into the session's, and back.

import { type Command, Option } from "commander";
import { type Device, Stage1Mode } from "../client/client.ts";
import { deviceName, parseAddress, parseDuration } from "./argument-values.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection.ts";
import { summaryOf } from "./device-text.ts";
import { type HandSession, holdingsOf, onlyOne, renewedDuring, withHandSession } from "./hand-session.ts";
import { deviceJson, jsonDocument } from "./json-output.ts";
import type { Surroundings } from "./program.ts";
import { type Lesson, taught } from "./teaching.ts";
import { printable } from "./terminal.ts";

interface AttachOptions extends ConnectionOptions {
  readonly virtualIommu?: string;
  readonly addressSpace?: string;
  readonly mode: keyof typeof MODES;
  readonly wait?: number;
  readonly preempt?: boolean;
  readonly generation?: bigint;
  readonly json?: boolean;
}

const MODES = { bypass: Stage1Mode.STAGE1_MODE_BYPASS, abort: Stage1Mode.STAGE1_MODE_ABORT } as const;

const ATTACH: Lesson = {
  summary: "Attaches a device to a virtual IOMMU of the session.",
  text: [
    "Without names it goes to the session's only virtual IOMMU; where there is none, one is made in the session's only address space, and where there is none of these either, an empty one is made. What was made is undone when the device cannot be attached. The device's whole IOMMU group belongs to the session from then on; its DMA is aborted until it is bound, unless --mode bypass says otherwise.",
  ],
  examples: [
    ["iommuctl attach 0000:01:00.0 --token-file hand.token", "with all that it needs"],
    ["iommuctl attach 0000:01:00.0 --mode bypass --token-file hand.token", "input addresses are guest physical ones"],
    ["iommuctl attach 0000:02:00.0 --wait 30s --token-file hand.token", "stand in line for it"],
  ],
  json: '{"device": Device, "virtualIommu", "addressSpace", "made": [name]}; addressSpace where it was chosen here',
  seeAlso: ["session", "map", "bind", "detach"],
};
const DETACH: Lesson = {
  summary: "Gives a device back.",
  text: ["When the last device of its IOMMU group leaves, the group is reset and is the host's again."],
  examples: [["iommuctl detach 0000:01:00.0 --token-file hand.token", "what is not attached is no error"]],
  json: '{"device": Device}',
  seeAlso: ["attach", "session close"],
};
const GENERATION = "refuse unless the group's generation is this one";

export function addAttach(program: Command, surroundings: Surroundings): void {
  const attach = taught(program.command("attach"), ATTACH)
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .addOption(new Option("--virtual-iommu <name>", "to this one").conflicts("addressSpace"))
    .option("--address-space <name>", "to a new virtual IOMMU in this address space")
    .addOption(new Option("--mode <mode>", "stage 1 until it is bound").choices(Object.keys(MODES)).default("abort"))
    .option("--wait <duration>", "stand in line while another session has it", parseDuration)
    .option("--preempt", "take it from a session that the policy ranks lower")
    .option("--generation <number>", GENERATION, parseAddress)
    .option("--json", "print JSON");
  addConnectionOptions(attach).action(async (device: string, options: AttachOptions) =>
    withHandSession(options, surroundings.environment, (hand) => attachWith(hand, device, options, surroundings)),
  );
  const detach = taught(program.command("detach"), DETACH)
    .argument("<device>", 'the device: "0000:01:00.0" or "devices/0000:01:00.0"')
    .option("--generation <number>", GENERATION, parseAddress)
    .option("--json", "print JSON");
  addConnectionOptions(detach).action(async (name: string, options: AttachOptions) =>
    withHandSession(options, surroundings.environment, async ({ session }) => {
      const request = { device: deviceName(name), expectedGeneration: options.generation };
      const device = await session.detachDevice(request);
      const { out } = surroundings;
      out(options.json === true ? jsonDocument({ device: deviceJson(device) }) : `${summaryOf(device)}\n`);
    }),
  );
}

/** Where a device goes, and what was made for it, in that order. */
interface Place {
  readonly virtualIommu: string;
  readonly addressSpace: string | undefined;
  readonly made: readonly string[];
}

async function attachWith(
  hand: HandSession,
  name: string,
  options: AttachOptions,
  { out }: Surroundings,
): Promise<void> {
  const device = deviceName(name);
  const place = await placeOf(hand, device, options);
  const { generation, mode, preempt, wait } = options;
  let attached: Device;
  try {
    const attaching = hand.session.attachDevice({
      device,
      virtualIommu: place.virtualIommu,
      initialMode: MODES[mode],
      expectedGeneration: generation,
      preempt,
      ...(wait !== undefined && { waitMs: wait }),
    });
    attached = await renewedDuring(hand, attaching);
  } catch (error) {
    await undo(hand, place.made);
    throw error;
  }
  const { addressSpace, made, virtualIommu } = place;
  if (options.json === true) out(jsonDocument({ device: deviceJson(attached), virtualIommu, addressSpace, made }));
  else out(`${summaryOf(attached)}\n${placeText(place)}`);
}

async function placeOf(hand: HandSession, device: string, options: AttachOptions): Promise<Place> {
  const { session } = hand;
  if (options.virtualIommu !== undefined) {
    return { virtualIommu: options.virtualIommu, addressSpace: undefined, made: [] };
  }
  const { iommu } = await session.getDevice(device);
  const holdings =
    options.addressSpace === undefined ? await holdingsOf(hand, "--virtual-iommu or --address-space") : undefined;
  const present = onlyOne(holdings?.virtualIommus ?? [], "virtual IOMMUs", "--virtual-iommu");
  if (present !== undefined) return { virtualIommu: present, addressSpace: undefined, made: [] };
  const chosen = options.addressSpace ?? onlyOne(holdings?.addressSpaces ?? [], "address spaces", "--address-space");
  const addressSpace = chosen ?? (await session.createAddressSpace()).name;
  const madeBefore = chosen === undefined ? [addressSpace] : [];
  try {
    const { name } = await session.createVirtualIommu({ addressSpace, iommus: [iommu] });
    return { virtualIommu: name, addressSpace, made: [...madeBefore, name] };
  } catch (error) {
    await undo(hand, madeBefore);
    throw error;
  }
}

async function undo({ session }: HandSession, made: readonly string[]): Promise<void> {
  for (const name of made.toReversed()) {
    if (name.startsWith("virtualIommus/")) await session.deleteVirtualIommu(name);
    else await session.deleteAddressSpace(name);
  }
}

function placeText({ addressSpace, made, virtualIommu }: Place): string {
  const line = (name: string) => `  ${printable(name)}${made.includes(name) ? ", made for it" : ""}\n`;
  return line(virtualIommu) + (addressSpace === undefined ? "" : line(addressSpace));
}
