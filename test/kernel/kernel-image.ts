// The guest's kernel: IOMMU_E2E_KERNEL, else the cache, else the one that lies beside the repository, else built.
// No Debian kernel has CONFIG_IOMMUFD; linux-7.3-arm64.config is for the sources that Debian packages.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cached, cacheFolder } from "./cache.ts";
import { run } from "./command.ts";
import { buildKernel } from "./kernel-build.ts";
import { type Say, Unavailable } from "./unavailable.ts";

const ROOT = join(import.meta.dirname, "../..");
const BESIDE = join(ROOT, "../shared/kernel/Image-7.3.4-arm64.xz");
/** Of the compressed image that was tried with this test. */
const BESIDE_SHA256 = "46d151dfcee512289a6e515155a5705eedce315c38f6f92c1de3b04591f0bdd6";
const UNPACK_MS = 60_000;
/** "ARM\x64" at byte 56. Source: Linux, Documentation/arch/arm64/booting.rst. */
const MAGIC = { at: 56, bytes: Buffer.from("ARMd") } as const;

export async function kernelImage(say: Say): Promise<string> {
  const named = process.env.IOMMU_E2E_KERNEL;
  if (named) {
    if (!existsSync(named))
      throw new Unavailable(`IOMMU_E2E_KERNEL is ${named}, which is not there`, "name an arm64 Image");
    return checked(named);
  }
  const built = join(cacheFolder(), "Image-7.3-arm64-built");
  if (existsSync(built)) return checked(built);
  if (existsSync(BESIDE)) return checked(await cached("Image-7.3.4-arm64", (path) => unpackBeside(path, say)));
  return checked(await cached("Image-7.3-arm64-built", (path) => buildKernel(path, say)));
}

async function unpackBeside(path: string, say: Say): Promise<void> {
  const found = createHash("sha256").update(readFileSync(BESIDE)).digest("hex");
  if (found !== BESIDE_SHA256) {
    throw new Unavailable(
      `${BESIDE} has SHA-256 ${found}, not ${BESIDE_SHA256}`,
      "set IOMMU_E2E_KERNEL to use another image",
    );
  }
  say(`unpacking ${BESIDE}`);
  copyFileSync(BESIDE, `${path}.xz`);
  await run("xz", ["-d", `${path}.xz`], { timeoutMs: UNPACK_MS });
}

function checked(path: string): string {
  const image = readFileSync(path);
  if (image.subarray(MAGIC.at, MAGIC.at + MAGIC.bytes.byteLength).equals(MAGIC.bytes)) return path;
  throw new Unavailable(`${path} is no arm64 Image`, "name an uncompressed one with IOMMU_E2E_KERNEL, or delete it");
}
