// Where "runtime:" points: the directory that lives as long as the daemon may run, private to its user.

import { tmpdir } from "node:os";
import { join } from "node:path";

/** Environment variables, as process.env has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "runtime:";

/** systemd gives RUNTIME_DIRECTORY, a login session XDG_RUNTIME_DIR; else a directory of this uid's own in /tmp. */
export function runtimeDirectory(environment: Environment): string {
  const [given] = (environment.RUNTIME_DIRECTORY ?? "").split(":");
  if (given?.startsWith("/")) return given;
  const session = environment.XDG_RUNTIME_DIR ?? "";
  if (session.startsWith("/")) return join(session, "iommu-broker");
  return join(tmpdir(), `iommu-broker-${process.getuid?.() ?? 0}`);
}

/** A configured path with "runtime:" resolved, and whether it was one. */
export function resolveRuntime(path: string, environment: Environment): { path: string; isRuntime: boolean } {
  if (!path.startsWith(PREFIX)) return { path, isRuntime: false };
  return { path: join(runtimeDirectory(environment), path.slice(PREFIX.length)), isRuntime: true };
}
