// Looks into a packed package as npm would show and install it.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param {string} folder of the unpacked tarball
 * @param {ReadonlyMap<string, string>} versions of all packages of the release
 * @returns {string[]} what is wrong
 */
export function inspectPackage(folder, versions) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const problems = [];
  const expect = (holds, problem) => holds || problems.push(`${manifest.name}: ${problem}`);

  for (const field of ["description", "license", "type", "exports", "files"]) {
    expect(manifest[field] !== undefined, `package.json has no ${field}`);
  }
  expect(manifest.keywords?.length > 0, "package.json has no keywords");
  expect(manifest.engines?.node !== undefined, "package.json does not say which Node it needs");
  expect(manifest.version !== "0.0.0", "no changeset gives it a version");
  const text = JSON.stringify(manifest);
  expect(!text.includes("workspace:"), "package.json has a workspace link");
  expect(!text.includes("link:"), "package.json has a link to a folder");
  for (const file of ["README.md", "LICENSE", "CHANGELOG.md"]) {
    expect(existsSync(join(folder, file)), `${file} is missing`);
  }
  for (const target of targets([manifest.exports, manifest.bin ?? {}, manifest.imports ?? {}])) {
    expect(existsSync(join(folder, target)), `${target} is missing`);
  }
  for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
    if (versions.has(name))
      expect(range === `^${versions.get(name)}`, `${name} ${range} is not of this release`);
    // A dependency of another project is pinned, so that a release stays what was tested.
    else expect(/^\d/.test(range), `${name} ${range} is no exact version`);
  }
  for (const name of Object.keys(manifest.peerDependencies ?? {})) {
    expect(manifest.peerDependenciesMeta?.[name]?.optional, `the peer ${name} is not optional`);
  }
  problems.push(...readmeProblems(manifest.name, readFileSync(join(folder, "README.md"), "utf8")));
  return problems;
}

/** A README that npm shows knows neither the repository's files nor its commands. */
function readmeProblems(name, text) {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  const relative = links.filter((target) => !/^(?:https:|#)/.test(target));
  const anchors = new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading)),
  );
  const lost = links.filter((target) => target.startsWith("#") && !anchors.has(target.slice(1)));
  const commands = text.split("\n").filter((line) => /^(?:npx -y )?pnpm\b/.test(line));
  return [
    ...relative.map((target) => `${name}: README.md links to ${target}, which npm does not show`),
    ...lost.map((target) => `${name}: README.md has no heading ${target}`),
    ...commands.map((line) => `${name}: README.md has a command of the repository: ${line}`),
    // Applications do not install gpu-memory by themselves.
    ...(text.includes("npm install") || name === "@heed/gpu-memory"
      ? []
      : [`${name}: README.md does not say how to install it`]),
  ];
}

const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s-]/gu, "")
    .replaceAll(/\s/g, "-");

/** Every file that conditions of exports, imports and commands lead to. */
function targets(entry) {
  if (typeof entry === "string") return entry.includes("*") ? [] : [entry];
  return Object.values(entry).flatMap(targets);
}

/** Peers with their ranges; the same peer has the same range everywhere, and what is tested lies in it. */
export function peerProblems(root, staged) {
  const ranges = new Map();
  const problems = [];
  for (const { name, folder, manifest } of staged) {
    const { devDependencies = {} } = JSON.parse(
      readFileSync(join(root, folder, "package.json"), "utf8"),
    );
    for (const [peer, range] of Object.entries(manifest.peerDependencies ?? {})) {
      const known = ranges.get(peer) ?? { name, range };
      ranges.set(peer, known);
      if (known.range !== range) {
        problems.push(`${name} wants ${peer} ${range}, and ${known.name} ${known.range}`);
      }
      const tested = devDependencies[peer];
      if (tested !== undefined && !satisfies(tested, range)) {
        problems.push(`${name} is tested with ${peer} ${tested}, which is not ${range}`);
      }
    }
  }
  return problems;
}

/** Whether a version is one of a range `>=a.b.c`, the only kind that peers have here. */
function satisfies(version, range) {
  const least = /^>=(\d+)(?:\.(\d+))?(?:\.(\d+))?$/
    .exec(range)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  if (least === undefined) return false;
  const parts = version.split(/[.-]/).map(Number);
  const at = least.findIndex((part, i) => part !== parts[i]);
  return at < 0 || parts[at] > least[at];
}

/**
 * Packs staged packages.
 *
 * @returns {Map<string, { tarball: string, size: number, unpackedSize: number, files: number }>} by name
 */
export function pack(folders, destination) {
  const options = ["--json", "--ignore-scripts", "--pack-destination", destination];
  const output = execFileSync("npm", ["pack", ...folders, ...options], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 26,
  });
  return new Map(
    JSON.parse(output).map(({ name, filename, size, unpackedSize, entryCount }) => [
      name,
      { tarball: join(destination, filename), size, unpackedSize, files: entryCount },
    ]),
  );
}
