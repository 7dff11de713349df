import { beforeEach, describe, expect, test } from "vitest";
import type { MappingRequest } from "../../../src/server/core/address-space-verbs.ts";
import {
  addFile,
  attach,
  Failures,
  type Guest,
  guest,
  NVME,
  readEnds,
  refusal,
  type TestHost,
  testHost,
} from "../../support/host.ts";

const KIB = 1024n;
const MIB = 1024n * KIB;
const BASE = 0x4000_0000n; // guest() maps 2 MiB here

let host: TestHost;
let vmm: Guest;
let failures: Failures;
beforeEach(async () => {
  failures = new Failures();
  host = testHost({ wrap: failures.wrap });
  vmm = await guest(host);
  addFile(host, "/memory/small", 0x1_2345); // not a multiple of a page: the last page is not whole
});

function mapping(change: Partial<MappingRequest> = {}): MappingRequest {
  return { ipa: 0x8000_0000n, bytes: 4n * KIB, source: 0, offset: 0n, readable: true, writable: true, ...change };
}

const map = (mappings: readonly MappingRequest[], sources: readonly string[] = ["/memory/small"]) =>
  host.core.addressSpaces.map(vmm.session, { addressSpace: vmm.addressSpace, sources, mappings });
const unmap = (...ranges: readonly { ipa: bigint; bytes: bigint }[]) =>
  host.core.addressSpaces.unmap(vmm.session, { addressSpace: vmm.addressSpace, ranges });

/** Refused with this path, and nothing of the batch is anywhere: census, backend, files. */
async function expectRefused(path: string, act: () => Promise<unknown>, code = "argument_invalid") {
  const before = host.core.census();
  const references = [...host.files.values()].map((file) => file.references);
  const calls = failures.calls.length;
  const error = await refusal(act);
  expect(error.code).toBe(code);
  if (path !== "") expect(error.fields[0]!.path).toBe(path);
  expect(host.core.census()).toEqual(before);
  expect(failures.calls).toHaveLength(calls);
  expect([...host.files.values()].map((file) => file.references)).toEqual(references);
  return error;
}

describe("one bad range among good ones maps nothing", () => {
  const GOOD = mapping({ ipa: 0x9000_0000n });
  test.each([
    ["bytes 0", mapping({ bytes: 0n }), "bytes"],
    ["bytes below a page", mapping({ bytes: 4095n }), "bytes"],
    ["bytes not a multiple of a page", mapping({ bytes: 4097n }), "bytes"],
    ["an unaligned IPA", mapping({ ipa: 0x8000_0800n }), "ipa"],
    ["an unaligned offset", mapping({ offset: 0x800n }), "offset"],
    ["an IPA of 2^52", mapping({ ipa: 2n ** 52n }), "ipa"],
    ["an IPA of 2^64 - 4096", mapping({ ipa: 2n ** 64n - 4096n }), "ipa"],
    ["bytes of 2^64 - 4096", mapping({ bytes: 2n ** 64n - 4096n }), "bytes"],
    ["an offset of 2^64 - 4096", mapping({ offset: 2n ** 64n - 4096n }), "offset"],
    ["an end of 2^52 + a page", mapping({ ipa: 2n ** 52n - 4096n, bytes: 8192n }), "bytes"],
    ["an end beyond 48 bits", mapping({ ipa: 2n ** 48n - 4096n, bytes: 8192n }), "ipa"],
    ["the MSI window's first page", mapping({ ipa: 0x0800_0000n }), "ipa"],
    ["the MSI window's last page", mapping({ ipa: 0x080f_f000n }), "ipa"],
    ["all around the MSI window", mapping({ ipa: 0x07ff_f000n, bytes: 8192n }), "ipa"],
    ["source 1 of one", mapping({ source: 1 }), "source"],
    ["source 2^32 - 1", mapping({ source: 2 ** 32 - 1 }), "source"],
    ["an end beyond the file", mapping({ offset: 0x1_2000n }), "offset"],
    ["an offset beyond the file", mapping({ offset: 0x10_0000n }), "offset"],
    ["neither readable nor writable", mapping({ readable: false, writable: false }), "readable"],
    ["an overlap with the table", mapping({ ipa: BASE + MIB }), "ipa"],
    ["an overlap with the call", GOOD, "ipa"],
  ] as const)("%s", async (_, wrong, field) => {
    const error = await expectRefused(`mappings[1].${field}`, () => map([GOOD, wrong]));
    expect(error.message).toContain(`mappings[1].${field}`);
  });

  test("the reserved region is named with its place and its IOMMU", async () => {
    const error = await expectRefused("mappings[0].ipa", () => map([mapping({ ipa: 0x0800_0000n })]));
    expect(error.facts).toMatchObject({ reserved_ipa: "0x8000000", reserved_bytes: 0x10_0000, iommu: "smmu0" });
  });

  test("the pages beside the MSI window, and the last page of the IPA space, are fine", async () => {
    const view = await map([
      mapping({ ipa: 0x07ff_f000n }),
      mapping({ ipa: 0x0810_0000n }),
      mapping({ ipa: 2n ** 48n - 4096n }),
    ]);
    expect(view.mappingCount).toBe(4);
  });

  test("an empty batch is refused", async () => {
    await expectRefused("mappings", () => map([]));
    await expectRefused("ranges", () => unmap());
  });

  test("a file that cannot be opened is named by its index, and those opened before it are let go", async () => {
    await expectRefused("sources[1].path", () => map([mapping()], ["/memory/small", "/nowhere"]));
  });
});

