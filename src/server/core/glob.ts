// Globs of the policy: "*" is any run of characters without "/", "**" any run, "?" one character that is no "/".
// Everything else is itself: there are no classes, no alternatives and no escapes. Time is bounded by pattern × text.

type Piece = { readonly kind: "text"; readonly character: string } | { readonly kind: "one" | "run" | "path" };

/** Whether the whole of `text` is what `glob` describes. */
export function matchesGlob(glob: string, text: string): boolean {
  const pieces = piecesOf(glob);
  // reached[n]: the pieces so far can end before character n.
  let reached = Array.from({ length: text.length + 1 }, (_, index) => index === 0);
  for (const piece of pieces) reached = step(piece, text, reached);
  return reached[text.length] === true;
}

function step(piece: Piece, text: string, before: readonly boolean[]): boolean[] {
  const after = Array.from({ length: text.length + 1 }, () => false);
  const repeats = piece.kind === "run" || piece.kind === "path";
  for (let at = 0; at <= text.length; at++) {
    if (repeats && before[at]) after[at] = true;
    const from = repeats ? after[at - 1] : before[at - 1];
    if (at > 0 && from === true && takes(piece, text.charAt(at - 1))) after[at] = true;
  }
  return after;
}

function takes(piece: Piece, character: string): boolean {
  if (piece.kind === "text") return piece.character === character;
  return piece.kind === "path" || character !== "/";
}

function piecesOf(glob: string): Piece[] {
  const words = glob.match(/\*\*|[\s\S]/g) ?? [];
  return words.map((word) => {
    if (word === "**") return { kind: "path" };
    if (word === "*") return { kind: "run" };
    return word === "?" ? { kind: "one" } : { kind: "text", character: word };
  });
}
