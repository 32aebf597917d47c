// The published packages and their entry points.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @returns {{ name: string, folder: string, description: string, entries: { specifier: string, source: string }[] }[]}
 * entries: what applications import, and the source file of each
 */
export function publishedPackages(root) {
  const folders = ["packages", "apps"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => `${parent}/${name}`),
  );
  return folders.flatMap((folder) => {
    const file = join(root, folder, "package.json");
    if (!existsSync(file)) return [];
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    if (manifest.private) return [];
    const entries = Object.entries(manifest.exports ?? {}).flatMap(([path, entry]) =>
      typeof entry === "object" && entry.source
        ? [{ specifier: path.replace(/^\./, manifest.name), source: join(folder, entry.source) }]
        : [],
    );
    return [{ name: manifest.name, folder, description: manifest.description, entries }];
  });
}