describe("unmapping", () => {
  test.each([
    ["nothing is there", { ipa: 0x8000_0000n, bytes: 4n * KIB }, "ranges[0]", "mapping_unknown"],
    ["it would cut the mapping", { ipa: BASE, bytes: MIB }, "ranges[0]", "argument_invalid"],
    ["bytes 0", { ipa: BASE, bytes: 0n }, "ranges[0].bytes", "argument_invalid"],
    ["an unaligned IPA", { ipa: BASE + 1n, bytes: MIB }, "ranges[0].ipa", "argument_invalid"],
    ["an IPA of 2^52", { ipa: 2n ** 52n, bytes: MIB }, "ranges[0].ipa", "argument_invalid"],
    ["an end beyond 2^52", { ipa: 2n ** 52n - 4096n, bytes: 8192n }, "ranges[0].bytes", "argument_invalid"],
  ])("is refused when %s", async (_, range, path, code) => {
    await expectRefused(path, () => unmap(range), code);
  });

  test("all or nothing: one range that finds nothing keeps the others mapped", async () => {
    await attach(host, vmm, NVME, "bypass");
    await expectRefused(
      "ranges[1]",
      () => unmap({ ipa: BASE, bytes: 2n * MIB }, { ipa: 0n, bytes: 4096n }),
      "mapping_unknown",
    );
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
  });

  test("the answer counts the bytes and the memory is gone for the device, though the TLB had it", async () => {
    await attach(host, vmm, NVME, "bypass");
    expect(await readEnds(host, NVME, BASE)).toBe("ok");
    const { view, unmappedBytes } = await unmap({ ipa: 0n, bytes: 2n ** 40n });
    expect(view).toMatchObject({ mappingCount: 0, mappedBytes: 0 });
    expect(unmappedBytes).toBe(2 ** 21);
    expect(await readEnds(host, NVME, BASE)).toBe("abort");
    expect(vmm.file.references).toBe(1);
  });
});

describe("a backend that fails", () => {
  test("map and unmap leave table, files and hardware as they were", async () => {
    await attach(host, vmm, NVME, "bypass");
    const before = { census: host.core.census(), references: vmm.file.references };
    failures.fail("map");
    expect((await refusal(() => map([mapping()]))).code).toBe("backend_failed");
    failures.fail("unmap");
    expect((await refusal(() => unmap({ ipa: BASE, bytes: 2n * MIB }))).code).toBe("backend_failed");
    expect({ census: host.core.census(), references: vmm.file.references }).toEqual(before);
    expect(host.files.get("/memory/small")!.references).toBe(1);
    expect([await readEnds(host, NVME, BASE), await readEnds(host, NVME, 0x8000_0000n)]).toEqual(["ok", "abort"]);
  });
});

