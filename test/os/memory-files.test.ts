import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMemoryFiles, type OpenMemoryFiles } from "../../src/os/memory-files.ts";
import { openMemoryRoots } from "../../src/os/memory-roots.ts";

const SELF = process.getuid?.() ?? 0;
const asRoot = test.runIf(SELF === 0);

let directory: string;
let root: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "memory-files-")));
  root = join(directory, "root");
  mkdirSync(root);
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A caller that is not known by uid: only memory_owner_uids says whose files it may name. */
const TCP = { uid: undefined };

function opener(
  overrides: { ownerUids?: number[]; openFilesMax?: number; roots?: string[]; daemonUid?: number } = {},
): OpenMemoryFiles {
  const roots = openMemoryRoots((overrides.roots ?? [root]).map((path) => ({ path, create: false })));
  return createMemoryFiles({
    roots,
    ownerUids: overrides.ownerUids ?? [SELF],
    openFilesMax: overrides.openFilesMax ?? 4,
    daemonUid: overrides.daemonUid ?? SELF,
  });
}

function file(name: string, bytes = 8192): string {
  const path = join(root, name);
  writeFileSync(path, Buffer.alloc(bytes, 0x5a));
  return path;
}

test("a file beneath a root is opened with its length and its identity", async () => {
  const path = file("ram", 12_288);
  const opened = await opener().open(path, TCP);
  const stat = statSync(path);
  expect(opened).toMatchObject({ path, bytes: 12_288, key: `${stat.dev}:${stat.ino}` });
  opened.release();
});

