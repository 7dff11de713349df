// Changes in a directory, by inotify. A directory that is not there, or goes away, tells nothing more: who needs certainty
// looks by itself now and then.

import { watch } from "node:fs";

/** @returns stops telling */
export function watchDirectory(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {}; // not there, or no watch is left (fs.inotify.max_user_watches)
  }
}
