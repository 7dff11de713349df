// Debian packages in a folder of ours: fetched by apt with sources, lists and archives of their own, unpacked by dpkg-deb.
// Nothing is installed and no root is needed. The mirror is the one that the machine's own sources name.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, run } from "./command.ts";
import { type Say, Unavailable } from "./unavailable.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const UPDATE_MS = 180_000;
const FETCH_MS = 400_000;
const UNPACK_MS = 60_000;

export interface PackageSet {
  readonly packages: readonly string[];
  /** "host": for this machine, less what is installed on it. Else an architecture of Debian, and everything. */
  readonly architecture: "host" | "arm64";
  /** The suite to prefer, beside the machine's own. */
  readonly suite?: string;
  /** Without what the packages depend on. */
  readonly alone?: boolean;
  /** Packages of those depended on that are fetched and not unpacked. */
  readonly without?: readonly string[];
}

/** VERSION_CODENAME of os-release(5), and whether it is a release: what is not yet one has no backports. */
export function debianRelease(): { readonly codename: string; readonly released: boolean } {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const codename = /^VERSION_CODENAME="?(\w+)"?$/m.exec(text)?.[1];
  if (codename === undefined || !/^ID="?debian"?$/m.test(text) || findProgram("apt-get") === undefined) {
    throw new Unavailable("this machine is no Debian", "packages of other suites are fetched with Debian's apt only");
  }
  return { codename, released: /^VERSION_ID=/m.test(text) };
}

/** Fetches the set with what it depends on and unpacks all of it below `into`; `work` is for apt's own files. */
export async function unpackPackages(set: PackageSet, into: string, work: string, say: Say): Promise<void> {
  const options = await aptOptions(set, work);
  const apt = (args: readonly string[], timeoutMs: number) =>
    run("apt-get", [...options, "-qq", ...args], { cwd: join(work, "cache/archives"), timeoutMs });
  say(`reading Debian's package lists (${set.architecture}${set.suite === undefined ? "" : `, ${set.suite}`})`);
  await apt(["update"], UPDATE_MS);
  const suite = set.suite === undefined ? [] : ["-t", set.suite];
  say(`fetching ${set.packages.join(", ")}`);
  const archives = join(work, "cache/archives");
  if (set.alone) await apt(["download", ...suite, ...set.packages], FETCH_MS);
  else await apt(["install", "--download-only", "-y", "--no-install-recommends", ...suite, ...set.packages], FETCH_MS);
  const without = (set.without ?? []).map((name) => `${name}_`);
  const isWanted = (name: string): boolean => name.endsWith(".deb") && !without.some((start) => name.startsWith(start));
  const files = readdirSync(archives).filter(isWanted);
  mkdirSync(into, { recursive: true });
  for (const name of files) await run("dpkg-deb", ["-x", join(archives, name), into], { timeoutMs: UNPACK_MS });
  say(`unpacked ${files.length} packages`);
}

async function aptOptions({ architecture, suite }: PackageSet, work: string): Promise<string[]> {
  for (const folder of ["etc", "state/lists/partial", "cache/archives/partial"]) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  const mirror = await machineMirror();
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
  const suites = [debianRelease().codename, ...(suite === undefined ? [] : [suite])];
  const sources = suites.map((each) => `deb ${signed}${mirror} ${each} main\n`).join("");
  writeFileSync(join(work, "etc/sources.list"), sources);
  writeFileSync(join(work, "status"), "");
  const foreign = architecture === "host" ? [] : [`APT::Architecture=${architecture}`, "APT::Architectures::="];
  return [
    `Dir::Etc::sourcelist=${join(work, "etc/sources.list")}`,
    "Dir::Etc::sourceparts=-",
    `Dir::State=${join(work, "state")}`,
    `Dir::State::status=${architecture === "host" ? "/var/lib/dpkg/status" : join(work, "status")}`,
    `Dir::Cache=${join(work, "cache")}`,
    // The lists are signed all the same; a mirror of a snapshot is always past the date in them.
    "Acquire::Check-Valid-Until=false",
    "Acquire::Languages=none",
    "APT::Sandbox::User=root",
    "Debug::NoLocking=true",
    ...foreign,
  ].flatMap((option) => ["-o", option]);
}

async function machineMirror(): Promise<string> {
  const { codename } = debianRelease();
  const listed = await run("apt-get", ["indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"], {
    timeoutMs: UPDATE_MS,
  });
  const start = `${codename} main `;
  const line = listed.split("\n").find((each) => each.startsWith(start));
  if (line === undefined) {
    throw new Unavailable(
      `apt's sources name no mirror of ${codename} main`,
      "add one: the other suites are taken from it",
    );
  }
  return line.slice(start.length);
}
