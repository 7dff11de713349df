import { NO_HOST_PREVIEW, NO_STALLS } from "../../contract/native-lacks.ts";
import type { ContractSubject, Lack, Lacks } from "../../contract/subject.ts";
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

async function subject(): Promise<ContractSubject> {
  const world = await nativeWorld();
  const { backend } = world;
  const devices = backend.inventory.devices();
  const group = world.group(3);
  return {
    backend,
    single: world.device(1),
    other: world.device(2),
    means: {
      streamTable: async (device) => {
        const stage = world.stage(Number(device.at(-3)));
        const [dword0, dword1] = STAGES[stage] ?? nested(stage);
        return [dword0, dword1, 1n, 0n, 0n, 0n, 0n, 0n];
      },
      group: { id: group, members: devices.filter((device) => device.group === group).map(({ id }) => id) },
    },
    file: (bytes) => new PassedFile(`/memory/${++serial}`, bytes),
    settle: () => new Promise<void>((resolve) => setImmediate(resolve)),
    end: async () => {},
  };
}

/** Config 0b101 becomes 0b111. */
function nested(stage: string): readonly [bigint, bigint] {
  const [dword0, dword1] = stage.split(" ").map((word) => BigInt(`0x${word}`));
  return [dword0! | 0x4n, dword1!];
}

const NO_DMA: Lack = { capability: "devices that move data" };
const LACKS: Lacks = { dma: NO_DMA, stage2Faults: NO_DMA, stalls: NO_STALLS, hostPreview: NO_HOST_PREVIEW };

backendContract("native, on a kernel that is played", { make: subject, lacks: LACKS, casesMin: 11 });
