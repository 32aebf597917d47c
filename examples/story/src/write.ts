import type { Model } from "./model.js";

/** Token that a text begins with, and that ends it. */
const begin = 1;

/** Writes token by token, the most likely one each time. */
export async function* write(model: Model, most: number): AsyncGenerator<number> {
  let token = begin;
  for (let count = 0; count < most; count++) {
    const [logits] = await model.next([token]);
    token = likeliest(logits as Float32Array);
    if (token === begin) return;
    yield token;
  }
}

/**
 * Writes the same text with fewer calls: four tokens are guessed, and checked in one call together with the
 * one that is certain. Those from the first wrong one on are taken back.
 */
export async function* writeWithDrafts(model: Model, most: number): AsyncGenerator<number> {
  const text = [begin];
  while (text.length <= most) {
    const drafts = guess(text, Math.min(4, most - text.length));
    const logits = await model.next([text.at(-1) as number, ...drafts]);
    for (const [i, row] of logits.entries()) {
      const token = likeliest(row);
      if (token === begin) return;
      text.push(token);
      yield token;
      if (token !== drafts[i]) break;
    }
    // The last token of the text is not in the caches yet: it begins the next call.
    model.truncate(text.length - 1);
  }
}

/** The tokens that followed the latest earlier occurrence of the last two tokens, or of the last one. */
export function guess(text: readonly number[], count: number): readonly number[] {
  for (const same of [2, 1]) {
    const end = text.slice(-same);
    for (let at = text.length - same - 1; at >= 0; at--) {
      if (end.every((token, i) => text[at + i] === token)) {
        return text.slice(at + same, at + same + count);
      }
    }
  }
  return [];
}

/** The index of the largest number. */
export function likeliest(logits: Float32Array): number {
  return logits.reduce((best, x, i) => (x > (logits[best] as number) ? i : best), 0);
}

/** Text of tokens, each of which may begin with a space; the first one's is left out. */
export function textOf(tokens: readonly number[], vocabulary: readonly string[]): string {
  return tokens
    .map((token) => vocabulary[token])
    .join("")
    .trimStart();
}
