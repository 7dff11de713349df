// A kernel that plays iommufd and VFIO devices for tests of the native backend: calls in, the reference's object rules
// (fake-iommufd-rules.ts), answers out. Any call can be told to fail, what is left over can be listed, and events and
// page faults can be put into queues. It moves no data and knows no time.
// Source: reference of the uAPI §2-§5.

import { BrokerError } from "../../src/backends/errors.ts";
import { ERRNO } from "../../src/backends/iommufd/errno.ts";
import { REQUEST } from "../../src/backends/iommufd/ioctl-call.ts";
import type { ChainStep, FilePart, IoctlRequest, IoctlResult, Kernel } from "../../src/backends/iommufd/kernel.ts";
import { IOMMU_HWPT_PGFAULT } from "../../src/backends/iommufd/structs.ts";
import { type Called, callDevice, callIommufd } from "./fake-iommufd-calls.ts";
import { queueEvent, readQueue } from "./fake-iommufd-queues.ts";
import { Refusal } from "./fake-iommufd-refusal.ts";
import { FakeContext, type FakeDevice, type Queue } from "./fake-iommufd-rules.ts";
import { ownedKernel } from "./fake-owned-kernel.ts";

export interface OpenIommufd {
  readonly kind: "iommufd";
  readonly context: FakeContext;
}
export interface OpenDevice {
  readonly kind: "device";
  readonly device: FakeDevice;
  bound: { readonly context: FakeContext; readonly id: number } | undefined;
}
export interface OpenQueue {
  readonly kind: "queue";
  readonly context: FakeContext;
  readonly queue: Queue;
}
export type OpenFile = OpenIommufd | OpenDevice | OpenQueue;

/** A call as it is named in failures: an ioctl, or what is none. */
export type FakeCall = keyof typeof REQUEST | "open" | "mapFile" | "watch" | "write";

export interface FakeMachine {
  readonly devices: readonly FakeDevice[];
  /** Bytes that may be pinned; without a limit when absent. */
  readonly lockedMemoryMax?: bigint;
  /** Ioctls that this kernel is too old for. */
  readonly unknown?: readonly FakeCall[];
  /** Groups that a driver of the host has. */
  readonly hostGroups?: readonly number[];
  /** The daemon is without CAP_SYS_RESOURCE. */
  readonly limited?: boolean;
  /** Devices' interrupts are not isolated. */
  readonly unsafeInterrupts?: boolean;
}

const FIRST_FD = 1000;
const FIRST_ADDRESS = 0x7000_0000_0000n;

export class FakeIommufd implements Kernel {
  readonly machine: FakeMachine;
  readonly files = new Map<number, OpenFile>();
  /** What fault queues were answered with: whole iommu_hwpt_page_response structures. */
  readonly responses: Uint8Array[] = [];
  /** Commands that vIOMMUs and nested HWPTs took, in order. */
  readonly invalidated: { readonly target: number; readonly bytes: Uint8Array }[] = [];
  /** By descriptor, on whose behalf it was called last. */
  readonly owners = new Map<number, string>();
  /** Every call so far, by name. */
  readonly calls: FakeCall[] = [];
  /** Times that each device was reset, by path. */
  readonly resets = new Map<string, number>();
  readonly #failures: { readonly fits: (name: FakeCall, count: number) => boolean; readonly errno: number }[] = [];
  readonly #listeners = new Map<number, () => void>();
  readonly #views = new Map<bigint, number>();
  readonly #devices: Map<string, FakeDevice>;

  constructor(machine: FakeMachine) {
    this.machine = machine;
    this.#devices = new Map(machine.devices.map((device) => [device.path, device]));
  }

  // What a test asks for.

  /** The n-th call from now fails, the next one being 1, whatever it is; once. */
  failCall(n: number, errno: keyof typeof ERRNO): void {
    const at = this.calls.length + n;
    this.#failures.push({ fits: (_, count) => count === at, errno: ERRNO[errno] });
  }

  /** Every call of that name fails, until the returned function is called. */
  failAll(call: FakeCall, errno: keyof typeof ERRNO): () => void {
    const failure = { fits: (name: FakeCall) => name === call, errno: ERRNO[errno] };
    this.#failures.push(failure);
    return () => void this.#failures.splice(this.#failures.indexOf(failure), 1);
  }

