// How the fake iommufd says no: an errno, thrown, which the call answers with.

import { ERRNO } from "../../src/backends/iommufd/errno.ts";

export class Refusal extends Error {
  readonly errno: number;
  constructor(errno: keyof typeof ERRNO) {
    super(errno);
    this.errno = ERRNO[errno];
  }
}

export function refuseIf(condition: boolean, errno: keyof typeof ERRNO): void {
  if (condition) throw new Refusal(errno);
}
