// Files that a page shows: an example's README links to its code, and the site shows the code in that place.
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { renderMermaidSVG } from "beautiful-mermaid";

const languages = { ".js": "js", ".ts": "ts", ".html": "html", ".json": "json", ".txt": "text" };

/**
 * Replaces lines that hold nothing but links to files beside the page, as in `[main.js](main.js)`, by the
 * files' text. Neighbouring lines become tabs of one block.
 *
 * @param {string} text Markdown
 * @param {string} file absolute path of the text
 */
export function embedFiles(text, file) {
  const link = /^\[`?([\w./-]+)`?\]\(\1\)$/;
  const block = /(?:^\[`?[\w./-]+\.(?:js|ts|html|json|txt)`?\]\([\w./-]+\)\n)+/gm;
  return text.replaceAll(block, (lines) => {
    const names = lines
      .trim()
      .split("\n")
      .map((line) => link.exec(line)?.[1]);
    if (names.some((name) => name === undefined || !existsSync(join(dirname(file), name))))
      return lines;
    const shown = names.map((name) => {
      const code = readFileSync(join(dirname(file), name), "utf8").trimEnd();
      return `\`\`\`${languages[extname(name)]} [${name}]\n${code}\n\`\`\``;
    });
    return `::: code-group\n${shown.join("\n")}\n:::\n`;
  });
}

/** Puts pictures in the place of `<!-- picture: NAME -->`: one for wide screens, one for phones. */
export function embedPictures(text, folder) {
  return text.replaceAll(/^<!-- picture: (\w+) -->$/gm, (_, name) => {
    const drawn = ["wide", "narrow"].map((form) =>
      readFileSync(join(folder, `${name}-${form}.svg`), "utf8").trim(),
    );
    return `<figure class="picture" v-pre>\n${drawn.join("\n")}\n</figure>\n`;
  });
}

/** Draws the diagrams in mermaid's language, in the site's colours. */
export function drawDiagrams(text) {
  return text.replaceAll(/^```mermaid\n(.*?)^```$/gms, (_, diagram) => {
    const svg = renderMermaidSVG(diagram, { transparent: true });
    const drawn = svg
      // The site's style sheet has the diagram's colours.
      .replace(/<style>.*?<\/style>/s, "")
      .replace(/ style="[^"]*"/, "")
      .replace(/<svg /, `<svg role="img" aria-label="${describe(diagram)}" `)
      .replaceAll(/\n\s*\n/g, "\n");
    return `<div class="diagram" role="group" aria-label="Diagram" tabindex="0" v-pre>\n${drawn}\n</div>\n`;
  });
}

/** A diagram in words: its arrows, one after another. */
function describe(diagram) {
  const names = new Map();
  for (const [, id, name] of diagram.matchAll(/participant (\S+) as (.+)/g)) names.set(id, name);
  for (const [, id, name] of diagram.matchAll(/(\w+)\["?([^"\]]+)"?\]/g)) names.set(id, name);
  const name = (id) => names.get(id) ?? id;
  const arrow =
    /^\s*(\w+)(?:\[[^\]]*\])?\s*-[^>\n]*>+(?:\|([^|]*)\|)?\s*(\w+)(?:\[[^\]]*\])?(?:: (.+))?$/gm;
  const arrows = [...diagram.matchAll(arrow)].map(
    ([, from, label, to, said]) =>
      `${name(from)} to ${name(to)}${(said ?? label) ? `: ${said ?? label}` : ""}`,
  );
  return `Diagram. ${arrows.join("; ")}`.replaceAll(/["<>&]/g, " ");
}
