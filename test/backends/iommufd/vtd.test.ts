// A guest's first-stage table on a VT-d that nests, on the played kernel, through core: nobody has seen it on hardware.
// Words of iommu_hwpt_vtd_s1 by hand after include/uapi/linux/iommufd.h: flags@0, pgtbl_addr@8, addr_width@16.

import { expect, test } from "vitest";
import { virtualStreamID } from "../../../src/backends/ids.ts";
import type { PageTable } from "../../../src/backends/page-table.ts";
import { BYPASS_VSTE, checkVSTE, type VSTE } from "../../../src/backends/vste.ts";
import type { DurableRecord } from "../../../src/server/core/durable.ts";
import { recordsOf } from "../../../src/server/store/codec.ts";
import { fakeSmmu, fakeVtd, VTD_CAP_VALUE, VTD_NESTS } from "../../support/fake-iommufd-machine.ts";
import type { FakeIommu } from "../../support/fake-iommufd-rules.ts";
import { attach, CALLER, type Guest, refusal, type TestHost, testHost } from "../../support/host.ts";
import {
  BASE,
  devicePath,
  MEMORY_BYTES,
  type NativeWorld,
  nativeWorld,
  PassedFile,
} from "../../support/native-world.ts";

const ROOT = 0x4012_3000n;
const TABLE: PageTable = { root: ROOT, addressBits: 48, sre: false, eafe: false, wpe: false };
const TRANSLATE = checkVSTE(0xbn | 0x4000_0000n, 0xd4n);

interface Host {
  readonly world: NativeWorld;
  readonly host: TestHost;
}

async function vtdHost(
  { iommu = fakeVtd(), isOn = true }: { iommu?: FakeIommu; isOn?: boolean } = {},
  records: readonly DurableRecord[] = [],
): Promise<Host> {
  const world = await nativeWorld({ iommu, experiments: { vtdNesting: isOn } });
  const host = testHost({ wrap: () => world.backend, withSimulator: false });
  await host.core.recover(records);
  return { world, host };
}

/** A guest with 2 MiB at BASE that came by ticket, and the first device attached. */
async function attached({ host, world }: Host, writable = true): Promise<Guest> {
  const { addressSpaces, sessions, virtualIommus } = host.core;
  const { session, token } = sessions.open({ displayName: "vmm", ttlMs: undefined, caller: CALLER });
  const { id: addressSpace } = await addressSpaces.create(session.id, "eager");
  const file = new PassedFile("ticket:ram", MEMORY_BYTES);
  file.label = "ram";
  host.tickets.files.set("1", file);
  const range = { ipa: BigInt(BASE), bytes: BigInt(MEMORY_BYTES), source: 0, offset: 0n, readable: true, writable };
  await addressSpaces.map(session.id, { addressSpace, sources: [{ ticket: "1" }], mappings: [range] });
  const wish = { addressSpace, iommus: [world.device(1).iommu], registers: undefined };
  const { id: virtualIommu } = await virtualIommus.create(session.id, wish);
  const vmm = { session: session.id, token, addressSpace, virtualIommu, file };
  await attach(host, vmm, world.device(1).id, "abort");
  return vmm;
}

type Stage = { readonly pageTable: PageTable } | { readonly vste: VSTE };

function bind({ host, world }: Host, vmm: Guest, stage: Stage, validateOnly = false) {
  const ask = { device: world.device(1).id, virtualStreamID: undefined, validateOnly, expectedGeneration: undefined };
  return host.core.stages.bind(vmm.session, { ...ask, ...stage });
}

/** What the device is attached to: flags, root and width of a guest's table, or "stage 2", "blocked", "host". */
function installed({ world }: Host): string {
  const [kind, id] = world.kernel.translation(devicePath(world.device(1).id)).split(" ");
  if (kind === "paging") return "stage 2";
  if (kind !== "nested") return kind ?? "";
  const [context] = world.kernel.contexts().filter(({ attached }) => attached.size > 0);
  const { data } = context!.get(Number(id), "nested");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const words = [view.getBigUint64(0, true), view.getBigUint64(8, true), BigInt(view.getUint32(16, true))];
  return words.map((word) => word.toString(16)).join(" ");
}

