// The kernel from the sources that Debian packages, unpatched, with the config beside this file: ten minutes of one core.
// What the build needs of a compiler and its like, and is not installed, is unpacked for it and deleted afterwards.

import { copyFileSync, existsSync, globSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { run } from "./command.ts";
import { unpackPackages } from "./debian.ts";
import type { Say } from "./unavailable.ts";

const CONFIG = join(import.meta.dirname, "linux-7.3-arm64.config");
const SOURCE = "linux-source-7.3";
/** Where that version is packaged for machines of every release: it is text, and depends on nothing of the suite. */
const SOURCE_SUITE = "trixie-backports";
const TOOLS = [
  "gcc",
  "libc6-dev",
  "make",
  "flex",
  "bison",
  "bc",
  "gcc-aarch64-linux-gnu",
  "xz-utils",
  "perl",
  "python3",
];
const UNPACK_MS = 300_000;
const CONFIGURE_MS = 300_000;
const BUILD_MS = 3_600_000;

/** Writes the Image to `path`; its folder is for the build. */
export async function buildKernel(path: string, say: Say): Promise<void> {
  const work = dirname(path);
  const tools = join(work, "tools");
  await unpackPackages({ packages: TOOLS, architecture: "host" }, tools, join(work, "apt-tools"), say);
  const sources = { packages: [SOURCE], architecture: "host", suite: SOURCE_SUITE, alone: true } as const;
  await unpackPackages(sources, join(work, "package"), join(work, "apt-source"), say);
  say("unpacking the kernel's sources");
  const tree = join(work, SOURCE);
  const packed = join(work, "package/usr/src", `${SOURCE}.tar.xz`);
  await run("tar", ["-xJf", packed, "-C", work], { timeoutMs: UNPACK_MS });
  const out = join(work, "out");
  mkdirSync(out);
  const env = environmentOf(tools);
  const make = (args: readonly string[], timeoutMs: number): Promise<string> =>
    run("make", ["-C", tree, `O=${out}`, "ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", ...args], {
      env,
      timeoutMs,
    });
  await make([`KCONFIG_ALLCONFIG=${CONFIG}`, "allnoconfig"], CONFIGURE_MS);
  say("building the kernel: about ten minutes of one core");
  await make([`-j${availableParallelism()}`, "Image"], BUILD_MS);
  copyFileSync(join(out, "arch/arm64/boot/Image"), path);
}

/** Programs that were not installed find each other, their libraries and their data. */
function environmentOf(tools: string): Record<string, string> {
  const libraries = globSync(["usr/lib/*-linux-gnu", "lib/*-linux-gnu"], { cwd: tools }).map((path) =>
    join(tools, path),
  );
  const path = [join(tools, "usr/bin"), process.env.PATH ?? ""].join(delimiter);
  const m4 = join(tools, "usr/bin/m4");
  const bison = join(tools, "usr/share/bison");
  return {
    PATH: path,
    ...(libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(delimiter) }),
    ...(existsSync(m4) ? { M4: m4 } : {}),
    ...(existsSync(bison) ? { BISON_PKGDATADIR: bison } : {}),
  };
}