test("a kernel can pin what is of tmpfs or hugetlbfs, as stat calls it, and for the rest it is said what to do", async () => {
  for (const folder of [root, process.cwd(), ...(existsSync("/dev/shm") ? ["/dev/shm"] : [])]) {
    const own = realpathSync(mkdtempSync(join(folder, "pinned-")));
    try {
      const path = join(own, "ram");
      writeFileSync(path, "x");
      const type = execFileSync("stat", ["-f", "-c", "%T", path], { encoding: "utf8" }).trim();
      const opened = await opener({ roots: [own] }).open(path, TCP);
      const expected = ["tmpfs", "hugetlbfs"].includes(type) ? undefined : expect.stringContaining("/dev/shm");
      expect(opened.pinRefusal, type).toEqual(expected);
      opened.release();
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  }
});

test("reads and writes go to the named position and nowhere else", async () => {
  const path = file("ram", 16);
  const opened = await opener().open(path, TCP);
  expect(opened.write(4, Uint8Array.of(1, 2, 3))).toBe(true);
  const into = new Uint8Array(5);
  expect(opened.read(3, into)).toBe(true);
  expect([...into]).toEqual([0x5a, 1, 2, 3, 0x5a]);
  expect([...readFileSync(path)]).toEqual([...Array(4).fill(0x5a), 1, 2, 3, ...Array(9).fill(0x5a)]);
  opened.release();
});

test("a read or write that reaches past the end is a bus error, and never makes the file longer", async () => {
  const path = file("ram", 4096);
  const opened = await opener().open(path, TCP);
  expect(opened.read(4095, new Uint8Array(1))).toBe(true);
  expect(opened.read(4095, new Uint8Array(2))).toBe(false);
  expect(opened.write(4095, Uint8Array.of(1, 2))).toBe(false);
  expect(opened.read(8192, new Uint8Array(1))).toBe(false);
  expect(statSync(path).size).toBe(4096);
  opened.release();
});

test("a file truncated after it was opened gives bus errors where the bytes are gone", async () => {
  const path = file("ram", 8192);
  const opened = await opener().open(path, TCP);
  truncateSync(path, 4096);
  expect(opened.read(0, new Uint8Array(4096))).toBe(true);
  expect(opened.read(4096, new Uint8Array(8))).toBe(false);
  expect(opened.write(4096, new Uint8Array(8))).toBe(false);
  expect(statSync(path).size).toBe(4096);
  opened.release();
});

test("two opens of one inode, also by two names, share one open file until the last release", async () => {
  const memory = opener();
  const path = file("ram");
  linkSync(path, join(root, "other-name"));
  const one = await memory.open(path, TCP);
  const two = await memory.open(join(root, "other-name"), TCP);
  expect(two).toBe(one);
  expect(memory.openCount()).toBe(1);
  one.release();
  expect(two.read(0, new Uint8Array(1))).toBe(true);
  two.release();
  expect(memory.openCount()).toBe(0);
});

test("a file that grew shows its new length to who opens it again", async () => {
  const memory = opener();
  const path = file("ram", 4096);
  const one = await memory.open(path, TCP);
  truncateSync(path, 8192);
  const two = await memory.open(path, TCP);
  expect(two.bytes).toBe(8192);
  one.release();
  two.release();
});

test("use after the last release is a bug, and says so", async () => {
  const opened = await opener().open(file("ram"), TCP);
  opened.release();
  expect(() => opened.read(0, new Uint8Array(1))).toThrow("after its last release");
  expect(() => opened.retain()).toThrow("after its last release");
  expect(() => opened.release()).toThrow("more often than retained");
});

/** Descriptors of this process that are open on `path`. */
function descriptorsOn(path: string): number {
  const folder = "/proc/self/fd";
  return readdirSync(folder).filter((fd) => existsSync(join(folder, fd)) && readlinkSync(join(folder, fd)) === path)
    .length;
}

test("a refused open leaves no descriptor behind, and a second open of one file adds none", async () => {
  const path = file("ram");
  await expect(opener({ ownerUids: [SELF + 1] }).open(path, TCP)).rejects.toThrow("belongs to uid");
  expect(descriptorsOn(path)).toBe(0);
  const memory = opener();
  const one = await memory.open(path, TCP);
  const two = await memory.open(path, TCP);
  expect(descriptorsOn(path)).toBe(1);
  one.release();
  two.release();
  expect(descriptorsOn(path)).toBe(0);
});

test.each([
  ["", "is empty"],
  ["ram", "not absolute"],
  ["/a/../b", "normalise"],
  ["/a//b", "normalise"],
  ["/a/./b", "normalise"],
  ["/a/b/", "normalise"],
  ["/a\0b", "NUL"],
  [`/${"x".repeat(4095)}`, "longer than 4095 bytes"],
])("the malformed path %j is an invalid argument", async (path, why) => {
  await expect(opener().open(path, TCP)).rejects.toMatchObject({
    code: "argument_invalid",
    message: expect.stringContaining(why),
  });
});

test("a path outside the roots is denied, also one that begins like a root", async () => {
  mkdirSync(join(directory, "rootless"));
  for (const path of ["/etc/passwd", join(directory, "rootless/ram"), root]) {
    await expect(opener().open(path, TCP)).rejects.toMatchObject({
      code: "policy_denied",
      message: expect.stringContaining(`outside the memory roots (${root})`),
      facts: { path },
    });
  }
});

test("with no root every file is denied", async () => {
  await expect(opener({ roots: [] }).open("/etc/passwd", TCP)).rejects.toThrow("(none)");
});

test("a file that is not there is an invalid argument", async () => {
  for (const path of [join(root, "absent"), join(root, "absent/ram")]) {
    await expect(opener().open(path, TCP)).rejects.toMatchObject({
      code: "argument_invalid",
      message: expect.stringContaining("does not exist"),
      facts: { path, errno: "ENOENT" },
    });
  }
});

test("a symbolic link is denied, whether it is the file or a directory on the way", async () => {
  const outside = join(directory, "secret");
  writeFileSync(outside, "secret");
  symlinkSync(outside, join(root, "link"));
  symlinkSync(directory, join(root, "door"));
  const target = file("ram");
  symlinkSync(target, join(root, "alias"));
  for (const name of ["link", "door/secret", "door/root/ram", "alias"]) {
    await expect(opener().open(join(root, name), TCP)).rejects.toMatchObject({
      code: "policy_denied",
      message: expect.stringContaining("symbolic link"),
    });
  }
});

test("a root that is itself reached through a link works by both of its names", async () => {
  const alias = join(directory, "alias");
  symlinkSync(root, alias);
  file("ram");
  const memory = opener({ roots: [alias] });
  const one = await memory.open(join(alias, "ram"), TCP);
  const two = await memory.open(join(root, "ram"), TCP);
  expect(two).toBe(one);
  one.release();
  two.release();
});

test("a FIFO, a directory, a socket and a device are denied at once", async () => {
  execFileSync("mkfifo", [join(root, "fifo")]);
  mkdirSync(join(root, "directory"));
  const server = createServer().listen(join(root, "socket"));
  try {
    for (const name of ["fifo", "directory", "socket"]) {
      await expect(opener().open(join(root, name), TCP)).rejects.toMatchObject({
        code: "policy_denied",
        message: expect.stringContaining("not a regular file"),
      });
    }
    await expect(opener({ roots: ["/dev"] }).open("/dev/null", TCP)).rejects.toThrow("not a regular file");
  } finally {
    server.close();
  }
});

asRoot("a file of another uid is denied, until the uid is allowed", async () => {
  const path = file("ram");
  chownSync(path, 12_345, 12_345);
  await expect(opener().open(path, TCP)).rejects.toMatchObject({
    code: "policy_denied",
    message: expect.stringContaining("belongs to uid 12345"),
  });
  const opened = await opener({ ownerUids: [SELF, 12_345] }).open(path, TCP);
  opened.release();
});

test("a caller's own file is its to name; the daemon's files are not, although memory_owner_uids has them", async () => {
  const path = file("ram");
  const stranger = SELF + 1;
  await expect(opener().open(path, { uid: stranger })).rejects.toMatchObject({
    code: "policy_denied",
    message: `memory file ${path} belongs to uid ${SELF}, its caller is uid ${stranger}: chown it to the caller's uid`,
    facts: { path, file_uid: SELF, caller_uid: stranger },
  });
  const opened = await opener({ ownerUids: [], daemonUid: stranger }).open(path, { uid: SELF });
  opened.release();
});

asRoot.each([
  ["root", 0, 5000, true],
  ["root", 0, 6000, false],
  ["root, for a file of root", 0, 0, true],
  ["the daemon's uid", 4000, 5000, true],
  ["the daemon's uid", 4000, 6000, false],
  ["over TCP", undefined, 5000, true],
  ["over TCP", undefined, 6000, false],
  ["another uid, for its own file", 6000, 6000, true],
  ["another uid", 6000, 5000, false],
  ["another uid, for a file of the daemon", 6000, 4000, false],
  ["another uid, for a file of root", 6000, 0, false],
])("with memory_owner_uids 4000 and 5000, %s (uid %s) may name a file of uid %i: %s", async (_who, uid, owner, may) => {
  const path = file("ram");
  chownSync(path, owner, owner);
  const opening = opener({ ownerUids: [4000, 5000], daemonUid: 4000 }).open(path, { uid });
  if (may) (await opening).release();
  else await expect(opening).rejects.toMatchObject({ code: "policy_denied", facts: { file_uid: owner } });
});

test.skipIf(SELF === 0)("a file that the daemon may not write is denied", async () => {
  const path = file("ram");
  chmodSync(path, 0o400);
  await expect(opener().open(path, TCP)).rejects.toMatchObject({ code: "policy_denied" });
});

test("one file past the limit is refused by the limit's name; a released one makes room", async () => {
  const memory = opener({ openFilesMax: 2 });
  const one = await memory.open(file("a"), TCP);
  const two = await memory.open(file("b"), TCP);
  await expect(memory.open(file("c"), TCP)).rejects.toMatchObject({
    code: "limit_reached",
    facts: { limit: "open_memory_files_max", maximum: 2 },
  });
  const again = await memory.open(join(root, "a"), TCP);
  again.release();
  two.release();
  const three = await memory.open(join(root, "c"), TCP);
  three.release();
  one.release();
});

test("a file swapped for a link while it is being opened never reaches the link's target", async () => {
  const memory = opener();
  const outside = join(directory, "secret");
  writeFileSync(outside, "secret");
  const door = join(root, "door");
  const real = join(root, "real");
  mkdirSync(door);
  writeFileSync(join(door, "secret"), Buffer.alloc(4096));
  let stop = false;
  const swapper = (async () => {
    while (!stop) {
      renameSync(door, real);
      symlinkSync(directory, door);
      await new Promise(setImmediate);
      rmSync(door);
      renameSync(real, door);
      await new Promise(setImmediate);
    }
  })();
  const secret = statSync(outside);
  const outcomes = new Set<string>();
  for (let attempt = 0; attempt < 300; attempt++) {
    const opened = await memory.open(join(door, "secret"), TCP).catch(() => undefined);
    outcomes.add(opened === undefined ? "refused" : "opened");
    expect(opened?.key, `attempt ${attempt}`).not.toBe(`${secret.dev}:${secret.ino}`);
    opened?.release();
  }
  stop = true;
  await swapper;
  expect(outcomes).toContain("refused");
});

test("a root is created only when told to, and a missing one is named with the remedy", () => {
  const wish = join(directory, "run/memory");
  expect(() => openMemoryRoots([{ path: wish, create: false }])).toThrow(`memory root ${wish} cannot be used (ENOENT)`);
  expect(openMemoryRoots([{ path: `${wish}/`, create: true }])).toEqual([{ configured: wish, real: wish }]);
  expect((statSync(wish).mode & 0o777).toString(8)).toBe("750");
  expect(existsSync(wish)).toBe(true);
});

test("a root that is /, a link to /, relative, or a file is refused", () => {
  symlinkSync("/", join(directory, "slash"));
  writeFileSync(join(directory, "file"), "");
  for (const path of ["/", join(directory, "slash"), "memory", join(directory, "file")]) {
    expect(() => openMemoryRoots([{ path, create: false }]), path).toThrow(`memory root ${path}`);
  }
});