  /** Everything that is alive: open files, mapped views, and the objects of every iommufd, devices among them. */
  alive(): { readonly files: number; readonly views: number; readonly objects: readonly string[] } {
    const contexts = this.contexts();
    const objects = contexts.flatMap(({ objects }) => [...objects].map(([id, { kind }]) => `${kind} ${id}`));
    return { files: this.files.size, views: this.#views.size, objects: objects.sort() };
  }

  /** The ranges whose pages the kernel holds. */
  pinned(): ReturnType<FakeContext["pinned"]> {
    return this.contexts().flatMap((context) => context.pinned());
  }

  /** Iommufds that are open, or that something open keeps. */
  contexts(): FakeContext[] {
    const open = [...this.files.values()].flatMap((file) => {
      if (file.kind !== "device") return [file.context];
      return file.bound === undefined ? [] : [file.bound.context];
    });
    return [...new Set(open)];
  }

  /** What translates for a device: the HWPT's kind, "blocked" when it is bound and detached, "host" when it is not bound. */
  translation(path: string): string {
    for (const file of this.files.values()) {
      if (file.kind !== "device" || file.device.path !== path || file.bound === undefined) continue;
      const { context } = file.bound;
      const entry = context.attached.get(file.device.group);
      if (entry === undefined) return "blocked";
      return `${context.get(entry.hwpt, "paging", "nested").kind} ${entry.hwpt}`;
    }
    return "host";
  }

  /** The SMMU records an event for a device that has a vDEVICE: nothing is told where its vIOMMU has no queue. */
  raiseEvent(path: string, event: Uint8Array): void {
    const found = this.#bound(path);
    const vdevice = found?.context.vdeviceOf(found.id);
    if (found === undefined || vdevice === undefined) return;
    const queue = found.context.veventqOf(found.context.get(vdevice, "vdevice").viommu);
    if (queue !== undefined) this.#tell(queueEvent(found.context.get(queue, "veventq"), event));
  }

  /** A group of page faults, whole, for the HWPT that a device is attached to. */
  raisePageFault(path: string, faults: readonly Parameters<(typeof IOMMU_HWPT_PGFAULT)["create"]>[0][]): void {
    const found = this.#bound(path);
    const entry = found?.context.attached.get(this.#devices.get(path)?.group ?? -1);
    const hwpt = entry === undefined ? undefined : found?.context.objects.get(entry.hwpt);
    if (found === undefined || hwpt?.kind !== "nested" || hwpt.fault === undefined) return;
    const queue = found.context.get(hwpt.fault, "fault");
    const bytes = Buffer.concat(faults.map((fault) => IOMMU_HWPT_PGFAULT.create({ ...fault, dev_id: found.id })));
    queue.records.push({ bytes, isLost: false });
    this.#tell(queue);
  }

  // What the backend asks for.

  ownedBy(owner: string): Kernel {
    return ownedKernel(this, (fd) => this.owners.set(fd, owner));
  }

  async ioctl(request: IoctlRequest): Promise<IoctlResult> {
    await turn();
    return this.ioctlNow(request);
  }

  async ioctls(steps: readonly ChainStep[]): Promise<readonly IoctlResult[]> {
    await turn();
    const results: IoctlResult[] = [];
    for (const step of steps) {
      const bytes = step.bytes.slice();
      if (step.take !== undefined) {
        const { step: from, at, into } = step.take;
        bytes.set(results[from]!.bytes.subarray(at, at + 4), into);
      }
      results.push(this.ioctlNow({ ...step, bytes }));
      if (results.at(-1)!.result < 0) break;
    }
    return results;
  }

  ioctlNow({ fd, request, bytes, payload }: IoctlRequest): IoctlResult {
    const called: Called = { bytes: bytes.slice(), payload: payload?.bytes.slice() };
    const result = this.#result(nameOf(request), (name) => {
      const file = this.files.get(fd);
      if (file === undefined) throw new Refusal("EBADF");
      if (file.kind === "iommufd") callIommufd(this, file.context, name, called);
      else if (file.kind === "device") callDevice(this, file, name, called);
      else throw new Refusal("ENOTTY");
      return 0;
    });
    return { result, bytes: called.bytes, payload: called.payload };
  }

