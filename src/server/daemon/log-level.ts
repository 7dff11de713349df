// The level of the log, as an administrator reads and sets it: by its name.

import { LOG_LEVELS, type Log } from "../log.ts";

export function logLevelOf(log: Log): { get(): string; set(level: string): boolean } {
  return {
    get: () => log.level(),
    set: (name) => {
      const level = LOG_LEVELS.find((known) => known === name);
      if (level !== undefined) log.setLevel(level);
      return level !== undefined;
    },
  };
}