describe("limits, each by its name", () => {
  test.each([
    ["mappings_per_call_max", { mappingsPerCallMax: 1 }, () => map([mapping(), mapping({ ipa: 0x9000_0000n })])],
    [
      "mappings_per_call_max",
      { mappingsPerCallMax: 1 },
      () => unmap({ ipa: 0n, bytes: MIB }, { ipa: BASE, bytes: 2n * MIB }),
    ],
    ["sources_per_call_max", { sourcesPerCallMax: 1 }, () => map([mapping()], ["/memory/small", "/memory/vmm"])],
    ["mappings_per_address_space_max", { mappingsPerAddressSpaceMax: 1 }, () => map([mapping()])],
    [
      "address_spaces_per_session_max",
      { addressSpacesPerSessionMax: 1 },
      () => host.core.addressSpaces.create(vmm.session, "eager"),
    ],
  ] as const)("%s", async (limit, limits, act) => {
    host = testHost({ limits });
    vmm = await guest(host);
    addFile(host, "/memory/small", 0x1_2345);
    const error = await refusal(act);
    expect(error.code).toBe("limit_reached");
    expect(error.facts).toEqual({ limit, maximum: 1 });
  });
});

describe("whose it is", () => {
  test("another session's address space is not_owner, an unknown one address_space_unknown", async () => {
    const other = await guest(host, { name: "other" });
    const stolen = {
      addressSpace: vmm.addressSpace,
      sources: ["/memory/small"],
      mappings: [mapping()],
    };
    const { addressSpaces } = host.core;
    const range = { ipa: BASE, bytes: 2n * MIB };
    for (const [id, code] of [
      [vmm.addressSpace, "not_owner"],
      ["none", "address_space_unknown"],
    ] as const) {
      await expectRefused("", () => addressSpaces.map(other.session, { ...stolen, addressSpace: id }), code);
      await expectRefused("", () => addressSpaces.unmap(other.session, { addressSpace: id, ranges: [range] }), code);
    }
    await expectRefused("", () => addressSpaces.remove(other.session, vmm.addressSpace), "not_owner");
  });

  test("removing one that a virtual IOMMU uses is refused; afterwards it goes, with its files, and again", async () => {
    const error = await expectRefused(
      "",
      () => host.core.addressSpaces.remove(vmm.session, vmm.addressSpace),
      "in_use",
    );
    expect(error.facts).toMatchObject({ virtual_iommu: vmm.virtualIommu });
    await host.core.virtualIommus.remove(vmm.session, vmm.virtualIommu);
    await host.core.addressSpaces.remove(vmm.session, vmm.addressSpace);
    expect(vmm.file.references).toBe(1);
    expect(host.core.census().addressSpaces).toBe(0);
    await host.core.addressSpaces.remove(vmm.session, vmm.addressSpace);
  });
});

describe("a file that grows after it was mapped", () => {
  test("its new part is reachable, and reaches nobody else's memory", async () => {
    const growing = addFile(host, "/memory/growing", 0x1000);
    await map([mapping()], [growing.path]);
    const victim = await guest(host, { name: "victim" });
    victim.file.data.fill(0xee);
    await attach(host, vmm, NVME, "bypass");

    growing.grow(2 ** 30 + 0x2000); // as far as the next gigabyte, where the next window was put
    await map([mapping({ ipa: 0xc000_0000n, offset: 2n ** 30n, bytes: 0x2000n })], [growing.path]);
    growing.sparse(2 ** 30, Uint8Array.of(0x11, 0x22));
    const access = { iova: 0xc000_0000n, substreamID: undefined, privileged: false, streamIndex: 0 } as const;
    const [read] = await host.core.simulator!.dma(vmm.session, NVME, [{ ...access, kind: "read", bytes: 2 }]);
    expect([...read!.data]).toEqual([0x11, 0x22]);
    await host.core.simulator!.dma(vmm.session, NVME, [{ ...access, kind: "write", data: Uint8Array.of(0x33) }]);
    expect(victim.file.data.every((byte) => byte === 0xee)).toBe(true);
  });
});
