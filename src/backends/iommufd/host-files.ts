// What discovery, binding and doctor need of the host's pseudo file systems: src/os implements it, over the real roots or
// over a folder that a test made. Everything is bounded, and what vanishes between two looks is an answer, no error.
// Source: sysfs-rules of Linux (Documentation/admin-guide/sysfs-rules.rst).

/** Where the host's pseudo file systems are mounted. */
export interface HostRoots {
  /** "/sys" */
  readonly sys: string;
  /** "/dev" */
  readonly dev: string;
  /** "/proc" */
  readonly proc: string;
}

export const HOST_ROOTS: HostRoots = { sys: "/sys", dev: "/dev", proc: "/proc" };

/** Paths are absolute. */
export interface HostFiles {
  /** The file's beginning, at most `bytesMax`; undefined when it is not there, or cannot be read. */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>;
  /** Names in a directory in order, at most `entriesMax`; none when it is not there. */
  list(path: string, entriesMax: number): Promise<readonly string[]>;
  /** The last part of where a symbolic link leads; undefined when it is none. */
  linkName(path: string): Promise<string | undefined>;
  /** Whether this process may read and write it: undefined, or the errno's name. */
  access(path: string): Promise<string | undefined>;
  /** One write; undefined, or the errno's name. May take as long as a driver takes to let go of its device. */
  write(path: string, text: string): Promise<string | undefined>;
}

const TEXT_BYTES_MAX = 4096;

/** A small text file without the white space around it. */
export async function readText(files: HostFiles, path: string, bytesMax = TEXT_BYTES_MAX): Promise<string | undefined> {
  const bytes = await files.read(path, bytesMax);
  return bytes === undefined ? undefined : new TextDecoder("latin1").decode(bytes).trim();
}
