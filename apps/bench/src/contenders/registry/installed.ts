import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { backendPrefix, readManifest } from "@heed/conformance";
import { inUsualOrder, type RegisteredBackend, type Registry } from "./registry.js";

/**
 * Backends in Node: those that the benchmark depends on, and those that the package or workspace in whose
 * folder it runs depends on. A new one needs no entry here.
 */
const own = dependenciesOf(fileURLToPath(new URL("../../../package.json", import.meta.url)));
const theirs = dependenciesOf(resolve("package.json"));

/** Resolves as a module of the working directory does. */
const fromHere = createRequire(pathToFileURL(resolve("package.json")));
/** Resolves as the benchmark's own modules do. */
const fromBench = createRequire(import.meta.url);

export const registry: Registry = {
  backends: inUsualOrder([...own, ...theirs]).map((name) =>
    own.includes(name) ? dependency(name) : installed(name),
  ),
  ofPath: (path) => {
    const file = resolve(path);
    if (!existsSync(file)) throw new RangeError(`there is no module ${path}`);
    return {
      name: path,
      specifier: file,
      manifest: readManifest(packageOf(file)),
      load: () => import(pathToFileURL(file).href),
    };
  },
};

/** Names of backends among the dependencies of a package. */
function dependenciesOf(packageFile: string): string[] {
  if (!existsSync(packageFile)) return [];
  const { dependencies, devDependencies } = JSON.parse(readFileSync(packageFile, "utf8"));
  return Object.keys({ ...dependencies, ...devDependencies })
    .filter((name) => name.startsWith(backendPrefix))
    .map((name) => name.slice(backendPrefix.length));
}

function dependency(name: string): RegisteredBackend {
  const specifier = `${backendPrefix}${name}`;
  return {
    name,
    specifier,
    manifest: manifestOf(fromBench, specifier),
    load: () => import(specifier),
  };
}

function installed(name: string): RegisteredBackend {
  const specifier = `${backendPrefix}${name}`;
  return {
    name,
    specifier,
    manifest: manifestOf(fromHere, specifier),
    load: () => import(pathToFileURL(fromHere.resolve(specifier)).href),
  };
}

/** That of a package without a field `heed` where it is not there: importing it will say so. */
function manifestOf(from: NodeJS.Require, specifier: string): RegisteredBackend["manifest"] {
  for (const folder of from.resolve.paths(specifier) ?? []) {
    const file = join(folder, specifier, "package.json");
    if (existsSync(file)) return readManifest(JSON.parse(readFileSync(file, "utf8")));
  }
  return readManifest({});
}

/** The package.json of the package that a file belongs to; an empty one where there is none. */
function packageOf(file: string): unknown {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, "utf8"));
    if (dirname(folder) === folder) return {};
  }
}
