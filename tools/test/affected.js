// How far a change is from each package: what it touches is tested first, since it fails most often.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The workspace's packages, by directory.
 *
 * @param {string} root the repository
 * @returns {Map<string, { name: string, needs: string[] }>} needs: names of all that a package.json depends on
 */
export function readPackages(root) {
  const packages = new Map();
  for (const parent of ["packages", "apps", "examples", "templates"]) {
    if (!existsSync(join(root, parent))) continue;
    for (const name of readdirSync(join(root, parent))) {
      const file = join(root, parent, name, "package.json");
      if (!existsSync(file)) continue;
      const manifest = JSON.parse(readFileSync(file, "utf8"));
      const { dependencies, devDependencies, peerDependencies } = manifest;
      const needs = Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies });
      packages.set(`${parent}/${name}`, { name: manifest.name, needs });
    }
  }
  return packages;
}

/**
 * Distance of each package from a change: 0 if it was changed itself, 1 if it depends on one that was, …
 *
 * @param {ReadonlyMap<string, { name: string, needs: readonly string[] }>} packages
 * @param {readonly string[]} changed paths of files, relative to the repository
 * @returns {Map<string, number>} by directory; unaffected packages are missing
 */
export function distances(packages, changed) {
  const found = new Map();
  for (const directory of packages.keys()) {
    if (changed.some((path) => path.startsWith(`${directory}/`))) found.set(directory, 0);
  }
  for (let distance = 0, size = 0; size !== found.size; distance += 1) {
    size = found.size;
    const names = new Set(
      [...found].filter(([, at]) => at === distance).map(([path]) => packages.get(path).name),
    );
    for (const [directory, { needs }] of packages) {
      if (found.has(directory)) continue;
      if (needs.some((name) => names.has(name))) found.set(directory, distance + 1);
    }
  }
  return found;
}

/**
 * Files that differ from where the change began: from the remote's main branch, or, on that branch itself,
 * from the commit before. Uncommitted ones count. Empty outside a git repository.
 *
 * @param {string} root the repository
 * @returns {string[]} paths relative to it
 */
export function changedFiles(root) {
  const git = (...args) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .split("\n")
      .filter(Boolean);
  try {
    const [head] = git("rev-parse", "HEAD");
    const bases = ["origin/main", "main", "HEAD~1"].flatMap((name) => {
      try {
        return git("merge-base", name, "HEAD");
      } catch {
        return [];
      }
    });
    const base = bases.find((commit) => commit !== head) ?? head;
    return [
      ...git("diff", "--name-only", base),
      ...git("ls-files", "--others", "--exclude-standard"),
    ];
  } catch {
    return [];
  }
}
