import { expect, test } from "vitest";
import { guest, NVME, refusal, testHost } from "../../support/host.ts";

const GIB = 2n ** 30n;
const PAGE = 4096n;

test("16 GiB page by page is mapped and unmapped in turns: the event loop runs many times in between", async () => {
  const host = testHost();
  const vmm = await guest(host);
  const { session, virtualIommu } = vmm;
  await host.core.stages.attach(session, {
    device: NVME,
    virtualIommu,
    initial: "bypass",
    expectedGeneration: undefined,
  });
  const { addressSpace, path } = await hugeFile(host, vmm, 8n * GIB);
  const range = { ipa: 0x10_0000_0000n, bytes: 8n * GIB - 2n * 2n ** 20n };
  const map = { addressSpace, sources: [path] };
  const mapped = await turnsDuring(async () => {
    const mapping = { ...range, source: 0, offset: PAGE, readable: true, writable: true };
    await host.core.addressSpaces.map(session, { ...map, mappings: [mapping] });
  });
  const unmapped = await turnsDuring(async () => {
    await host.core.addressSpaces.unmap(session, { addressSpace, ranges: [range] });
  });
  // 2 million leaves, 16,384 a turn
  expect(Math.min(mapped, unmapped)).toBeGreaterThan(60);
});

test("more leaves than an address space may have are refused before any work, naming limit and remedy", async () => {
  const host = testHost();
  const vmm = await guest(host);
  const { addressSpace, path } = await hugeFile(host, vmm, 2n ** 40n);
  const whole = { ipa: 0x10_0000_0000n, bytes: 2n ** 39n, source: 0, readable: true, writable: true };
  const request = { addressSpace, sources: [path] };
  const error = await refusal(() =>
    host.core.addressSpaces.map(vmm.session, { ...request, mappings: [{ ...whole, offset: PAGE }] }),
  );
  expect(error.code).toBe("limit_reached");
  expect(error.message).toMatch(/stage2_leaves_per_address_space.*modulo 2 MiB/);
  expect(host.files.get(path)!.references).toBe(1);
  // The same where blocks fit is 512 leaves of 1 GiB.
  const view = await host.core.addressSpaces.map(vmm.session, { ...request, mappings: [{ ...whole, offset: 0n }] });
  expect(view.mappedBytes).toBe(2 ** 39 + 2 ** 21);
});

test("a page in every GiB takes tables, not leaves, and one virtual IOMMU's share of them is bounded", async () => {
  const host = testHost({ limits: { mappingsPerAddressSpaceMax: 65_536 } });
  const vmm = await guest(host);
  const { session, virtualIommu, addressSpace } = vmm;
  await host.core.stages.attach(session, {
    device: NVME,
    virtualIommu,
    initial: "bypass",
    expectedGeneration: undefined,
  });
  const scattered = Array.from({ length: 16_384 }, (_, index) => ({
    ipa: 0x10_0000_0000n + BigInt(index) * GIB,
    bytes: PAGE,
    source: 0,
    offset: 0n,
    readable: true,
    writable: true,
  }));
  const request = { addressSpace, sources: [vmm.file.path] };
  const error = await refusal(() => host.core.addressSpaces.map(session, { ...request, mappings: scattered }));
  expect([error.code, error.facts.limit]).toEqual(["limit_reached", "stage2_tables_per_virtual_iommu"]);
  // Nothing of it stayed: half as many find room.
  const view = await host.core.addressSpaces.map(session, { ...request, mappings: scattered.slice(0, 8192) });
  expect(view.mappingCount).toBe(8193);
});

/** A file that only says it is large: nobody reads it. */
async function hugeFile(
  host: ReturnType<typeof testHost>,
  vmm: { addressSpace: string },
  bytes: bigint,
): Promise<{ addressSpace: string; path: string }> {
  const path = "/memory/huge";
  const { BufferFile } = await import("../../support/memory-file.ts");
  const file = new BufferFile(path, 0);
  Object.defineProperty(file, "bytes", { value: Number(bytes) });
  host.files.set(path, file);
  return { addressSpace: vmm.addressSpace, path };
}

async function turnsDuring(work: () => Promise<void>): Promise<number> {
  let turns = 0;
  let running = true;
  const count = (): void => {
    turns += 1;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  await work();
  running = false;
  return turns;
}
