// What a VMM is told, from the registers of a real daemon's two SMMUs and from hosts made by hand.

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "../../examples/support/broker-process.ts";
import { renderInput } from "../../src/cli/render-values.ts";
import { shellText, VMMS, xmlText } from "../../src/cli/render-vmms.ts";
import { type BrokerClient, type Capabilities, connect, type Device } from "../../src/client/client.ts";
import { iommuctlHere } from "../support/iommuctl-process.ts";

const NVME = "devices/0000:01:00.0";
let broker: BrokerProcess;
let client: BrokerClient;
let device: Device;
let capabilities: Capabilities;

beforeAll(async () => {
  broker = await startBroker();
  client = connect(broker.target);
  device = await client.getDevice(NVME);
  capabilities = await client.getCapabilities({ device: NVME });
});

afterAll(async () => {
  client.close();
  expect(await broker.stop()).toBe(0);
});

/** The host with something else about its IOMMU, or about the device. */
function host(
  iommu: Partial<Capabilities["iommus"][number]>,
  more: Partial<NonNullable<Capabilities["device"]>> = {},
): Capabilities {
  const { device: own, iommus } = capabilities;
  return { ...capabilities, iommus: iommus.map((each) => ({ ...each, ...iommu })), device: { ...own!, ...more } };
}

function valuesOf(of: Capabilities): Record<string, string | undefined> | undefined {
  const { smmu } = renderInput(device, of);
  return smmu && Object.fromEntries(smmu.map(({ name, value }) => [name, value]));
}

/** Registers whose named fields have these values. */
function withFields(
  fields: Readonly<Record<string, number>>,
): Pick<Capabilities["iommus"][number], "fields" | "reduced"> {
  const [{ fields: all, reduced }] = [capabilities.iommus[0]!];
  return {
    fields: all.map((field) => ({ ...field, value: fields[field.field] ?? field.value })),
    reduced: reduced.filter(({ field }) => fields[field] === undefined),
  };
}

async function rendered(vmm: string, name: string, ...more: string[]) {
  return await iommuctlHere(["render", vmm, name, ...more], { IOMMUBROKER_SOCKET: broker.socket });
}

