// How a guest's memory lies in its file: permuted, in pieces of 4 KiB, 2 MiB and 1 GiB, never where it stands in the
// guest's own address space. Stage 2 built from it is then not identity, and a walker that went around stage 2 would
// land on other bytes.

const KIB4 = 4096;
const MIB2 = 2 ** 21;
const GIB1 = 2 ** 30;
const PAGES_PER_CHUNK = MIB2 / KIB4;
const CHUNKS_PER_GIB = GIB1 / MIB2;

/** One piece of guest memory: [ipa, ipa + bytes) is file[offset, offset + bytes). */
export interface Piece {
  readonly ipa: number;
  readonly bytes: number;
  readonly offset: number;
}

export interface GuestLayout {
  readonly pieces: readonly Piece[];
  readonly fileBytes: number;
  /** Where an IPA lies in the file, and the size of the piece; undefined: not mapped. */
  find(ipa: number): { readonly offset: number; readonly pieceBytes: number } | undefined;
}

export interface LayoutOptions {
  /** Guest RAM; what is mapped is this, rounded out to whole GiB. */
  readonly ram: readonly { readonly base: number; readonly size: number }[];
  /** IPAs that will be used: every other 2 MiB with one of them is mapped page by page. */
  readonly used: readonly number[];
  /** Which GiB of the RAM is one 1 GiB piece: "first", or "last" (an extra one beyond RAM when there is only one). */
  readonly gigabyte: "first" | "last";
}

/** 2 MiB chunks that are mapped page by page, at most: each costs 512 mappings. */
const PAGED_CHUNKS_MAX = 40;

export function guestLayout(options: LayoutOptions): GuestLayout {
  const gibs = gigabytesOf(options);
  const whole = options.gigabyte === "first" ? gibs[0]! : gibs[gibs.length - 1]!;
  const paged = pagedChunks(options.used, whole);
  const pieces: Piece[] = [];
  gibs.forEach((base, index) => {
    // Whole GiB slots of the file in reverse order: no GiB lies where it stands in the guest.
    const slot = (gibs.length - 1 - index) * GIB1;
    if (base === whole) pieces.push({ ipa: base, bytes: GIB1, offset: slot });
    else pieces.push(...chunkPieces(base, slot, paged));
  });
  pieces.sort((a, b) => a.ipa - b.ipa);
  return { pieces, fileBytes: gibs.length * GIB1, find: (ipa) => findIn(pieces, ipa) };
}

/** Bases of the GiB that hold RAM, and one more, so that there is always one to map whole and one to map in pieces. */
function gigabytesOf({ ram }: LayoutOptions): number[] {
  const bases = new Set<number>();
  for (const { base, size } of ram) {
    for (let at = Math.floor(base / GIB1); at * GIB1 < base + size; at += 1) bases.add(at * GIB1);
  }
  const sorted = [...bases].sort((a, b) => a - b);
  sorted.push(sorted[sorted.length - 1]! + GIB1);
  return sorted;
}

function pagedChunks(used: readonly number[], whole: number): ReadonlySet<number> {
  const chunks = [...new Set(used.map((ipa) => Math.floor(ipa / MIB2) * MIB2))]
    .filter((chunk) => chunk < whole || chunk >= whole + GIB1)
    .sort((a, b) => a - b);
  const everyOther = chunks.filter((_, index) => index % 2 === 0);
  return new Set(everyOther.slice(0, PAGED_CHUNKS_MAX));
}

function chunkPieces(base: number, slot: number, paged: ReadonlySet<number>): Piece[] {
  const pieces: Piece[] = [];
  for (let chunk = 0; chunk < CHUNKS_PER_GIB; chunk += 1) {
    const ipa = base + chunk * MIB2;
    // An odd multiplier permutes a power of two; the addend moves 0 away.
    const offset = slot + ((chunk * 37 + 11) % CHUNKS_PER_GIB) * MIB2;
    if (!paged.has(ipa)) {
      pieces.push({ ipa, bytes: MIB2, offset });
      continue;
    }
    for (let page = 0; page < PAGES_PER_CHUNK; page += 1) {
      const moved = (page * 5 + 3) % PAGES_PER_CHUNK;
      pieces.push({ ipa: ipa + page * KIB4, bytes: KIB4, offset: offset + moved * KIB4 });
    }
  }
  return pieces;
}

function findIn(pieces: readonly Piece[], ipa: number): { offset: number; pieceBytes: number } | undefined {
  let low = 0;
  let high = pieces.length - 1;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const piece = pieces[middle]!;
    if (ipa < piece.ipa) high = middle - 1;
    else if (ipa >= piece.ipa + piece.bytes) low = middle + 1;
    else return { offset: piece.offset + ipa - piece.ipa, pieceBytes: piece.bytes };
  }
  return undefined;
}
