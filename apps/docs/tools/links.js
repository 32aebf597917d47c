// Links between the Markdown files of the repository as links between pages of the site.
import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/**
 * Rewrites the relative links of a file: to pages of the site where there is one, to the repository where its address
 * is known, and to plain text elsewhere. Code is left alone.
 *
 * @param {string} text Markdown
 * @param {object} options
 * @param {string} options.file path of the text, relative to the repository
 * @param {string} options.root directory of the repository
 * @param {string} options.base path under which the site is hosted
 * @param {ReadonlyMap<string, string>} options.pages page of each file or folder of the repository, and of each package by name
 * @param {string} options.address of the repository on the web; empty if it has none
 * @param {(file: string) => string} options.asset takes a picture along, and gives its address on the site
 * @returns {{ text: string, problems: string[] }} problems: links that lead nowhere
 */
export function rewriteLinks(text, { file, root, base, pages, address, asset }) {
  const problems = [];
  const rewrite = (whole, bang, label, target) => {
    // Another maker's pages: the site's script would look for them among its own.
    if (/^\/(?:api|bench|conformance|explorer)\//.test(target))
      return `${bang}[${label}](${base.slice(0, -1)}${target}){target="_self"}`;
    // READMEs name packages where npm has them; the site has them, too.
    const [, name] = /^https:\/\/www\.npmjs\.com\/package\/(.+)$/.exec(target) ?? [];
    if (pages.has(name)) return `[${label}](/${pages.get(name)})`;
    if (/^(?:[a-z]+:|#|\/)/.test(target)) return whole;
    const [path, anchor] = target.split("#");
    const found = normalize(join(dirname(file), path)).replace(/\/$/, "");
    if (!existsSync(join(root, found))) {
      problems.push(`${file}: ${target} does not exist`);
      return whole;
    }
    if (bang !== "") return `![${label}](${asset(found)})`;
    const page = pages.get(found) ?? pages.get(`${found}/README.md`);
    if (page !== undefined) return `[${label}](/${page}${anchor ? `#${anchor}` : ""})`;
    if (address === "") return label;
    const kind = statSync(join(root, found)).isDirectory() ? "tree" : "blob";
    return `[${label}](${address}/${kind}/main/${found}${anchor ? `#${anchor}` : ""})`;
  };
  const parts = text.split(/(^```.*?^```$|`[^`\n]+`(?!\]))/ms);
  const done = joinLabels(parts).map((part, i) =>
    i % 2 === 1 ? part : part.replaceAll(/(!?)\[((?:[^\][]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g, rewrite),
  );
  return { text: done.join(""), problems };
}

/** Code in the label of a link belongs to the text around it. */
function joinLabels(parts) {
  const joined = [parts[0]];
  for (let i = 1; i < parts.length; i += 2) {
    const inLabel = !parts[i].startsWith("```") && /\[[^\]]*$/.test(joined.at(-1));
    if (inLabel) joined.push(joined.pop() + parts[i] + parts[i + 1]);
    else joined.push(parts[i], parts[i + 1]);
  }
  return joined;
}
