// The kernel's headers for user space, of a Linux that has all of iommufd: taken from where IOMMU_UAPI_HEADERS says, or
// from the package linux-libc-dev of a newer suite, fetched by the machine's own apt from its own mirror into a folder.
// Nothing of the machine is changed. Where they cannot be had, or no compiler to read them, the reason is told.

import { execFile } from "node:child_process";
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export type Headers =
  | { readonly kind: "found"; readonly include: string }
  | { readonly kind: "absent"; readonly reason: string };

const SUITES = ["trixie-backports", "sid"];
/** The last of what the tables hold came with Linux 6.17. */
const NEEDED = "iommu_hw_queue_alloc";
const TIMEOUT_MS = 60_000;
const execute = promisify(execFile);

/** @param folder  empty, for the package and its lists */
export async function kernelHeaders(folder: string): Promise<Headers> {
  try {
    await execute("gcc", ["--version"]);
  } catch {
    return { kind: "absent", reason: "there is no gcc to ask" };
  }
  const given = process.env.IOMMU_UAPI_HEADERS;
  if (given !== undefined) return checked(given);
  if (isNew("/usr/include")) return { kind: "found", include: "/usr/include" };
  const sources = debianSources();
  if (sources === undefined) return { kind: "absent", reason: "apt has no Debian source to derive a newer suite from" };
  const reasons: string[] = [];
  for (const suite of SUITES) {
    try {
      return checked(await fetched(join(folder, suite), sources, suite));
    } catch (error) {
      reasons.push(`${suite}: ${error instanceof Error ? error.message.split("\n")[0] : "fails"}`);
    }
  }
  return { kind: "absent", reason: reasons.join("; ") };
}

function checked(include: string): Headers {
  if (isNew(include)) return { kind: "found", include };
  return { kind: "absent", reason: `the headers in ${include} are older than Linux 6.17` };
}

function isNew(include: string): boolean {
  const path = join(include, "linux/iommufd.h");
  return existsSync(path) && readFileSync(path, "utf8").includes(NEEDED);
}

interface DebianSource {
  readonly uri: string;
  readonly signedBy: string;
}

/** The first source of Debian itself in either of apt's formats. */
function debianSources(): DebianSource | undefined {
  const files = globSync(["/etc/apt/sources.list", "/etc/apt/sources.list.d/*"]).map((path) =>
    readFileSync(path, "utf8"),
  );
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  for (const text of files) {
    const uri =
      /^URIs:\s*(\S*\/debian)\/?\s*$/m.exec(text)?.[1] ?? /^deb (?:\[[^\]]*\] )?(\S*\/debian)\/? /m.exec(text)?.[1];
    if (uri !== undefined) return { uri, signedBy: /^Signed-By:\s*(\/\S+)$/m.exec(text)?.[1] ?? key };
  }
  return undefined;
}

/** @returns the include folder of the unpacked package */
async function fetched(folder: string, { uri, signedBy }: DebianSource, suite: string): Promise<string> {
  for (const each of ["lists/partial", "cache/archives/partial", "unpacked"]) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  const list = join(folder, "sources.list");
  writeFileSync(list, `deb [signed-by=${signedBy}] ${uri} ${suite} main\n`);
  const options = {
    "Dir::Etc::sourcelist": list,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    "Acquire::Check-Valid-Until": "false", // a mirror may be older
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "APT::Sandbox::User": "root",
    "Acquire::Retries": "1",
  };
  const apt = async (...words: string[]): Promise<void> => {
    const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    await execute("apt-get", ["-qq", ...flags, ...words], { cwd: folder, timeout: TIMEOUT_MS });
  };
  await apt("update");
  await apt("download", "linux-libc-dev");
  const [deb] = readdirSync(folder).filter((name) => name.endsWith(".deb"));
  if (deb === undefined) throw new Error("no package came");
  await execute("dpkg-deb", ["-x", join(folder, deb), join(folder, "unpacked")]);
  return join(folder, "unpacked/usr/include");
}
