import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { REQUEST } from "../../../src/backends/iommufd/ioctl-call.ts";
import type { Struct } from "../../../src/backends/iommufd/struct-layout.ts";
import * as uapi from "../../../src/backends/iommufd/structs.ts";
import { PRINTED } from "../../support/iommufd-offsets.ts";
import { kernelHeaders } from "../../support/kernel-headers.ts";

/** By the kernel's name. */
const STRUCTS = new Map<string, Struct>(
  Object.entries(uapi).flatMap(([name, value]) => ("create" in value ? [[name.toLowerCase(), value] as const] : [])),
);

/** "name@offset:bytes" of our table, with the length that every sized structure begins with. */
function shown({ fields }: Struct): string[] {
  return Object.entries(fields).map(([name, { at, bytes }]) => `${name}@${at}:${bytes}`);
}

test("every structure of the tables is one of the reference, and the other way round", () => {
  expect([...STRUCTS.keys()].sort()).toEqual(Object.keys(PRINTED).sort());
});

test.each(Object.entries(PRINTED))("%s lies as the reference prints it", (name, { bytes, fields }) => {
  const struct = STRUCTS.get(name)!;
  const printed = fields.split(" ").filter((field) => !/^(?:size@0|argsz@0|__reserved|pad@)/.test(field));
  expect(struct.bytes).toBe(bytes);
  expect(shown(struct)).toEqual(printed);
});

test.each(Object.entries(PRINTED))(
  "%s says its own length, and only where it has a field for that",
  (name, printed) => {
    const created = STRUCTS.get(name)!.create({});
    const first = new DataView(created.buffer).getUint32(0, true);
    expect(first).toBe(/^(?:size|argsz)@0:4/.test(printed.fields) ? printed.bytes : 0);
    expect(created.subarray(4).every((byte) => byte === 0)).toBe(true);
  },
);

/** The kernel's name of each number and structure for the C program; ours are shorter. */
const REQUEST_NAMES: Readonly<Record<keyof typeof REQUEST, string>> = {
  vfio_device_info: "VFIO_DEVICE_GET_INFO",
  vfio_reset: "VFIO_DEVICE_RESET",
  bind_iommufd: "VFIO_DEVICE_BIND_IOMMUFD",
  attach_pt: "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
  detach_pt: "VFIO_DEVICE_DETACH_IOMMUFD_PT",
  destroy: "IOMMU_DESTROY",
  ioas_alloc: "IOMMU_IOAS_ALLOC",
  ioas_iova_ranges: "IOMMU_IOAS_IOVA_RANGES",
  ioas_map: "IOMMU_IOAS_MAP",
  ioas_unmap: "IOMMU_IOAS_UNMAP",
  option: "IOMMU_OPTION",
  hwpt_alloc: "IOMMU_HWPT_ALLOC",
  get_hw_info: "IOMMU_GET_HW_INFO",
  hwpt_invalidate: "IOMMU_HWPT_INVALIDATE",
  fault_queue_alloc: "IOMMU_FAULT_QUEUE_ALLOC",
  ioas_map_file: "IOMMU_IOAS_MAP_FILE",
  viommu_alloc: "IOMMU_VIOMMU_ALLOC",
  vdevice_alloc: "IOMMU_VDEVICE_ALLOC",
  veventq_alloc: "IOMMU_VEVENTQ_ALLOC",
};

