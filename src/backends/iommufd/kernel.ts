// What the native backend needs of the kernel, and nothing else: src/os implements it, tests play it.
// Calls that can sleep (pinning, attaching, freeing, closing) are answered by promises and never run on the event loop.
// Source: linux/iommufd.h, linux/vfio.h; HOUSE rule 6.

/** One ioctl. */
export interface IoctlRequest {
  readonly fd: number;
  /** The request number, 32 bits. */
  readonly request: number;
  /** The structure, which the kernel reads; what it writes is in the result. At most 4,096 bytes. */
  readonly bytes: Uint8Array;
  /** Memory that a field of the structure points to: its address stands at `pointerAt` during the call. At most 1 MiB. */
  readonly payload?: Payload;
  /** What a success writes to the structure is of no interest: the result may have it as it came. */
  readonly isInput?: boolean;
}

export interface Payload {
  readonly pointerAt: number;
  readonly bytes: Uint8Array;
  /** The kernel only reads it: then it is not in the result. */
  readonly isInput?: boolean;
}

/** One ioctl of several. */
export interface ChainStep extends IoctlRequest {
  /** The 32 bits at byte `at` of an earlier step's structure, as the kernel left it, go to byte `into` of this one's. */
  readonly take?: { readonly step: number; readonly at: number; readonly into: number };
}

export interface IoctlResult {
  /** What ioctl(2) returned, or the negative errno. */
  readonly result: number;
  /** The structure afterwards. */
  readonly bytes: Uint8Array;
  /** The payload afterwards, where the kernel may have written to it. */
  readonly payload: Uint8Array | undefined;
}

export interface Kernel {
  /** The same, for calls on somebody's behalf: in the line for calls that can sleep, owners take turns. */
  ownedBy(owner: string): Kernel;
  /** For calls that can sleep. Calls run side by side: who needs an order waits for the one before. */
  ioctl(request: IoctlRequest): Promise<IoctlResult>;
  /**
   * The same for several, one after the other until one fails: as long as one call on its way there and back.
   * @returns the results of those that were made, without payloads
   */
  ioctls(steps: readonly ChainStep[]): Promise<readonly IoctlResult[]>;
  /** On the event loop: GET_HW_INFO alone, and HWPT_INVALIDATE of what is answered at once. */
  ioctlNow(request: IoctlRequest): IoctlResult;
  /**
   * Opens a device node for reading and writing, close-on-exec.
   * @returns the descriptor, or the negative errno
   */
  open(path: string): Promise<number>;
  /** Closing a device can wait for its DMA to end. */
  close(fd: number): Promise<void>;
  /** Calls the listener, never from within, whenever there is something to read, until the returned function is called. */
  onReadable(fd: number, listener: () => void): () => void;
  /** Reads without waiting. @returns bytes read, 0 when there is nothing, or the negative errno */
  readNow(fd: number, into: Uint8Array): number;
  /** Writes without waiting. @returns bytes written, or the negative errno */
  writeNow(fd: number, from: Uint8Array): number;
  /**
   * Memory of the broker's own that shows part of a file sealed against shrinking, for IOAS_MAP where the kernel has no
   * IOAS_MAP_FILE. Nobody here reads or writes it. Offset and length are multiples of the page.
   * @returns the address, or the negative errno
   */
  mapFile(part: FilePart): Promise<bigint>;
  /** Gives back what mapFile gave; what an IOAS maps of it must be unmapped there first. */
  unmapFile(address: bigint, bytes: number): Promise<void>;
}

export interface FilePart {
  readonly fd: number;
  readonly offset: number;
  readonly bytes: number;
  readonly writable: boolean;
}