  async open(path: string): Promise<number> {
    await turn();
    return this.#result("open", () => {
      const device = this.#devices.get(path);
      if (device !== undefined) return this.addFile({ kind: "device", device, bound: undefined });
      if (path !== "/dev/iommu") throw new Refusal("ENOENT");
      return this.addFile({ kind: "iommufd", context: new FakeContext() });
    });
  }

  addFile(file: OpenFile): number {
    let fd = FIRST_FD;
    while (this.files.has(fd)) fd += 1;
    this.files.set(fd, file);
    return fd;
  }

  async close(fd: number): Promise<void> {
    await turn();
    const file = this.files.get(fd);
    if (file === undefined) throw new Error(`descriptor ${fd} is closed twice`);
    if (this.#listeners.has(fd)) throw new Error(`descriptor ${fd} is closed while it is watched`);
    this.files.delete(fd);
    if ([...this.files.values()].includes(file)) return; // another process still has it
    if (file.kind === "device") file.bound?.context.unbind(file.bound.id);
    if (file.kind === "queue") file.queue.hasOpenFile = false;
  }

  /** What SCM_RIGHTS does: another number for the same open file, which is closed with its last one. */
  dup(fd: number): number {
    const file = this.files.get(fd);
    if (file === undefined) throw new Error(`descriptor ${fd} is not open`);
    return this.addFile(file);
  }

  /** kill -9 of the daemon: what only it had is closed, what it mapped is gone. @param kept  descriptors that others have */
  async killDaemon(...kept: readonly number[]): Promise<void> {
    this.#listeners.clear();
    this.#views.clear();
    for (const fd of [...this.files.keys()]) if (!kept.includes(fd)) await this.close(fd);
  }

  onReadable(fd: number, listener: () => void): () => void {
    if (this.#listeners.has(fd)) throw new Error(`descriptor ${fd} is watched twice`);
    if (this.#result("watch", () => 0) < 0) throw new BrokerError("backend_failed", "epoll does not take it", { fd });
    this.#listeners.set(fd, listener);
    this.#wake(fd);
    return () => void this.#listeners.delete(fd);
  }

  readNow(fd: number, into: Uint8Array): number {
    const file = this.files.get(fd);
    return file?.kind === "queue" ? readQueue(file.queue, into) : -ERRNO.EBADF;
  }

  writeNow(fd: number, from: Uint8Array): number {
    const failure = this.#result("write", () => 0);
    if (failure < 0) return failure;
    const file = this.files.get(fd);
    if (file?.kind !== "queue" || file.queue.kind !== "fault" || from.byteLength % 8 !== 0) return -ERRNO.EINVAL;
    for (let at = 0; at < from.byteLength; at += 8) this.responses.push(from.slice(at, at + 8));
    return from.byteLength;
  }

  async mapFile({ bytes }: FilePart): Promise<bigint> {
    await turn();
    let address = FIRST_ADDRESS;
    const failure = this.#result("mapFile", () => 0);
    if (failure < 0) return BigInt(failure);
    while (this.#views.has(address)) address += 2n ** 32n;
    this.#views.set(address, bytes);
    return address;
  }

  async unmapFile(address: bigint, bytes: number): Promise<void> {
    await turn();
    if (this.#views.get(address) !== bytes) throw new Error(`no view of ${bytes} bytes at ${address}`);
    this.#views.delete(address);
  }

  #result(name: FakeCall, run: (name: FakeCall) => number): number {
    this.calls.push(name);
    const failure = this.#failures.find(({ fits }) => fits(name, this.calls.length));
    if (failure !== undefined) return -failure.errno;
    if (this.machine.unknown?.includes(name)) return -ERRNO.ENOTTY;
    try {
      return run(name);
    } catch (error) {
      if (error instanceof Refusal) return -error.errno;
      throw error;
    }
  }

  #bound(path: string): { readonly context: FakeContext; readonly id: number } | undefined {
    for (const file of this.files.values()) {
      if (file.kind === "device" && file.device.path === path && file.bound !== undefined) return file.bound;
    }
    return undefined;
  }

  #tell(queue: Queue): void {
    for (const [fd, file] of this.files) if (file.kind === "queue" && file.queue === queue) this.#wake(fd);
  }

  /** Tells again while something is left, as epoll does, but always later. */
  #wake(fd: number): void {
    setImmediate(() => {
      const [listener, file] = [this.#listeners.get(fd), this.files.get(fd)];
      if (listener === undefined || file?.kind !== "queue" || file.queue.records.length === 0) return;
      listener();
      this.#wake(fd);
    });
  }
}

function nameOf(request: number): FakeCall {
  for (const name of names(REQUEST)) if (REQUEST[name] === request) return name;
  throw new Error(`no ioctl has the number 0x${request.toString(16)}`);
}

function names<T extends object>(table: T): (keyof T)[] {
  return Object.keys(table).filter((key): key is Extract<keyof T, string> => key in table);
}

/** Calls of the kernel come back later, and other things happen meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
