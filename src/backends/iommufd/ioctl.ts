// Every ioctl of iommufd and of VFIO devices that the backend makes, one typed function each, named as the kernel's.
// They remember nothing; what fails is a BrokerError of errno.ts.

export * from "./hwpt-ioctl.ts";
export * from "./ioas-ioctl.ts";
export type { KernelFile } from "./ioctl-call.ts";
export * from "./vfio-ioctl.ts";
