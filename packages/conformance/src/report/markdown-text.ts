/**
 * Text that Markdown and HTML show as it is, in one line. Reports may come from strangers, and
 * everything in them is data: every character that could start markup becomes a numeric character
 * reference, which Markdown never takes for structure (CommonMark 0.31, section 2.5).
 */
export function asText(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[^\p{L}\p{N} .,:;/()@+'’=–—−×√≥≤≠∞°-]/gu, (c) => `&#${c.codePointAt(0)};`);
}

/** The text that {@link asText} encoded. */
export function fromText(encoded: string): string {
  return encoded.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}

/** A code block, fenced by more backticks than the text has anywhere in a row. */
export function codeBlock(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
