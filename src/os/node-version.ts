// The oldest Node that runs the programs, told in words: an older one would end with a SyntaxError of some file.
// Source: package.json, "engines".

const [MAJOR, MINOR] = [22, 12] as const;

/** @param version  of process.versions.node, "20.20.2"; undefined: new enough */
export function whyTooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MAJOR || (major === MAJOR && minor >= MINOR)) return undefined;
  return `Node ${version} is too old: this needs ${MAJOR}.${MINOR} or newer. Install one, and start the program with it.`;
}
