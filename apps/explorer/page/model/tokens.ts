/** Pieces of words with their log-probabilities; a piece that begins a word begins with "▁". */
export type Vocabulary = readonly (readonly [piece: string, score: number])[];

/** Entries of the vocabulary in front of the pieces: unknown, start, end, and three without use. */
const reserved = 6;
const unknown = 0;
/** Log-probability of a character that no piece has: below every piece's. */
const unknownScore = -20;

/**
 * Divides text into the pieces of a vocabulary so that their probability is highest (Kudo, 2018,
 * arXiv:1804.10959), by the Viterbi algorithm.
 */
export class Tokeniser {
  readonly #pieces = new Map<string, number>();
  readonly #vocabulary: Vocabulary;
  readonly #longest: number;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    let longest = 1;
    for (let id = reserved; id < vocabulary.length; id++) {
      const [piece] = vocabulary[id] as Vocabulary[number];
      this.#pieces.set(piece, id);
      longest = Math.max(longest, [...piece].length);
    }
    this.#longest = longest;
  }

  /** @returns the pieces and their numbers in the vocabulary; neighbouring unknown characters are one piece */
  encode(text: string): { readonly pieces: string[]; readonly ids: Int32Array } {
    const words = text.normalize("NFKC").trim().replace(/\s+/gu, " ");
    const characters = words === "" ? [] : [...`▁${words.replaceAll(" ", "▁")}`];
    const best = new Float64Array(characters.length + 1).fill(Number.NEGATIVE_INFINITY);
    const from = new Int32Array(characters.length + 1);
    const entry = new Int32Array(characters.length + 1);
    best[0] = 0;
    for (let start = 0; start < characters.length; start++) {
      const base = best[start] as number;
      let piece = "";
      for (let end = start + 1; end <= Math.min(start + this.#longest, characters.length); end++) {
        piece += characters[end - 1];
        const id = this.#pieces.get(piece) ?? (end === start + 1 ? unknown : -1);
        if (id < 0) continue;
        const score = base + (id === unknown ? unknownScore : (this.#vocabulary[id]?.[1] ?? 0));
        if (score <= (best[end] as number)) continue;
        best[end] = score;
        from[end] = start;
        entry[end] = id;
      }
    }
    const pieces: string[] = [];
    const ids: number[] = [];
    for (let end = characters.length; end > 0; end = from[end] as number) {
      const piece = characters.slice(from[end], end).join("");
      const id = entry[end] as number;
      if (id === unknown && ids.at(-1) === unknown) pieces.push(piece + pieces.pop());
      else {
        pieces.push(piece);
        ids.push(id);
      }
    }
    return { pieces: pieces.reverse(), ids: Int32Array.from(ids.reverse()) };
  }
}

/** A piece as readers know it: without the mark of a word's beginning. */
export function shown(piece: string): string {
  return piece.replace(/^▁/u, "") || "␣";
}