test("a table is nested on stage 2, replaced, and given up for stage 2 and for the blocking domain", async () => {
  const on = await vtdHost();
  const vmm = await attached(on);
  expect(installed(on)).toBe("blocked");
  const { device, disposition } = await bind(on, vmm, { pageTable: TABLE });
  expect([device.state, device.generation, disposition]).toEqual(["guest-nested", 2, "translate"]);
  expect(installed(on)).toBe("0 40123000 30");
  await bind(on, vmm, { pageTable: { ...TABLE, root: ROOT + 0x1000n, wpe: true } }); // WPE is 4
  expect(installed(on)).toBe("4 40124000 30");
  const objects = on.world.kernel.alive().objects.filter((name) => name.startsWith("nested"));
  expect(objects).toHaveLength(1);
  await on.host.core.stages.unbind(vmm.session, { device: device.id, expectedGeneration: undefined });
  expect(installed(on)).toBe("stage 2");
  await bind(on, vmm, { pageTable: TABLE });
  await bind(on, vmm, { vste: checkVSTE(1n, 0n) });
  expect(installed(on)).toBe("blocked");
  await bind(on, vmm, { vste: BYPASS_VSTE });
  expect(installed(on)).toBe("stage 2");
  await on.host.core.sessions.close(vmm.session);
  expect(on.world.kernel.alive()).toEqual({ files: 1, views: 0, objects: [] });
});

test("five levels, supervisor requests and accessed flags reach the kernel where the IOMMU has them", async () => {
  const five = VTD_CAP_VALUE | (1n << 60n);
  const on = await vtdHost({ iommu: fakeVtd(five, VTD_NESTS | (1n << 31n) | (1n << 34n)) });
  const vmm = await attached(on);
  await bind(on, vmm, { pageTable: { ...TABLE, addressBits: 57, sre: true, eafe: true } });
  expect(installed(on)).toBe("3 40123000 39"); // SRE 1, EAFE 2; 57 is 0x39
});

test("validate_only installs nothing and knows no host STE", async () => {
  const on = await vtdHost();
  const vmm = await attached(on);
  const { preview } = await bind(on, vmm, { pageTable: TABLE }, true);
  expect([preview, installed(on)]).toEqual([{ hostSTE: [], wouldFault: [] }, "blocked"]);
});

test.each([
  ["an address above MGAW", { root: 1n << 48n }, ["page_table.root"]],
  ["one that is not a page's", { root: ROOT + 8n }, ["page_table.root"]],
  ["five levels without CAP.FS5LP", { addressBits: 57 }, ["page_table.address_bits"]],
  ["a width that no level has", { addressBits: 39 }, ["page_table.address_bits"]],
  ["SRE without ECAP.SRS", { sre: true }, ["page_table.sre"]],
  ["EAFE without ECAP.EAFS", { eafe: true }, ["page_table.eafe"]],
  [
    "all of it",
    { root: 7n, addressBits: 0, sre: true },
    ["page_table.root", "page_table.address_bits", "page_table.sre"],
  ],
])("%s is refused by its path, and the stage stays", async (_, change, paths) => {
  const on = await vtdHost();
  const vmm = await attached(on);
  const error = await refusal(() => bind(on, vmm, { pageTable: { ...TABLE, ...change } }));
  expect([error.code, error.fields.map(({ path }) => path)]).toEqual(["argument_invalid", paths]);
  expect(installed(on)).toBe("blocked");
});

test("a virtual StreamID is for an STE", async () => {
  const on = await vtdHost();
  const vmm = await attached(on);
  const device = on.world.device(1).id;
  const ask = { device, validateOnly: false, expectedGeneration: undefined, pageTable: TABLE };
  const named = { ...ask, virtualStreamID: virtualStreamID(0) };
  const error = await refusal(() => on.host.core.stages.bind(vmm.session, named));
  expect(error.fields[0]?.path).toBe("virtual_stream_id");
});

