// The programs of this machine that the test needs: QEMU with an SMMUv3 of both stages, UEFI for its guest, mkfs.erofs.
// What is installed is taken; what is missing or too old comes from Debian, unpacked in the cache, not installed.

import { existsSync, globSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cached } from "./cache.ts";
import { findProgram, run } from "./command.ts";
import { debianRelease, unpackPackages } from "./debian.ts";
import { type Say, Unavailable } from "./unavailable.ts";

const QEMU = "qemu-system-aarch64";
const MKFS = "mkfs.erofs";
const PACKAGES = ["qemu-system-arm", "qemu-efi-aarch64", "erofs-utils"];
/** The first whose machine "virt" emulates both stages by itself. */
const QEMU_MIN = [9, 2] as const;
const FIRMWARE = [
  "usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
  "usr/share/edk2/aarch64/QEMU_EFI.fd",
  "usr/share/edk2-armvirt/aarch64/QEMU_EFI.fd",
];
/** Flash images of UEFI, 257 MB, and manuals. */
const UNUSED = ["usr/share/AAVMF", "usr/share/doc", "usr/share/man"];
const VERSION_MS = 20_000;
export const TOOLS_REMEDY = `install QEMU ≥ ${QEMU_MIN.join(".")} with UEFI for aarch64, and erofs-utils`;

export interface HostTools {
  readonly qemu: string;
  /** The first line of --version. */
  readonly qemuVersion: string;
  readonly firmware: string;
  readonly mkfs: string;
  /** For programs that were not installed: where their libraries and modules are. */
  readonly env: Readonly<Record<string, string>>;
  readonly qemuArgs: readonly string[];
}

export async function hostTools(say: Say): Promise<HostTools> {
  const installed = await toolsBelow("/");
  if (installed !== undefined) return installed;
  const { codename, released } = debianRelease();
  const root = await cached(`host-tools-${codename}`, async (path) => {
    say(`no ${QEMU} ≥ ${QEMU_MIN.join(".")}, UEFI and ${MKFS} here: taking Debian's`);
    const suite = released ? { suite: `${codename}-backports` } : {};
    const set = { packages: PACKAGES, architecture: "host", ...suite } as const;
    await unpackPackages(set, path, join(dirname(path), "apt"), say);
    for (const name of UNUSED) rmSync(join(path, name), { recursive: true, force: true });
  });
  const fetched = await toolsBelow(root);
  if (fetched !== undefined) return fetched;
  throw new Unavailable(
    `the programs in ${root} do not run`,
    `delete that folder to have them fetched anew, or ${TOOLS_REMEDY}`,
  );
}

/** Programs and files below a folder, else the machine's own; undefined when one is missing or QEMU is too old. */
async function toolsBelow(root: string): Promise<HostTools | undefined> {
  const env = root === "/" ? {} : environmentOf(root);
  const folders = root === "/" ? [] : [join(root, "usr/bin")];
  const [qemu, mkfs] = [findProgram(QEMU, folders), findProgram(MKFS, folders)];
  const firmware = FIRMWARE.flatMap((path) => [join(root, path), join("/", path)]).find((path) => existsSync(path));
  if (qemu === undefined || mkfs === undefined || firmware === undefined) return undefined;
  const version = await versionOf(qemu, env);
  if (version === undefined || isOlder(version)) return undefined;
  const data = join(root, "usr/share/qemu");
  const qemuArgs = root !== "/" && existsSync(data) ? ["-L", data] : [];
  return { qemu, qemuVersion: version, firmware, mkfs, env, qemuArgs };
}

function environmentOf(root: string): Record<string, string> {
  const libraries = globSync(["usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"], { cwd: root }).map((path) =>
    join(root, path),
  );
  const modules = libraries.map((path) => join(path, "qemu")).find((path) => existsSync(path));
  return { LD_LIBRARY_PATH: libraries.join(delimiter), ...(modules === undefined ? {} : { QEMU_MODULE_DIR: modules }) };
}

async function versionOf(qemu: string, env: Readonly<Record<string, string>>): Promise<string | undefined> {
  try {
    return (await run(qemu, ["--version"], { env, timeoutMs: VERSION_MS })).split("\n")[0];
  } catch {
    return undefined; // a library is missing: as good as no QEMU
  }
}

function isOlder(version: string): boolean {
  const [, major = "0", minor = "0"] = /version (\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) < QEMU_MIN[0] || (Number(major) === QEMU_MIN[0] && Number(minor) < QEMU_MIN[1]);
}
