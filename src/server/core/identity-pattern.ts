// Names of identities, as a session's owner writes them to say who may take it over: "uid:1001" for a uid that the kernel
// vouches for, or a name of a certificate ("spiffe://hosts.example/vmm-7", "vmm-7.example"). A certificate's name may
// end in "/*": whatever follows that slash.

import { type Caller, identityOf } from "./caller.ts";

const UID = /^uid:(?:0|[1-9][0-9]{0,9})$/;
/** (uid_t) -1 is nobody's. */
const UID_MAX = 2 ** 32 - 2;
const NAME_CHARACTERS_MAX = 256;
const NAME = /^[\x21-\x7e]+$/;
const REST = "/*";

/** What is wrong with a pattern; undefined when nothing is. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.startsWith("uid:")) {
    const isUid = UID.test(pattern) && Number(pattern.slice("uid:".length)) <= UID_MAX;
    return isUid ? undefined : `must be "uid:" and a uid of 0 to ${UID_MAX}`;
  }
  if (pattern.length > NAME_CHARACTERS_MAX || !NAME.test(pattern)) {
    return `must be "uid:1001", or a certificate's name of 1 to ${NAME_CHARACTERS_MAX} printable characters`;
  }
  const star = pattern.indexOf("*");
  return star === -1 || star === pattern.length - 1 ? endProblem(pattern) : 'may have a "*" only as its end "/*"';
}

export function matchesIdentity(pattern: string, caller: Caller): boolean {
  const isUid = pattern.startsWith("uid:"); // the kernel's word: no certificate's name is taken for it
  if (caller.kind !== (isUid ? "process" : "certificate")) return false;
  return covers(pattern, identityOf(caller));
}

function covers(pattern: string, identity: string): boolean {
  if (!pattern.endsWith(REST)) return pattern === identity;
  return identity.length >= pattern.length && identity.startsWith(pattern.slice(0, -1));
}

function endProblem(pattern: string): string | undefined {
  return !pattern.endsWith("*") || (pattern.endsWith(REST) && pattern.length > REST.length)
    ? undefined
    : 'may have a "*" only after a name and a slash, as in "spiffe://hosts.example/*"';
}
