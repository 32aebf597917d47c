// The Markdown of the repository as pages of the site: which file becomes which page. Nothing is copied by hand; a new
// guide, example, decision or package appears by itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/**
 * @typedef {{ file: string, page: string, title: string, group: string, parent?: string }} Source
 * file: relative to the repository; page: path on the site without a suffix, "" for the front page;
 * group: heading in the sidebar, "" if the page stands in none; parent: the page under which it is folded
 */

/** Pages of `docs/` in the order in which people read them; others follow by name. */
const insideOrder = ["architecture", "mutants", "others"];

/** Own pages at the start of the sidebar, in order. */
const startOrder = ["attention", "first-call", "choosing-a-backend"];

/** @returns {Source[]} all pages made from Markdown, in the sidebar's order */
export function allSources(root) {
  const titled = (source) => ({ ...source, title: titleOf(join(root, source.file)) });
  const own = (name, group) => ({ file: `apps/docs/pages/${name}.md`, page: name, group });
  const inDocs = (name, group, parent) => ({
    ...{ file: `docs/${name}.md`, page: name.replace(/\/README$/, "/index"), group },
    ...(parent && { parent }),
  });
  const listed = new Set([...startOrder, "coming-from", "devices", "faq", "index"]);
  const sources = [
    { file: "apps/docs/pages/index.md", page: "index", group: "" },
    ...startOrder.map((name) => own(name, "Start")),
    ...markdownIn(root, "docs/guides").map((name) => inDocs(`guides/${name}`, "Guides")),
    ...own_others(root, listed).map((name) => own(name, "Guides")),
    own("coming-from", "Guides"),
    own("faq", "Guides"),
    ...folders(root, "examples").map((name) => ({
      ...{ file: `examples/${name}/README.md`, page: `recipes/${name}`, group: "Recipes" },
    })),
    inDocs("semantics", "Reference"),
    own("devices", "Reference"),
    inDocs("glossary", "Reference"),
    ...packageFolders(root).map((folder) => ({
      ...{ file: `${folder}/README.md`, page: `packages/${basename(folder)}`, group: "Reference" },
      parent: "reference",
    })),
    ...docsInside(root).map((name) => inDocs(name, "Inside")),
    inDocs("kernels/README", "Inside"),
    ...without(markdownIn(root, "docs/kernels"), "README").map((name) =>
      inDocs(`kernels/${name}`, "Inside", "kernels/index"),
    ),
    inDocs("decisions/README", "Inside"),
    ...without(markdownIn(root, "docs/decisions"), "README").map((name) =>
      inDocs(`decisions/${name}`, "Inside", "decisions/index"),
    ),
    { file: "CONTRIBUTING.md", page: "contributing", group: "Inside" },
    { file: "SECURITY.md", page: "security", group: "Inside" },
    { file: "CODE_OF_CONDUCT.md", page: "code-of-conduct", group: "Inside" },
  ];
  return sources.map(titled);
}

/** Files and folders that a page stands for, though it is made of another file. */
export const alsoKnownAs = {
  "README.md": "index",
  docs: "index",
  "docs/README.md": "index",
  "apps/bench": "packages/bench",
  "apps/conformance": "packages/conformance-page",
  "docs/guides": "first-call",
  ".": "index",
};

/** Folders of the packages that have a README and a page: those that are published, and the web pages. */
function packageFolders(root) {
  const first = ["packages/heed", "packages/core"];
  const all = ["packages", "apps"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => `${parent}/${name}`),
  );
  const published = all.filter((folder) => {
    if (!existsSync(join(root, folder, "README.md"))) return false;
    return !JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).private;
  });
  return [...first, ...published.filter((folder) => !first.includes(folder))];
}

function docsInside(root) {
  const elsewhere = ["README", "semantics", "glossary"];
  const names = without(markdownIn(root, "docs"), ...elsewhere);
  const rank = (name) =>
    (insideOrder.indexOf(name) + insideOrder.length + 1) % (insideOrder.length + 1);
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

const own_others = (root, listed) => without(markdownIn(root, "apps/docs/pages"), ...listed);

function markdownIn(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3))
    .sort();
}

function folders(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder))
    .filter((name) => existsSync(join(root, folder, name, "README.md")))
    .sort();
}

const without = (names, ...left) => names.filter((name) => !left.includes(name));

/** The text of a file's first heading. */
function titleOf(file) {
  const [, title] = /^(?:# |title: )(.+)$/m.exec(readFileSync(file, "utf8")) ?? [];
  if (title === undefined) throw new Error(`${file}: expected a heading "# …"`);
  return title.replaceAll("`", "");
}