describe("the values", () => {
  test("are those of the registers that a guest is shown, and of the device", () => {
    // smmu0 of deploy/simulated.yaml: IDR0 0x0d4c101b (ATS, bit 10: 0), IDR1 0x02730510 (SSIDSIZE 20),
    // IDR3 0x1414 (RIL, bit 10: 1), IDR5 0x75 (OAS 5: 48 bits); IHI 0070 §6.3
    expect(valuesOf(capabilities)).toEqual({ accel: "on", ats: "off", ril: "on", ssidsize: "20", oas: "48" });
  });

  test("ATS is on only where the SMMU and the device have it", () => {
    expect(valuesOf(host(withFields({ ATS: 1 }), { ats: true }))).toMatchObject({ ats: "on" });
    expect(valuesOf(host(withFields({ ATS: 1 }), { ats: false }))).toMatchObject({ ats: "off" });
    expect(valuesOf(host(withFields({ ATS: 0 }), { ats: true }))).toMatchObject({ ats: "off" });
  });

  test("a field that a guest is shown otherwise counts as it is shown", () => {
    const reduced = [{ register: "IDR3", field: "RIL", hostValue: 1, virtualValue: 0, reason: "because" }];
    expect(valuesOf(host({ reduced }))).toMatchObject({ ril: "off" });
  });

  test("SubstreamIDs are what SMMU and device have in common", () => {
    expect(valuesOf(host(withFields({ SSIDSIZE: 20 }), { pasidBits: 8 }))).toMatchObject({ ssidsize: "8" });
    expect(valuesOf(host(withFields({ SSIDSIZE: 0 }), { pasidBits: 0 }))).toMatchObject({ ssidsize: "0" });
  });

  test.each([
    [52, "48"],
    [48, "48"],
    [44, "44"],
    [42, undefined],
    [0, undefined],
  ])("of %d output bits QEMU can show %s", (outputBits, oas) => {
    expect(valuesOf(host({ outputBits }))?.oas).toBe(oas);
  });

  test("what is not known is left out with the reason, and nothing is guessed", () => {
    const { registers: _registers, ...iommu } = capabilities.iommus[0]!;
    const unknown = {
      ...capabilities,
      iommus: [{ ...iommu, unknownReason: "no device is bound", fields: [], reduced: [] }],
    };
    expect(valuesOf(unknown)).toEqual({
      accel: "on",
      ats: undefined,
      ril: undefined,
      ssidsize: undefined,
      oas: undefined,
    });
    const text = shellText(VMMS.qemu!(renderInput(device, unknown)));
    expect(text).toMatch(/^# oas is left out.*: the ID registers are unknown: no device is bound$/m);
    expect(text).toMatch(/^-device arm-smmuv3,primary-bus=pcie\.1,id=smmuv3\.1,accel=on \\$/m);
  });

  test("where no guest's tables can be nested there is no SMMUv3, and the reason is told", () => {
    const without = host({ nesting: false, nestingReason: "no -- CANWBS" });
    const text = shellText(VMMS.qemu!(renderInput(device, without)));
    expect(text).toContain("# attention: no emulated SMMUv3 with accel: no -- CANWBS\n");
    expect(text).not.toContain("arm-smmuv3,primary");
    expect(text).toMatch(/^-device vfio-pci,host=0000:01:00\.0,id=vfio0,iommufd=iommufd0$/m);
    expect(xmlText(VMMS.libvirt!(renderInput(device, without)))).not.toContain("<iommu ");
  });

  test("granules that QEMU would not take are told", () => {
    const { smmuAttention } = renderInput(device, host({ granuleBytes: [4096] }));
    expect(smmuAttention).toEqual([expect.stringMatching(/lacks 16 KiB, 64 KiB$/)]);
  });

  test("a group of several devices and an owner are told", () => {
    const groupDevices = [NVME, "devices/0000:01:00.1"];
    const owned = { ...device, groupDevices, owner: "sessions/x", ownerDisplayName: "vm 1" };
    const { attention } = renderInput(owned, capabilities);
    expect(attention).toContainEqual('it belongs to "vm 1" now');
    expect(attention).toContainEqual(expect.stringContaining("devices/0000:01:00.1"));
  });
});

/** As another program reads it: element and attributes, in order. */
function parsedXml(xml: string): readonly (readonly [tag: string, attributes: Record<string, string>])[] {
  const script =
    "import sys,json,xml.etree.ElementTree as e; print(json.dumps([[x.tag,x.attrib] for x in e.fromstring(sys.stdin.read()).iter()]))";
  const { status, stderr, stdout } = spawnSync("python3", ["-c", script], { input: xml, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

describe("the command", () => {
  test("gives QEMU's arguments, each comment before them", async () => {
    const { code, err, out } = await rendered("qemu", "0000:01:00.0");
    expect([code, err]).toEqual([0, ""]);
    const lines = out.split("\n");
    expect(lines.findLastIndex((line) => line.startsWith("#"))).toBeLessThan(
      lines.indexOf("-object iommufd,id=iommufd0 \\"),
    );
    expect(lines).toContain(
      "-device arm-smmuv3,primary-bus=pcie.1,id=smmuv3.1,accel=on,ats=off,ril=on,ssidsize=20,oas=48 \\",
    );
    for (const name of ["accel", "ats", "ril", "ssidsize", "oas"])
      expect(out).toMatch(new RegExp(`^# ${name}=.*: `, "m"));
    expect(out).toContain("# attention: this broker simulates its IOMMUs");
  });

  test("what it prints for a shell is arguments to a shell", async () => {
    for (const vmm of ["qemu", "cloud-hypervisor"]) {
      const { out } = await rendered(vmm, "0000:01:00.0");
      const { stderr, stdout } = spawnSync("bash", ["-c", out.replace(/^(?=-)/m, "printf '%s\\n' ")], {
        encoding: "utf8",
      });
      const argv = stdout.split("\n").slice(0, -1);
      expect([vmm, stderr, argv.length % 2]).toEqual([vmm, "", 0]);
      const json: { arguments: string[] } = JSON.parse((await rendered(vmm, "0000:01:00.0", "--json")).out);
      expect(argv).toEqual(json.arguments.flatMap((line) => line.split(" ")));
    }
  });

  test("gives libvirt's XML, well-formed, with the comments in it", async () => {
    const { out } = await rendered("libvirt", "0000:01:00.0");
    const elements = parsedXml(out);
    expect(elements.map(([tag]) => tag).slice(0, 3)).toEqual(["domain", "iommufd", "devices"]);
    expect(elements).toContainEqual(["iommu", { model: "smmuv3" }]);
    expect(elements).toContainEqual([
      "driver",
      { pciBus: "1", accel: "on", ats: "off", ril: "on", ssidSize: "20", oas: "48" },
    ]);
    expect(elements).toContainEqual(["address", { domain: "0x0000", bus: "0x01", slot: "0x00", function: "0x0" }]);
    expect(out).toMatch(/<!-- ril=on: IDR3\.RIL is 1 -->/);
  });

  test("a comment cannot end itself", () => {
    const evil = host({ nesting: false, nestingReason: "x --> <evil/> <!-- \u001b" });
    const xml = xmlText(VMMS.libvirt!(renderInput(device, evil)));
    expect(parsedXml(xml).map(([tag]) => tag)).not.toContain("evil");
    expect(xml).not.toContain("\u001b");
  });

  test("tells Cloud Hypervisor nothing that it does not take", async () => {
    const { out } = await rendered("cloud-hypervisor", "0000:01:00.0");
    expect(out.split("\n").slice(-3, -1)).toEqual([
      "--platform iommufd=on,vfio_p2p_dma=off \\",
      "--device path=/sys/bus/pci/devices/0000:01:00.0,id=vfio0",
    ]);
  });

  test("for iommuctl vend QEMU is given descriptors, and opens nothing", async () => {
    const { out } = await rendered("qemu", "0000:01:00.0", "--vended", "--no-smmu");
    const lines = out.split("\n");
    expect(lines.filter((line) => line.startsWith("-"))).toEqual([
      "-object iommufd,id=iommufd0,fd={iommufd} \\",
      "-device vfio-pci,fd={device},id=vfio0,iommufd=iommufd0",
    ]);
    expect(out).toMatch(/^# run it as iommuctl vend 0000:01:00\.0 -- qemu-system-aarch64 /m);
    expect(out).not.toMatch(/opens|arm-smmuv3,|accel=/);
  });

  test("for iommuctl vend the device is behind the guest's SMMUv3 as before", async () => {
    const { out } = await rendered("qemu", "0000:01:00.0", "--vended");
    const lines = out.split("\n");
    expect(lines).toContain("-device vfio-pci,fd={device},id=vfio0,bus=pcie.port1,iommufd=iommufd0");
    expect(out).toMatch(/^-device arm-smmuv3,primary-bus=pcie\.1,.*oas=48 \\$/m);
  });

  test("for iommuctl vend Cloud Hypervisor is given descriptors, too", async () => {
    const { out } = await rendered("cloud-hypervisor", "0000:01:00.0", "--vended");
    expect(out.split("\n").slice(-3, -1)).toEqual([
      "--platform iommufd=on,iommufd_fd={iommufd},vfio_p2p_dma=off \\",
      "--device fd={device},id=vfio0",
    ]);
  });

  test("without an SMMUv3 for the guest there are no values, and none is missed", async () => {
    const { out } = await rendered("libvirt", "0000:01:00.0", "--no-smmu", "--json");
    const json: { xml: string; values?: unknown; attention: string[] } = JSON.parse(out);
    expect(json.xml).not.toContain("<iommu ");
    expect(json.values).toBeUndefined();
    expect(json.attention).toEqual([expect.stringContaining("simulates")]);
  });

  test("JSON has each value with its reason", async () => {
    const { out } = await rendered("libvirt", "0000:01:00.0", "--json");
    expect(JSON.parse(out)).toMatchObject({
      vmm: "libvirt",
      device: NVME,
      values: [{ name: "accel" }, { name: "ats", value: "off", why: "IDR0.ATS is 0" }, {}, {}, { name: "oas" }],
      attention: [expect.stringContaining("simulates")],
    });
  });

  test.each([
    [
      "a VMM that it does not know",
      ["bochs", "0000:01:00.0"],
      64,
      /Allowed choices are qemu, libvirt, cloud-hypervisor/,
    ],
    [
      "libvirt for iommuctl vend, which cannot start it",
      ["libvirt", "0000:01:00.0", "--vended"],
      64,
      /virDomainFDAssociate/,
    ],
    ["a device that is not there", ["qemu", "0000:ff:00.0"], 5, /DEVICE_UNKNOWN/],
  ])("%s is refused", async (_what, argv, code, message) => {
    const run = await iommuctlHere(["render", ...argv], { IOMMUBROKER_SOCKET: broker.socket });
    expect([run.code, run.out]).toEqual([code, ""]);
    expect(run.err).toMatch(message);
  });

  test("a device without a PCI address is for no VMM", () => {
    expect(() => renderInput({ ...device, name: "devices/nic" }, capabilities)).toThrow(/"nic" is no PCI address/);
  });
});
