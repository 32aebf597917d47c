// The changelog of all published packages: their CHANGELOG.md, and what is not released yet.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** @returns {string} Markdown */
export function changelog(root, packages) {
  const waiting = unreleased(root);
  const released = packages
    .map(({ name, folder }) => ({ name, file: join(root, folder, "CHANGELOG.md") }))
    .filter(({ file }) => existsSync(file));
  return [
    "# Changelog\n",
    "Every change that users notice, by package. Versions follow [semver](https://semver.org); before 1.0, a minor",
    "version may break what the one before it offered, and says so here.\n",
    ...(waiting.size > 0 ? ["## Not released yet\n"] : []),
    ...[...waiting]
      .sort()
      .flatMap(([name, changes]) => [`### ${name}\n`, ...changes.map(item), ""]),
    ...released.flatMap(({ name, file }) => [
      `## ${name}\n`,
      readFileSync(file, "utf8")
        .replace(/^# .*\n+/, "")
        .replaceAll(/^(#+) /gm, "$1# "),
    ]),
  ].join("\n");
}

const item = (change) => `- ${change.replaceAll("\n", "\n  ")}`;

/** @returns {Map<string, string[]>} texts of the changesets, by package */
function unreleased(root) {
  const found = new Map();
  const folder = join(root, ".changeset");
  const files = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md");
  for (const name of files.sort()) {
    const [, head, text] =
      /^---\n(.*?)\n---\n+(.*)$/s.exec(readFileSync(join(folder, name), "utf8")) ?? [];
    for (const [, changed] of (head ?? "").matchAll(/^"([^"]+)":/gm)) {
      found.set(changed, [...(found.get(changed) ?? []), text.trim()]);
    }
  }
  return found;
}