test("off, the key is named; an SMMUv3 takes STEs; a VT-d takes none", async () => {
  const off = await vtdHost({ isOn: false });
  const vmm = await attached(off);
  const unset = await refusal(() => bind(off, vmm, { pageTable: TABLE }));
  expect([unset.code, unset.message]).toEqual([
    "backend_unsupported",
    expect.stringContaining("native.experimental_vtd_nesting"),
  ]);
  const arm = await vtdHost({ iommu: fakeSmmu() });
  const guest = await attached(arm);
  const wrong = await refusal(() => bind(arm, guest, { pageTable: TABLE }));
  expect([wrong.code, wrong.message]).toEqual(["backend_unsupported", expect.stringContaining("bind an STE")]);
  const on = await vtdHost();
  const ste = await refusal(() => attached(on).then((own) => bind(on, own, { vste: TRANSLATE })));
  expect([ste.code, ste.message]).toEqual(["backend_unsupported", expect.stringContaining("bind a page_table")]);
});

test("capabilities say that it can be bound, and that nobody has verified it", async () => {
  const shapes = ({ host }: Host) => host.core.capabilities.iommus(undefined, undefined)[0]?.shapes;
  const on = await vtdHost();
  expect(shapes(on)).toEqual([
    { shape: "smmuv3-ste", supported: false, reason: "it is no SMMUv3 and takes no STE" },
    {
      shape: "single-page-table",
      supported: true,
      reason: "",
      unverified: expect.stringContaining("no emulated VT-d nests"),
    },
  ]);
  expect(on.host.core.capabilities.device(on.world.device(1).id)).toMatchObject({ translate: true });
  const off = await vtdHost({ isOn: false });
  expect(shapes(off)?.[1]).toMatchObject({ supported: false, unverified: "" });
});

test("there are no invalidations for it, which is said and not passed over", async () => {
  const on = await vtdHost();
  const vmm = await attached(on);
  const all = [{ dword0: 0x30n, dword1: 0n }]; // CMD_TLBI_NSNH_ALL
  const invalidate = () => on.host.core.virtualIommus.invalidate(vmm.session, vmm.virtualIommu, all);
  await bind(on, vmm, { pageTable: TABLE });
  const error = await refusal(invalidate);
  expect([error.code, error.message]).toEqual(["backend_unsupported", expect.stringContaining("bind the table again")]);
  expect(on.world.kernel.invalidated).toEqual([]);
});

test("memory that devices only read cannot be nested on, and the error says where it is", async () => {
  const on = await vtdHost();
  const vmm = await attached(on, false);
  const error = await refusal(() => bind(on, vmm, { pageTable: TABLE }));
  expect([error.code, error.message]).toEqual(["backend_unsupported", expect.stringContaining("0x40000000")]);
  await bind(on, vmm, { vste: BYPASS_VSTE });
  expect(installed(on)).toBe("stage 2");
});

test("a bound table is there again after a restart, and given up where the key was taken away", async () => {
  const on = await vtdHost();
  const vmm = await attached(on);
  await bind(on, vmm, { pageTable: { ...TABLE, wpe: true } });
  const bytes = recordsOf(JSON.parse(JSON.stringify(on.host.durable)), "/state");
  const again = await vtdHost({}, bytes);
  expect(installed(again)).toBe("4 40123000 30");
  expect(again.host.core.devices.list()).toEqual(on.host.core.devices.list());
  const image = await vtdHost({}, again.host.core.image());
  expect(installed(image)).toBe("4 40123000 30");
  const off = await vtdHost({ isOn: false }, bytes);
  expect([installed(off), off.host.core.census().sessions]).toEqual(["host", 0]);
});

test("every failure on the way leaves the stage of before and nothing more", async () => {
  for (const call of ["hwpt_alloc", "attach_pt"] as const) {
    const on = await vtdHost();
    const vmm = await attached(on);
    await bind(on, vmm, { pageTable: TABLE });
    const before = on.world.kernel.alive();
    on.world.kernel.failAll(call, "EINVAL");
    await refusal(() => bind(on, vmm, { pageTable: { ...TABLE, root: 0x4000_0000n } }));
    expect([installed(on), on.world.kernel.alive()], call).toEqual(["0 40123000 30", before]);
  }
});
