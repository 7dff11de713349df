// Debian's QEMU for the guest, as an image of its own: what a VMM of today does with what the broker vends. It has no data
// of QEMU's (firmware, key maps): its machine "virt" starts without, as long as nothing is displayed or booted.

import { createHash } from "node:crypto";
import { globSync, mkdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { cached } from "./cache.ts";
import { run } from "./command.ts";
import { debianRelease, unpackPackages } from "./debian.ts";
import type { HostTools } from "./host-tools.ts";
import type { Say } from "./unavailable.ts";

/** util-linux takes rights and limits from a program before it starts. */
const PACKAGES = ["qemu-system-arm", "util-linux"];
const PROGRAMS = ["qemu-system-aarch64", "prlimit", "setpriv"];
/** The root image has these: a second C library would not fit its loader. */
const ROOT_HAS = ["libc6", "libgcc-s1"];
const MKFS_MS = 120_000;
/** Raise when this file makes something else of the same packages. */
const LAYOUT = 1;

/** @returns the path of a read-only image with the folders bin and lib */
export async function guestQemu({ mkfs, env }: HostTools, say: Say): Promise<string> {
  const { codename, released } = debianRelease();
  const key = createHash("sha256").update(`${LAYOUT} ${codename} ${PACKAGES} ${PROGRAMS} ${ROOT_HAS}`).digest("hex");
  return await cached(`guest-qemu-${key.slice(0, 16)}.erofs`, async (path) => {
    const work = dirname(path);
    const unpacked = join(work, "unpacked");
    const suite = released ? { suite: `${codename}-backports` } : {};
    const set = { packages: PACKAGES, architecture: "arm64", without: ROOT_HAS, ...suite } as const;
    await unpackPackages(set, unpacked, join(work, "apt"), say);
    const staging = join(work, "staging");
    move(
      unpacked,
      PROGRAMS.flatMap((name) => [`bin/${name}`, `usr/bin/${name}`]),
      join(staging, "bin"),
    );
    // Links lead to files of the same folder.
    move(unpacked, ["lib/*-linux-gnu/*.so*", "usr/lib/*-linux-gnu/*.so*"], join(staging, "lib"));
    say("making the image of the guest's QEMU");
    await run(mkfs, [path, staging], { env, timeoutMs: MKFS_MS });
  });
}

function move(from: string, patterns: readonly string[], to: string): void {
  mkdirSync(to, { recursive: true });
  for (const path of globSync([...patterns], { cwd: from })) renameSync(join(from, path), join(to, basename(path)));
}
