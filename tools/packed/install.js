// Published packages as an application gets them: what `npm pack` takes, in a node_modules folder of its own.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Directories and manifests of the packages that are published. */
export function publishedPackages(root) {
  return readdirSync(join(root, "packages"))
    .map((name) => {
      const directory = join(root, "packages", name);
      const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
      return { directory, manifest };
    })
    .filter(({ manifest }) => !manifest.private);
}

/**
 * Packs every published package into `target/node_modules`, with links to what the packages depend on. Needs a
 * build.
 *
 * @param {string} root the repository
 * @param {string} target an empty directory
 * @param {{ peers: boolean }} options whether optional peer dependencies are there, such as onnxruntime-node
 * @returns {Record<string, any>[]} the manifests
 */
export function installPacked(root, target, { peers }) {
  const packages = publishedPackages(root);
  const directories = packages.map(({ directory }) => directory);
  const packed = execFileSync(
    "npm",
    ["pack", ...directories, "--json", "--ignore-scripts", "--pack-destination", target],
    { cwd: root, encoding: "utf8" },
  );
  const archives = new Map(JSON.parse(packed).map(({ name, filename }) => [name, filename]));
  for (const { directory, manifest } of packages) {
    const installed = join(target, "node_modules", manifest.name);
    mkdirSync(installed, { recursive: true });
    const archive = join(target, archives.get(manifest.name));
    execFileSync("tar", ["-xzf", archive, "-C", installed, "--strip-components=1"]);
    rmSync(archive);
    const { dependencies = {}, peerDependencies = {} } = manifest;
    for (const name of Object.keys({ ...dependencies, ...(peers && peerDependencies) })) {
      const link = join(target, "node_modules", name);
      if (name.startsWith("@heed/") || existsSync(link)) continue;
      const source = join(directory, "node_modules", name);
      if (!existsSync(source)) throw new Error(`${manifest.name} needs ${name}: pnpm install`);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(resolve(source), link);
    }
  }
  return packages.map(({ manifest }) => manifest);
}
