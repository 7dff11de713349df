// An iommufd with devices bound to it, for as long as a function runs.

import { closeSync, openSync } from "node:fs";
import type { GuestDevice } from "../kernel-case.ts";
import { bindDevice, hardwareInfo, type SmmuInfo } from "./iommufd.ts";

export interface BoundDevice {
  readonly fd: number;
  readonly deviceID: number;
  readonly info: SmmuInfo;
}

export interface IommufdSession {
  readonly iommufd: number;
  readonly bound: readonly BoundDevice[];
}

/** Descriptors are closed when `use` has returned, or when the promise that it returned is settled. */
export function withDevices<T>(devices: readonly GuestDevice[], use: (session: IommufdSession) => T): T {
  const open: number[] = [];
  const close = (): void => {
    for (const fd of open.reverse()) closeSync(fd);
  };
  let result: T;
  try {
    const iommufd = opened("/dev/iommu", open);
    const bound = devices.map(({ cdev }) => {
      const fd = opened(cdev, open);
      const deviceID = bindDevice(fd, iommufd);
      return { fd, deviceID, info: hardwareInfo(iommufd, deviceID) };
    });
    result = use({ iommufd, bound });
  } catch (error) {
    close();
    throw error;
  }
  if (result instanceof Promise) void result.finally(close).catch(() => undefined);
  else close();
  return result;
}

function opened(path: string, open: number[]): number {
  const fd = openSync(path, "r+");
  open.push(fd);
  return fd;
}
