// When to look at the host again: devices come and go while the daemon runs.
// What matters is a VFIO device node that appears or disappears, and /dev is a file system whose changes inotify tells, with
// no privilege. The kernel's uevents (a netlink socket) would tell more and sooner, but reach only the first network
// namespace, so not every container. sysfs tells inotify nothing: its class directory is listed every few seconds, for hosts
// whose /dev is a copy. Many changes at once are one look; looks never overlap.

import type { HostFiles, HostRoots } from "./host-files.ts";

const NODES_MAX = 65_536;

/** Tells of changes in a directory, until the returned function is called. Where there is none, nothing is told. */
export type WatchDirectory = (path: string, onChange: () => void) => () => void;

export interface HotplugOptions {
  readonly files: HostFiles;
  readonly roots: HostRoots;
  readonly watch: WatchDirectory;
  /** Looks at the host and takes over what it finds. */
  readonly rescan: () => Promise<void>;
  /** A look that failed: it is a bug, for a look never fails. */
  readonly onBug: (error: unknown) => void;
  /** How long changes are gathered before a look. */
  readonly gatherMs: number;
  /** How often the class directory is listed. */
  readonly pollMs: number;
}

export interface Hotplug {
  /** Looks now, after the look that is under way; resolves when it is done. */
  look(): Promise<void>;
  /** Resolves when no look is under way any more. */
  stop(): Promise<void>;
}

export function startHotplug(options: HotplugOptions): Hotplug {
  const { files, gatherMs, onBug, pollMs, roots } = options;
  const nodes = `${roots.dev}/vfio/devices`;
  let looking: Promise<void> = Promise.resolve();
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let listed: string | undefined;
  let isStopped = false;
  let isPolling = false;
  let unwatchNodes = (): void => {};

  const look = (): Promise<void> => {
    const next = looking.then(async () => {
      if (!isStopped) await options.rescan();
    });
    looking = next.catch(onBug);
    return next;
  };
  // The first change starts the clock and later ones do not put it off: a storm delays nothing beyond one gathering.
  const changed = (): void => {
    if (isStopped || gathering !== undefined) return;
    gathering = setTimeout(() => {
      gathering = undefined;
      void look().catch(() => {}); // told to onBug above
    }, gatherMs);
  };
  const watchNodes = (): void => {
    unwatchNodes();
    unwatchNodes = options.watch(nodes, changed);
  };
  const poll = async (): Promise<void> => {
    if (isPolling) return;
    isPolling = true;
    try {
      const now = (await files.list(`${roots.sys}/class/vfio-dev`, NODES_MAX)).join(" ");
      if (now !== listed) changed(); // the first time too: something may have come since the host was last looked at
      listed = now;
    } finally {
      isPolling = false;
    }
  };

  watchNodes();
  // The directory is made with the first node, and a watch on what is not there hears nothing.
  const unwatchParent = options.watch(`${roots.dev}/vfio`, () => {
    watchNodes();
    changed();
  });
  const polling = setInterval(() => void poll().catch(onBug), pollMs);
  polling.unref();
  void poll().catch(onBug);
  return {
    look,
    stop: async () => {
      isStopped = true;
      clearInterval(polling);
      clearTimeout(gathering);
      unwatchNodes();
      unwatchParent();
      await looking;
    },
  };
}
