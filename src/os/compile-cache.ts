// Node's compile cache: what V8 made of the program's text, so that the next start need not make it again.
// It is code that the process will run: whoever can write there is the daemon. So it is used only in the directory that the
// service manager gives, and only where nobody but root and the process's own user can change it or a directory above it.
// Source: nodejs.org/api/module.html (module compile cache); systemd.exec(5), CacheDirectory= and $CACHE_DIRECTORY.

import { realpathSync, statSync } from "node:fs";
import module from "node:module";
import { dirname } from "node:path";
import { errnoOf } from "./errno.ts";

const FOR_OTHERS_TO_WRITE = 0o022;
/** In such a directory nobody renames or removes what is another's. */
const STICKY = 0o1000;

export type CompileCache =
  /** No directory was given. */
  | { readonly kind: "off" }
  | { readonly kind: "on"; readonly directory: string }
  | { readonly kind: "refused"; readonly why: string };

/** To be called before the modules that are to be served from it are loaded. */
export function useCompileCache(environment: Readonly<Record<string, string | undefined>>): CompileCache {
  const found = compileCacheOf(environment.CACHE_DIRECTORY, process.geteuid?.() ?? 0);
  if (found.kind === "on") module.enableCompileCache(found.directory);
  return found;
}

/** @param given  systemd's list, with ":" between; the first one counts */
export function compileCacheOf(given: string | undefined, uid: number): CompileCache {
  const [first = ""] = given?.split(":") ?? [];
  if (first === "") return { kind: "off" };
  try {
    const directory = realpathSync(first);
    const why = dangerOf(directory, uid);
    return why === undefined ? { kind: "on", directory } : { kind: "refused", why: `CACHE_DIRECTORY: ${why}` };
  } catch (error) {
    return { kind: "refused", why: `CACHE_DIRECTORY ${first} cannot be used (${errnoOf(error)}): make it` };
  }
}

function dangerOf(directory: string, uid: number): string | undefined {
  const own = statSync(directory);
  if (!own.isDirectory()) return `${directory} is no directory`;
  if (own.uid !== uid) return `${directory} belongs to uid ${own.uid}, the process is uid ${uid}: chown it`;
  if ((own.mode & FOR_OTHERS_TO_WRITE) !== 0) return `others can write to ${directory}: chmod 0700 ${directory}`;
  for (let above = dirname(directory); ; above = dirname(above)) {
    const { mode, uid: owner } = statSync(above);
    const isOpen = (mode & FOR_OTHERS_TO_WRITE) !== 0 && (mode & STICKY) === 0;
    if (isOpen || (owner !== uid && owner !== 0))
      return `others can replace ${directory}: ${above} is theirs to change`;
    if (above === "/") return undefined;
  }
}
