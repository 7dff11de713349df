// The errno name that Node puts on the errors of its own system calls.

/** "ENOENT" and the like; "unknown" for an error that came from elsewhere. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : "unknown";
}
