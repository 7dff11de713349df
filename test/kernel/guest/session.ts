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
  /** To be closed with the rest, before what was opened earlier. */
  readonly keep: (fd: number) => number;
}

export async function withDevices<T>(
  devices: readonly GuestDevice[],
  use: (session: IommufdSession) => T | Promise<T>,
): Promise<T> {
  const open: number[] = [];
  const keep = (fd: number): number => {
    open.push(fd);
    return fd;
  };
  try {
    const iommufd = keep(openSync("/dev/iommu", "r+"));
    const bound = devices.map(({ cdev }) => {
      const fd = keep(openSync(cdev, "r+"));
      const deviceID = bindDevice(fd, iommufd);
      return { fd, deviceID, info: hardwareInfo(iommufd, deviceID) };
    });
    return await use({ iommufd, bound, keep });
  } finally {
    for (const fd of open.reverse()) closeSync(fd);
  }
}
