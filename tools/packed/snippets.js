// TypeScript in Markdown: the blocks between ```ts and ```.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * The TypeScript blocks of a Markdown text. A comment `<!-- ts: CODE -->` before a block is code that the block
 * needs and readers do not: imports, declarations.
 *
 * @param {string} text
 * @returns {{ line: number, code: string }[]} code: with what the comment holds, in the block's first line
 */
export function snippetsOf(text) {
  const block = /(?:<!-- ts: (?<before>.*?) -->\n+)?```ts\n(?<code>.*?)\n```/gs;
  return [...text.matchAll(block)].map((match) => {
    const { before = "", code } = match.groups;
    const fence = match.index + match[0].indexOf("```ts");
    const line = text.slice(0, fence).split("\n").length;
    return { line, code: `${before.replaceAll("\n", " ")}${code}\n` };
  });
}

/** The Markdown files that people read: READMEs, the pages in docs/, recipes, and the site's own pages. */
export function markdownFiles(root) {
  const under = (directory) =>
    existsSync(directory)
      ? readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
          .map((entry) => join(entry.parentPath, entry.name))
      : [];
  const folders = ["packages", "apps", "examples"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  );
  return [
    ...["README.md", "CONTRIBUTING.md"].map((name) => join(root, name)),
    ...under(join(root, "docs")),
    ...under(join(root, "apps/docs/pages")),
    ...readdirSync(join(root, "examples"))
      .map((name) => join(root, "examples", name, "README.md"))
      .filter((file) => existsSync(file)),
    ...folders.flatMap((folder) => [
      ...[join(folder, "README.md")].filter((file) => existsSync(file)),
      ...under(join(folder, "docs")),
    ]),
  ].map((file) => relative(root, file));
}

/** @returns {{ file: string, line: number, code: string }[]} */
export function allSnippets(root) {
  return markdownFiles(root).flatMap((file) =>
    snippetsOf(readFileSync(join(root, file), "utf8")).map((snippet) => ({ file, ...snippet })),
  );
}
