// A simulated host with devices that wait for software: one whose transactions stall, one that makes page requests, one of
// neither kind. One guest with one page mapped, by a CD that stalls for all but the second. The backend alone, no core.

import type { AddressSpaceHandle, Backend, PartHandle } from "../../src/backends/backend.ts";
import type { FaultNotice, FaultRecord } from "../../src/backends/faults.ts";
import { type DeviceID, deviceID, virtualStreamID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import { createSimulatedBackend } from "../../src/backends/sim/backend.ts";
import type { SimulatedConfig } from "../../src/backends/sim/inventory.ts";
import type { SimulatedDma, SimulatorControl } from "../../src/backends/simulator-control.ts";
import { checkVSTE } from "../../src/backends/vste.ts";
import { GUEST_BASE, GuestTables } from "./guest-tables.ts";
import { turn } from "./host.ts";
import { BufferFile } from "./memory-file.ts";
import { contextDescriptor, OPEN } from "./smmuv3-tables.ts";

/** Its transactions may stall. */
export const DSP: DeviceID = deviceID("dsp");
/** With ATS and PRI. */
export const GPU: DeviceID = deviceID("gpu");
/** Of neither kind. */
export const UART: DeviceID = deviceID("uart");
export const STREAMS = { dsp: 0x20, gpu: 0x100, uart: 0x30 } as const;
/** What the guest calls them. */
export const NAMES = { dsp: 0x7, gpu: 0x8, uart: 0x9 } as const;
export const STALL_MAX = 16;

/** The page that is mapped, what stands there, and one that is not. */
export const MAPPED = 0x5000;
export const HOLE = 0x9000;
export const PAGE = GUEST_BASE + 0x10_0000;
const BYTES = 2 ** 21;
/** CD.S, bit 44 (IHI 0070 §5.4). */
const CD_S = 1n << 44n;

/** STALL_MODEL 0, TERM_MODEL 0, ATS [10] and PRI [16]; PRIQS 2^2; STALL_MAX 16 (§6.3.1, §6.3.2, §6.3.6). */
export const WAITING: SimulatedConfig = {
  iommus: [
    {
      id: "smmu0",
      registers: { idr0: 0x084d_141b, idr1: 0x0273_1510, idr3: 0x1414, idr5: 0x0010_0075, aidr: 1 },
    },
  ],
  devices: [
    { id: DSP, iommu: "smmu0", group: 0, streamIDs: [STREAMS.dsp], stall: true },
    { id: GPU, iommu: "smmu0", group: 1, streamIDs: [STREAMS.gpu], ats: true, pri: true, pasidBits: 8 },
    { id: UART, iommu: "smmu0", group: 2, streamIDs: [STREAMS.uart] },
  ],
};

export class WaitingWorld {
  readonly backend: Backend & SimulatorControl = createSimulatedBackend(WAITING);
  readonly heard: FaultNotice[] = [];
  readonly file = new BufferFile("/memory/guest", BYTES);
  readonly tables = new GuestTables(this.file);
  readonly root: number;
  readonly leaf: number;
  /** With S=1, and without. */
  readonly stallingCD: number;
  readonly plainCD: number;
  space!: AddressSpaceHandle;
  part!: PartHandle;

  private constructor() {
    this.backend.onFault((notice) => this.heard.push(notice));
    this.root = this.tables.root("4K");
    this.leaf = this.tables.map("4K", this.root, MAPPED, PAGE);
    this.stallingCD = this.tables.allocate(64);
    this.tables.writeCD(contextDescriptor(this.root, { extra0: CD_S }), this.stallingCD);
    this.plainCD = this.tables.cd("4K", this.root);
    this.file.data.fill(0xaa, PAGE - GUEST_BASE, PAGE - GUEST_BASE + 4096);
  }

  /** Everything attached; nothing bound. */
  static async make(): Promise<WaitingWorld> {
    const world = new WaitingWorld();
    const { backend, file } = world;
    world.space = await backend.createAddressSpace();
    const whole = { ipa: GUEST_BASE, bytes: BYTES, file, offset: 0, readable: true, writable: true };
    await backend.map(world.space, [whole]);
    world.part = await backend.createPart(world.space, backend.inventory.iommus()[0]!.id);
    for (const { group } of backend.inventory.devices()) await backend.attach(group, world.part, "abort");
    return world;
  }

  device(id: DeviceID): HostDevice {
    return this.backend.inventory.devices().find((device) => device.id === id)!;
  }

  /** V, Config 0b101, the CD; S1CIR, S1COR, S1CSH; EATS [93:92], S1STALLD 91 (§5.2). */
  async bind(id: DeviceID, options: { eats?: bigint; stalld?: bigint } = {}): Promise<void> {
    const { eats = id === GPU ? 1n : 0n, stalld = 0n } = options;
    const cd = id === GPU ? this.plainCD : this.stallingCD;
    const vste = checkVSTE(0xbn | BigInt(cd), 0xd4n | (eats << 28n) | (stalld << 27n));
    const name = id === GPU ? NAMES.gpu : id === DSP ? NAMES.dsp : NAMES.uart;
    await this.backend.bindGuestStage({ device: id, part: this.part, virtualStreamID: virtualStreamID(name), vste });
  }

  mapHole(): void {
    this.tables.poke(this.#holeEntry(), BigInt(PAGE) | OPEN | 3n);
  }

  /** And CMD_TLBI_NH_ALL. */
  async unmapHole(): Promise<void> {
    this.tables.poke(this.#holeEntry(), 0n);
    await this.backend.invalidate([this.part], [{ opcode: 0x10, dword0: 0x10n, dword1: 0n }]);
  }

  /** One byte, or the end it came to. */
  async read(id: DeviceID, iova: number = HOLE, bytes = 1): Promise<string> {
    const access: SimulatedDma = { ...WHERE, iova: BigInt(iova), kind: "read", bytes };
    const [outcome] = await this.backend.dma(id, [access]);
    return outcome!.end === "ok" ? `ok ${outcome!.data[0]!.toString(16)}` : outcome!.end;
  }

  async write(id: DeviceID, iova: number, value: number): Promise<string> {
    const [outcome] = await this.backend.dma(id, [
      { ...WHERE, iova: BigInt(iova), kind: "write", data: Uint8Array.of(value) },
    ]);
    return outcome!.end;
  }

  /** How a translation ends, which carries nothing out. */
  async translate(id: DeviceID, iova: number = HOLE): Promise<string> {
    const [outcome] = await this.backend.translate(id, [{ ...WHERE, iova: BigInt(iova), access: "read" }]);
    return outcome!.end;
  }

  faults(): readonly FaultRecord[] {
    return this.heard.flatMap((notice) => (notice.kind === "fault" ? [notice.fault] : []));
  }

  /** "event 1", "ended 1", "overflow": what was told, in order, by cookie. */
  story(): readonly string[] {
    return this.heard.map((notice) => {
      if (notice.kind === "overflow") return "overflow";
      if (notice.kind === "ended") return `ended ${notice.cookie}`;
      return `event ${notice.fault.pending?.cookie ?? "-"}`;
    });
  }

  /** The cookie of the last event. */
  cookie(): number {
    return this.faults().at(-1)?.pending?.cookie ?? Number.NaN;
  }

  /** Lets the drivers' turns come; a DMA takes its own before. */
  async settle(): Promise<void> {
    for (let count = 0; count < 4; count += 1) await turn();
  }

  /** Level 3 entry of the hole: it is in the table of the mapped page. */
  #holeEntry(): number {
    return this.leaf + ((HOLE - MAPPED) / 4096) * 8;
  }
}

const WHERE = { substreamID: undefined, privileged: false, streamIndex: 0 } as const;
