// What a failed call of the kernel means: errno → BrokerError, for each call by itself, because one number says different
// things. The message ends with the remedy; the facts name the errno and the ioctl.
// What no row expects is backend_failed: a bug of ours, or something that the kernel log knows.
// Source: Linux 7.2 drivers/iommu/iommufd, drivers/iommu/arm/arm-smmu-v3, drivers/vfio.

import { BrokerError, type BrokerErrorCode, type Facts } from "../errors.ts";
import { CALLS, type KernelCall, type Meaning } from "./errno-table.ts";

/** asm-generic/errno-base.h and errno.h, which arm64 and x86-64 share. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ENOSPC: 28,
  ESPIPE: 29,
  EDEADLK: 35,
  EOVERFLOW: 75,
  EBADFD: 77,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  ETIMEDOUT: 110,
} as const;

const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [number, name]));

/** "EBUSY", or "errno 200" for one that these calls do not give. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/**
 * @param errno  positive
 * @param facts  what the call was about: the device, the range
 */
export function callError(call: KernelCall, errno: number, facts: Facts = {}): BrokerError {
  const name = errnoName(errno);
  const { ioctl } = CALLS[call];
  const { code, text, limit } = meaningOf(call, name);
  return new BrokerError(
    code,
    `${ioctl} fails (${name}): ${text}`,
    { ...facts, errno: name, ioctl, ...(limit === undefined ? {} : { limit }) },
    RETRY.has(code) ? { retryAfterMs: RETRY_MS } : {},
  );
}

/** Waiting can help here: memory is freed, a device is let go. */
const RETRY: ReadonlySet<BrokerErrorCode> = new Set(["limit_reached", "backend_unavailable"]);
const RETRY_MS = 1000;

function meaningOf(call: KernelCall, name: string): Meaning {
  const { rows, since } = CALLS[call];
  const row = rows[name];
  if (row !== undefined) return row;
  if (name === "ENOTTY") {
    return { code: "backend_unsupported", text: `this kernel does not know it: run Linux ${since} or newer` };
  }
  return EVERYWHERE[name] ?? { code: "backend_failed", text: "this is not expected: look into the kernel log" };
}

/** For calls that have no row of their own. */
const EVERYWHERE: Readonly<Record<string, Meaning>> = {
  EOPNOTSUPP: {
    code: "backend_unsupported",
    text: "the kernel or the driver of this IOMMU cannot do it: run a newer kernel, or do without",
  },
  E2BIG: {
    code: "backend_unsupported",
    text: "the kernel's structure is older and has not what was asked for: run a newer kernel",
  },
  ENOMEM: { code: "backend_unavailable", text: "the kernel has no memory for it: free some" },
  ENOENT: { code: "backend_failed", text: "an object that it names is not there" },
  EBUSY: { code: "in_use", text: "the object is in use by another one" },
  ENODEV: { code: "backend_failed", text: "the device is gone: it was removed or unbound from vfio-pci" },
};