/** Values by the kernel's name of each. */
const VALUES: Readonly<Record<string, number | bigint>> = {
  IOMMU_IOAS_MAP_FIXED_IOVA: uapi.IOAS_MAP_FLAGS.FIXED_IOVA,
  IOMMU_IOAS_MAP_WRITEABLE: uapi.IOAS_MAP_FLAGS.WRITEABLE,
  IOMMU_IOAS_MAP_READABLE: uapi.IOAS_MAP_FLAGS.READABLE,
  IOMMU_OPTION_RLIMIT_MODE: uapi.OPTION.RLIMIT_MODE,
  IOMMU_OPTION_HUGE_PAGES: uapi.OPTION.HUGE_PAGES,
  IOMMU_OPTION_OP_SET: uapi.OPTION_OP.SET,
  IOMMU_OPTION_OP_GET: uapi.OPTION_OP.GET,
  IOMMU_HWPT_ALLOC_NEST_PARENT: uapi.HWPT_FLAGS.NEST_PARENT,
  IOMMU_HWPT_ALLOC_DIRTY_TRACKING: uapi.HWPT_FLAGS.DIRTY_TRACKING,
  IOMMU_HWPT_FAULT_ID_VALID: uapi.HWPT_FLAGS.FAULT_ID_VALID,
  IOMMU_HWPT_ALLOC_PASID: uapi.HWPT_FLAGS.PASID,
  IOMMU_HWPT_DATA_VTD_S1: uapi.HWPT_DATA.VTD_S1,
  IOMMU_HWPT_DATA_ARM_SMMUV3: uapi.HWPT_DATA.ARM_SMMUV3,
  IOMMU_VTD_S1_SRE: uapi.VTD_S1_FLAGS.SRE,
  IOMMU_VTD_S1_EAFE: uapi.VTD_S1_FLAGS.EAFE,
  IOMMU_VTD_S1_WPE: uapi.VTD_S1_FLAGS.WPE,
  IOMMU_HW_INFO_TYPE_INTEL_VTD: uapi.HW_INFO_TYPE.INTEL_VTD,
  IOMMU_HW_INFO_TYPE_ARM_SMMUV3: uapi.HW_INFO_TYPE.ARM_SMMUV3,
  IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV: uapi.HW_INFO_TYPE.TEGRA241_CMDQV,
  IOMMU_HW_CAP_DIRTY_TRACKING: uapi.HW_CAPABILITIES.DIRTY_TRACKING,
  IOMMU_HW_CAP_PCI_PASID_EXEC: uapi.HW_CAPABILITIES.PCI_PASID_EXEC,
  IOMMU_HW_CAP_PCI_PASID_PRIV: uapi.HW_CAPABILITIES.PCI_PASID_PRIV,
  IOMMU_HWPT_INVALIDATE_DATA_VTD_S1: uapi.INVALIDATE_DATA.VTD_S1,
  IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3: uapi.INVALIDATE_DATA.ARM_SMMUV3,
  IOMMU_PGFAULT_FLAGS_PASID_VALID: uapi.PGFAULT_FLAGS.PASID_VALID,
  IOMMU_PGFAULT_FLAGS_LAST_PAGE: uapi.PGFAULT_FLAGS.LAST_PAGE,
  IOMMU_PGFAULT_PERM_READ: uapi.PGFAULT_PERM.READ,
  IOMMU_PGFAULT_PERM_WRITE: uapi.PGFAULT_PERM.WRITE,
  IOMMU_PGFAULT_PERM_EXEC: uapi.PGFAULT_PERM.EXEC,
  IOMMU_PGFAULT_PERM_PRIV: uapi.PGFAULT_PERM.PRIV,
  IOMMUFD_PAGE_RESP_SUCCESS: uapi.PAGE_RESPONSE_CODE.SUCCESS,
  IOMMUFD_PAGE_RESP_INVALID: uapi.PAGE_RESPONSE_CODE.INVALID,
  IOMMU_VIOMMU_TYPE_ARM_SMMUV3: uapi.VIOMMU_TYPE.ARM_SMMUV3,
  IOMMU_VEVENTQ_TYPE_ARM_SMMUV3: uapi.VEVENTQ_TYPE.ARM_SMMUV3,
  IOMMU_VEVENTQ_FLAG_LOST_EVENTS: uapi.VEVENT_FLAGS.LOST_EVENTS,
  VFIO_DEVICE_FLAGS_RESET: uapi.VFIO_DEVICE_FLAGS.RESET,
  VFIO_DEVICE_FLAGS_PCI: uapi.VFIO_DEVICE_FLAGS.PCI,
  VFIO_DEVICE_FLAGS_PLATFORM: uapi.VFIO_DEVICE_FLAGS.PLATFORM,
  VFIO_DEVICE_FLAGS_CAPS: uapi.VFIO_DEVICE_FLAGS.CAPS,
};

/** A program that says what the compiler makes of the headers, one fact a line, as expectedLines() has them. */
function program(): string {
  const print = (fact: string, expression: string): string =>
    `  printf("%s %llu\\n", "${fact}", (unsigned long long)(${expression}));`;
  const lines = [...STRUCTS].flatMap(([name, { fields }]) => [
    print(name, `sizeof(struct ${name})`),
    ...Object.keys(fields).flatMap((field) => [
      print(`${name}.${field} at`, `offsetof(struct ${name}, ${field})`),
      print(`${name}.${field} bytes`, `sizeof(((struct ${name} *)0)->${field})`),
    ]),
  ]);
  const names = [...Object.values(REQUEST_NAMES), ...Object.keys(VALUES)];
  const includes = ["stdio.h", "stddef.h", "linux/iommufd.h", "linux/vfio.h"].map((each) => `#include <${each}>`);
  return [...includes, "int main(void) {", ...lines, ...names.map((each) => print(each, each)), "}", ""].join("\n");
}

function expectedLines(): string[] {
  const layouts = [...STRUCTS].flatMap(([name, { bytes, fields }]) => [
    `${name} ${bytes}`,
    ...Object.entries(fields).flatMap(([field, each]) => [
      `${name}.${field} at ${each.at}`,
      `${name}.${field} bytes ${each.bytes}`,
    ]),
  ]);
  const numbers = Object.entries(REQUEST).map(([name, number]) => `${Reflect.get(REQUEST_NAMES, name)} ${number}`);
  return [...layouts, ...numbers, ...Object.entries(VALUES).map(([name, value]) => `${name} ${value}`)];
}

test("a C compiler with the kernel's headers says the same", { timeout: 300_000 }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "iommufd-headers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const headers = await kernelHeaders(folder);
  if (headers.kind === "absent" && process.env.IOMMU_E2E_REQUIRED === "1") throw new Error(headers.reason);
  if (headers.kind === "absent") return context.skip(`layouts not compared with a C compiler: ${headers.reason}`);
  const [source, binary] = [join(folder, "layout.c"), join(folder, "layout")];
  writeFileSync(source, program());
  // -I, so that asm/ still comes from the machine where the package has none
  execFileSync("gcc", ["-Wall", "-I", headers.include, "-o", binary, source], { stdio: "pipe" });
  const said = execFileSync(binary, { encoding: "utf8" }).trim().split("\n");
  expect(said.sort()).toEqual(expectedLines().sort());
  expect(said.length).toBeGreaterThan(300);
});
