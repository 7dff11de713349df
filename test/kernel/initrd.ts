// What the guest starts from: a shell, init, and /app with the built daemon and the compiled cases.

import { copyFileSync, globSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { run } from "./command.ts";
import { type CpioEntry, cpio, foldersAbove } from "./cpio.ts";
import type { Say } from "./unavailable.ts";

const ROOT = join(import.meta.dirname, "../..");
const COMPILE_MS = 180_000;
/** Below src/, what tsc does not emit. */
const GENERATED = "src/server/rpc/generated/*.js";

/** What the runner in the guest is told. */
export interface Orders {
  /** Names of cases, or parts of them; all when empty. */
  readonly cases: readonly string[];
  /** Of the random configurations: the seed, 64 bits in decimal, and how many. */
  readonly seed: string;
  readonly trials: number;
  /** Paths of static programs for the guest, where they are in /app/programs. */
  readonly programs?: readonly string[];
  /** Why the guest has no QEMU of its own, where it has none. */
  readonly noQemu?: string;
}

/** Compiles into a folder of `work`, and packs everything into one archive. */
export async function initrd(busybox: string, orders: Orders, work: string, say: Say): Promise<Buffer> {
  say("building the daemon");
  await run(process.execPath, [join(ROOT, "scripts/build.ts")], { timeoutMs: COMPILE_MS });
  say("compiling the cases");
  const compiled = join(work, "compiled");
  const project = join(ROOT, "test/kernel/tsconfig.json");
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  await run(tsc, ["--project", project, "--outDir", compiled], { timeoutMs: COMPILE_MS });
  for (const path of globSync(GENERATED, { cwd: ROOT })) {
    mkdirSync(dirname(join(compiled, path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(compiled, path));
  }
  return pack([
    ...skeleton(busybox),
    ...below(compiled, "**/*.js", "app"),
    ...below(join(ROOT, "dist"), "**/!(*.d.ts)", "app/dist"),
    ...(orders.programs ?? []).map((path) => ({
      ...file(join("app/programs", basename(path)), readFileSync(path)),
      permissions: 0o755,
    })),
    file("app/package.json", readFileSync(join(ROOT, "package.json"))),
    file("app/orders.json", Buffer.from(JSON.stringify(orders))),
  ]);
}

/** Only what init needs: enough to look at the machine's tables. */
export function bareInitrd(busybox: string): Buffer {
  return pack(skeleton(busybox));
}

function skeleton(busybox: string): CpioEntry[] {
  return [
    { ...file("init", readFileSync(join(import.meta.dirname, "init.sh"))), permissions: 0o755 },
    { ...file("bin/busybox", readFileSync(busybox)), permissions: 0o755 },
    { kind: "folder", path: "root" },
    { kind: "folder", path: "dev" },
    { kind: "device", path: "dev/console", major: 5, minor: 1 },
  ];
}

function file(path: string, data: Uint8Array): CpioEntry & { readonly kind: "file" } {
  return { kind: "file", path, data };
}

function below(folder: string, pattern: string, target: string): CpioEntry[] {
  return globSync(pattern, { cwd: folder })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
    .map((path) => file(join(target, path), readFileSync(join(folder, path))));
}

function pack(entries: readonly CpioEntry[]): Buffer {
  const files = entries.filter((entry) => entry.kind !== "folder");
  const made = foldersAbove(files.map(({ path }) => path));
  const known = new Set(made.map(({ path }) => path));
  const empty = entries.filter((entry) => entry.kind === "folder" && !known.has(entry.path));
  return cpio([...made, ...empty, ...files]);
}
