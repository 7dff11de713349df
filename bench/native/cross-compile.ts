// A C program for the guest: Debian's cross compiler, unpacked in the cache as the other tools of the virtual machine are, and a
// static binary, for the guest has no C library but Node's.

import { globSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cached } from "../../test/kernel/cache.ts";
import { findProgram, run } from "../../test/kernel/command.ts";
import { debianRelease, unpackPackages } from "../../test/kernel/debian.ts";
import { type Say, Unavailable } from "../../test/kernel/unavailable.ts";

const GCC = "aarch64-linux-gnu-gcc";
const PACKAGES = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
const COMPILE_MS = 60_000;

/** Compiles `source` to `target`, optimised as the C programs of bench/c are. */
export async function crossCompile(source: string, target: string, say: Say): Promise<void> {
  const options = ["-O3", "-static", "-Wall", "-Wextra", "-Werror", "-o", target, source];
  const installed = findProgram(GCC);
  if (installed !== undefined) {
    await run(installed, options, { timeoutMs: COMPILE_MS });
    return;
  }
  const { codename } = debianRelease();
  const root = await cached(`cross-arm64-${codename}`, async (path) => {
    say(`no ${GCC} here: taking Debian's`);
    await unpackPackages({ packages: PACKAGES, architecture: "host" }, path, join(dirname(path), "apt"), say);
  });
  const gcc = findProgram(GCC, [join(root, "usr/bin")]);
  if (gcc === undefined) throw new Unavailable(`no ${GCC} in ${root}`, "delete that folder, or install the compiler");
  const libraries = globSync(["usr/lib/*-linux-gnu", "lib/*-linux-gnu"], { cwd: root }).map((path) => join(root, path));
  const env = {
    PATH: [join(root, "usr/bin"), process.env.PATH ?? ""].join(delimiter),
    LD_LIBRARY_PATH: libraries.join(delimiter),
  };
  const search = [`-B${join(root, "usr/aarch64-linux-gnu/lib")}`, `-L${join(root, "usr/aarch64-linux-gnu/lib")}`];
  const headers = ["-isystem", join(root, "usr/aarch64-linux-gnu/include")];
  await run(gcc, [...search, ...headers, ...options], { env, timeoutMs: COMPILE_MS });
}
