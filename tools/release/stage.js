// The published packages as a release would have them, in a folder of their own: versions and changelogs by changesets,
// links to the repository, the licence. Nothing in the working tree changes.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { repositoryAddress } from "../repository-address.js";

/** @typedef {{ name: string, folder: string, manifest: Record<string, any> }} Staged folder: relative to the stage */

/**
 * @param {string} root the repository, built
 * @param {string} target an empty folder
 * @returns {Staged[]} the published packages
 */
export function stage(root, target) {
  const folders = workspaceFolders(root);
  for (const file of [
    "package.json",
    "pnpm-workspace.yaml",
    "pnpm-lock.yaml",
    "LICENSE",
    ".changeset",
  ]) {
    cpSync(join(root, file), join(target, file), { recursive: true });
  }
  for (const folder of folders) copyPackage(root, target, folder);
  // Changesets finds its own parts in the workspace.
  symlinkSync(join(root, "node_modules"), join(target, "node_modules"));
  const changeset = join(root, "node_modules/@changesets/cli/bin.js");
  execFileSync(process.execPath, [changeset, "version"], { cwd: target, stdio: "pipe" });

  const manifests = new Map(folders.map((folder) => [folder, readManifest(target, folder)]));
  const versions = new Map([...manifests.values()].map(({ name, version }) => [name, version]));
  const address = repositoryAddress(root);
  const published = folders.filter((folder) => !manifests.get(folder).private);
  writeFileSync(
    join(target, "package.json"),
    JSON.stringify({ private: true, workspaces: published }),
  );
  return published.map((folder) => {
    const manifest = manifests.get(folder);
    const finished = finish(manifest, { folder, versions, address });
    writeFileSync(join(target, folder, "package.json"), `${JSON.stringify(finished, null, 2)}\n`);
    return { name: manifest.name, folder, manifest: finished };
  });
}

/** Folders of the workspace's packages, as pnpm-workspace.yaml lists them. */
function workspaceFolders(root) {
  const [, list] = /^packages:\n((?: {2}- .*\n)+)/m.exec(
    readFileSync(join(root, "pnpm-workspace.yaml"), "utf8"),
  );
  return list
    .trim()
    .split("\n")
    .map((line) => line.replace(/^\s*- /, ""))
    .flatMap((pattern) => {
      if (!pattern.endsWith("/*")) return [pattern];
      const parent = pattern.slice(0, -2);
      return readdirSync(join(root, parent)).map((name) => `${parent}/${name}`);
    })
    .filter((folder) => existsSync(join(root, folder, "package.json")));
}

/** Copies a package's manifest, and of a published one everything that it packs. */
function copyPackage(root, target, folder) {
  mkdirSync(join(target, folder), { recursive: true });
  const manifest = readManifest(root, folder);
  const published = ["README.md", "CHANGELOG.md", ...(manifest.files ?? [])];
  const names = ["package.json", ...(manifest.private ? [] : published)];
  for (const name of names) {
    const source = join(root, folder, name);
    if (name.startsWith("!") || !existsSync(source)) continue;
    mkdirSync(dirname(join(target, folder, name)), { recursive: true });
    cpSync(source, join(target, folder, name), { recursive: true });
  }
  if (!manifest.private) cpSync(join(root, "LICENSE"), join(target, folder, "LICENSE"));
}

/** A manifest with ranges of versions in place of workspace links, and without what only the workspace needs. */
function finish({ devDependencies, scripts, ...manifest }, { folder, versions, address }) {
  const range = ([name, given]) => [
    name,
    given.replace(/^workspace:([\^~]?)$/, (_, sign) => `${sign}${versions.get(name)}`),
  ];
  const finished = { ...manifest, files: [...manifest.files, "CHANGELOG.md"] };
  // Without sources, nobody can ask for them.
  if (!manifest.files.includes("src")) {
    finished.exports = withoutSource(manifest.exports);
    if (manifest.imports) finished.imports = withoutSource(manifest.imports);
  }
  for (const kind of ["dependencies", "peerDependencies"]) {
    if (manifest[kind])
      finished[kind] = Object.fromEntries(Object.entries(manifest[kind]).map(range));
  }
  if (address === "") return finished;
  return {
    ...finished,
    repository: { type: "git", url: `git+${address}.git`, directory: folder },
    homepage: `${address}#readme`,
    bugs: `${address}/issues`,
  };
}

function withoutSource(entry) {
  if (typeof entry === "string") return entry;
  return Object.fromEntries(
    Object.entries(entry)
      .filter(([condition]) => condition !== "source")
      .map(([condition, value]) => [condition, withoutSource(value)]),
  );
}

const readManifest = (root, folder) =>
  JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
