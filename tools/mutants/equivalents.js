// Mutants that compute the same as what they change, with the reason. `pnpm mutants` does not count them.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Equivalents
 * @property {string} reason why no call can tell the mutants from what they change
 * @property {string[]} [files] of which the reason covers every mutant that lives
 * @property {string[]} [lines] of which it does: the name of a mutant up to its arrow
 * @property {string[]} [mutants] each as {@link nameOf} names it
 */

/** @type {Record<string, Equivalents[]>} by package */
const known = JSON.parse(readFileSync(join(import.meta.dirname, "equivalents.json"), "utf8"));

/** The reason why a mutant is equivalent, or null. */
export function whyEquivalent(name, mutant) {
  const wanted = nameOf(mutant);
  const isCovered = ({ files = [], lines = [], mutants = [] }) =>
    mutants.includes(wanted) ||
    lines.some((line) => wanted.startsWith(`${line} → `)) ||
    files.includes(mutant.file);
  return known[name]?.find(isCovered)?.reason ?? null;
}

/** Every group of a package. */
export const equivalentsOf = (name) => known[name] ?? [];

const oneLine = (text, length = 100) => {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > length ? `${line.slice(0, length)}…` : line;
};

/** A mutant in one line that stays the same when other lines come and go. */
export function nameOf({
  site,
  operator,
  kind,
  replacement,
  attribute,
  input,
  file,
  line,
  changed,
  original,
  from,
}) {
  // Chosen, and of any number of lines.
  if (from !== undefined) return `${file}: ${kind}`;
  if (site !== undefined) {
    const change = replacement ?? attribute ?? (input === undefined ? "" : `input ${input}`);
    return `${site.split(":")[0]}: ${oneLine(line)}: ${operator}, ${kind} ${change}`.trim();
  }
  if (original !== undefined) {
    return `${file}: ${oneLine(line)}: ${oneLine(original, 60)} → ${oneLine(replacement, 60)}`;
  }
  return `${file === undefined ? "" : `${file}: `}${oneLine(line)} → ${oneLine(changed)}`;
}
