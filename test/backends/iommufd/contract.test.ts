import type { DeviceID, GroupID } from "../../../src/backends/ids.ts";
import { nativeWorld, PassedFile } from "../../support/native-world.ts";
import { backendContract } from "../contract.ts";

let serial = 0;

/** Config of what the kernel would install, as arm_smmu_make_nested_domain_ste and its siblings make it; VMID 1. */
const STAGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  host: [0xbn, 0n],
  blocked: [0x1n, 0n],
  "1 0": [0x1n, 0n],
  "9 0": [0xdn, 0n],
};

async function subject() {
  const world = await nativeWorld();
  const { backend } = world;
  const devices = backend.inventory.devices();
  return {
    backend,
    single: world.device(1),
    other: world.device(2),
    group: world.group(3),
    ste: (device: DeviceID) => {
      const stage = world.stage(Number(device.at(-3)));
      const [dword0, dword1] = STAGES[stage] ?? nested(stage);
      return [dword0, dword1, 1n, 0n, 0n, 0n, 0n, 0n];
    },
    members: (group: GroupID) => devices.filter((device) => device.group === group).map(({ id }) => id),
    read: async () => "nothing moves",
    file: (bytes: number) => new PassedFile(`/memory/${++serial}`, bytes),
    settle: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
}

/** Config 0b101 becomes 0b111. */
function nested(stage: string): readonly [bigint, bigint] {
  const [dword0, dword1] = stage.split(" ").map((word) => BigInt(`0x${word}`));
  return [dword0! | 0x4n, dword1!];
}

backendContract("native, on a kernel that is played", subject, { movesData: false, previewsSTE: false });
