// The same values in the words of each VMM: QEMU's arguments, libvirt's XML, Cloud Hypervisor's arguments.
// Source: QEMU's docs/devel/vfio-iommufd.rst and hw/arm/smmuv3.c (13b941aa), libvirt's formatdomain.rst (12.2),
// Cloud Hypervisor's docs/vfio.md (#8287). Each output says so: names of arguments change with versions.

import { UsageError } from "./failure.ts";
import type { RenderInput } from "./render-values.ts";
import { printable } from "./terminal.ts";

export interface Rendered {
  /** Arguments, or the lines of the document. */
  readonly lines: readonly string[];
  /** Comments before them. */
  readonly comments: readonly string[];
}

/** Whether the VMM opens the nodes by itself or is started by iommuctl vend. */
export type Descriptors = "opened" | "vended";

export const VMMS: Readonly<Record<string, (input: RenderInput, descriptors?: Descriptors) => Rendered>> = {
  qemu: qemuArguments,
  libvirt: libvirtXml,
  "cloud-hypervisor": cloudHypervisorArguments,
};

const SELF_OPENED =
  "the VMM opens /dev/iommu and the device itself, so the device must be attached to no session of the broker meanwhile";

function vendedBy(id: string, program: string): string {
  return `run it as iommuctl vend ${id} -- ${program} …, which puts numbers in the place of {iommufd} and {device}`;
}

function qemuArguments(input: RenderInput, descriptors: Descriptors = "opened"): Rendered {
  const { id, smmu } = input;
  const isVended = descriptors === "vended";
  const properties = (smmu ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [`${name}=${value}`]));
  const behind = [
    "-device pxb-pcie,id=pcie.1,bus_nr=1,bus=pcie.0",
    `-device ${["arm-smmuv3", "primary-bus=pcie.1", "id=smmuv3.1", ...properties].join(",")}`,
    "-device pcie-root-port,id=pcie.port1,bus=pcie.1,chassis=1",
  ];
  return {
    comments: [
      ...(smmu === undefined
        ? ["QEMU: iommufd from 9.0 on"]
        : [
            "QEMU: iommufd from 9.0 on; arm-smmuv3 with accel as in hw/arm/smmuv3-accel.c of 13b941aa",
            "qemu-system-aarch64 -device arm-smmuv3,help lists what yours takes",
          ]),
      isVended
        ? vendedBy(id, "qemu-system-aarch64")
        : `${SELF_OPENED}; where it may not, give it descriptors: --vended prints the arguments for that`,
      ...(smmu === undefined
        ? []
        : ["pxb-pcie: QEMU has no emulated device behind an SMMU with accel, so the device has a root bus of its own"]),
      ...told(input),
    ],
    lines: [
      `-object iommufd,id=iommufd0${isVended ? ",fd={iommufd}" : ""}`,
      ...(smmu === undefined ? [] : behind),
      `-device vfio-pci,${isVended ? "fd={device}" : `host=${id}`},id=vfio0${smmu === undefined ? "" : ",bus=pcie.port1"},iommufd=iommufd0`,
    ],
  };
}

/** libvirt's names of what QEMU calls otherwise. */
const LIBVIRT_NAMES: Readonly<Record<string, string>> = { ssidsize: "ssidSize" };

function libvirtXml(input: RenderInput, descriptors: Descriptors = "opened"): Rendered {
  if (descriptors === "vended") {
    throw new UsageError(
      "iommuctl vend starts no VMM through libvirt: its clients pass descriptors by virDomainFDAssociate",
    );
  }
  const { address, smmu } = input;
  const { bus, domain, function: fn, slot } = address;
  const attributes = (smmu ?? [])
    .filter(({ value }) => value !== undefined)
    .map(({ name, value }) => ` ${LIBVIRT_NAMES[name] ?? name}='${value}'`)
    .join("");
  const behind = [
    "    <controller type='pci' index='1' model='pcie-expander-bus'/>",
    "    <controller type='pci' index='2' model='pcie-root-port'>",
    "      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>",
    "    </controller>",
    "    <iommu model='smmuv3'>",
    `      <driver pciBus='1'${attributes}/>`,
    "    </iommu>",
  ];
  return {
    comments: [
      "libvirt: iommufd from 12.2 on, pciBus from 11.10 on; into the domain of an aarch64 virt machine",
      SELF_OPENED,
      ...(smmu === undefined ? [] : ["the numbers of controllers 1 and 2 must be free in the domain"]),
      ...told(input),
    ],
    lines: [
      "<domain>",
      "  <iommufd enabled='yes'/>",
      "  <devices>",
      ...(smmu === undefined ? [] : behind),
      "    <hostdev mode='subsystem' type='pci' managed='no'>",
      "      <source>",
      `        <address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/>`,
      "      </source>",
      ...(smmu === undefined
        ? []
        : ["      <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>"]),
      "    </hostdev>",
      "  </devices>",
      "</domain>",
    ],
  };
}

function cloudHypervisorArguments({ attention, id }: RenderInput, descriptors: Descriptors = "opened"): Rendered {
  const isVended = descriptors === "vended";
  return {
    comments: [
      "Cloud Hypervisor with iommufd (#8287)",
      isVended
        ? vendedBy(id, "cloud-hypervisor")
        : `${SELF_OPENED}; where it may not, give it descriptors: --vended prints the arguments for that`,
      "iommufd=on: devices by /dev/iommu, as the broker has them",
      "vfio_p2p_dma=off: mapping BARs for peers fails before Linux 6.19; the broker does not tell the kernel's version",
      "no accel, ats, ril, ssidsize, oas: it nests no guest's tables on the host's SMMUv3 (RFC #7651)",
      ...attention.map((text) => `attention: ${text}`),
    ],
    lines: [
      `--platform iommufd=on${isVended ? ",iommufd_fd={iommufd}" : ""},vfio_p2p_dma=off`,
      `--device ${isVended ? "fd={device}" : `path=/sys/bus/pci/devices/${id}`},id=vfio0`,
    ],
  };
}

function told({ attention, smmu, smmuAttention }: RenderInput): readonly string[] {
  return [
    ...(smmu ?? []).map(({ name, value, why }) =>
      value === undefined ? `${name} is left out, the VMM's own default holds: ${why}` : `${name}=${value}: ${why}`,
    ),
    ...[...attention, ...smmuAttention].map((text) => `attention: ${text}`),
  ];
}

/** To paste into a shell: comments first, each argument a line. */
export function shellText({ comments, lines }: Rendered): string {
  return `${[...comments.map((text) => `# ${printable(text)}`), lines.join(" \\\n")].join("\n")}\n`;
}

/** A document with its comments inside; "--" would end them. */
export function xmlText({ comments, lines }: Rendered): string {
  const [root = "", ...rest] = lines;
  const inside = comments.map((text) => `  <!-- ${printable(text).replaceAll("--", "- -")} -->`);
  return `${[root, ...inside, ...rest].join("\n")}\n`;
}
