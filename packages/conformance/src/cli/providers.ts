import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type AttentionProvider, reference } from "@heed/core";
import { InvalidArgumentError } from "commander";
import { backendPrefix, providerIn, readManifest } from "../backend-package.js";
import type { Declaration } from "../run/declaration.js";

/** A backend to check, and what its package says about it. */
export interface Found {
  readonly provider: AttentionProvider;
  readonly declaration: Declaration | undefined;
}

/** The backends of this project, tried where none is named, beside those of the working directory. */
const known = ["reference", "js", "wasm", "webgpu", "onnx"] as const;

/** Providers by name or file; without names, every backend that can be resolved from here. */
export async function findProviders(names: readonly string[]): Promise<Found[]> {
  if (names.length > 0) return Promise.all(names.map(find));
  const installed = [...known, ...own()].filter(
    (name) => name === "reference" || resolvable(`@heed/backend-${name}`),
  );
  return Promise.all(installed.map(find));
}

/** Packages are looked up from the working directory: this one depends on no backend. */
const fromHere = createRequire(pathToFileURL(resolve("package.json")));

function resolvable(specifier: string): boolean {
  try {
    fromHere.resolve(specifier);
    return true;
  } catch {
    return false;
  }
}

async function find(name: string): Promise<Found> {
  if (name === "reference") return { provider: reference(), declaration: undefined };
  const file = fileOf(name);
  const exports = await importBackend(name);
  const { options } = readManifest(packageOf(file));
  const provider = providerIn(exports, name, options);
  if (provider) return { provider, declaration: await declarationOf(file) };
  throw new InvalidArgumentError(`${name} exports no provider: { name, load } or a function of it`);
}

/**
 * @param name of a backend's package, or the path of a module
 * @throws InvalidArgumentError for one that is not here
 */
export async function importBackend(name: string): Promise<Record<string, unknown>> {
  const file = fileOf(name);
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw new InvalidArgumentError(`${name} cannot be imported: ${String(error)}`);
  }
}

function fileOf(name: string): string {
  if (/[./\\]/.test(name)) return resolve(name);
  if (!resolvable(`@heed/backend-${name}`)) {
    throw new InvalidArgumentError(
      `no backend ${name}: @heed/backend-${name} is not installed here. Known are ${[...known, ...own()].join(", ")}, or the path of a module.`,
    );
  }
  return fromHere.resolve(`@heed/backend-${name}`);
}

/** Backends of the package or workspace in whose folder this runs, besides the known ones. */
function own(): string[] {
  if (!existsSync("package.json")) return [];
  const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  return Object.keys({ ...dependencies, ...devDependencies })
    .filter((name) => name.startsWith(backendPrefix))
    .map((name) => name.slice(backendPrefix.length))
    .filter((name) => !(known as readonly string[]).includes(name));
}

/** `conformance.json` beside the package.json that a module belongs to. */
async function declarationOf(file: string): Promise<Declaration | undefined> {
  const directory = packageDirectory(file);
  if (directory === null) return undefined;
  const declared = join(directory, "conformance.json");
  if (!existsSync(declared)) return undefined;
  return JSON.parse(await readFile(declared, "utf8"));
}

/** The package.json of the package that a module belongs to; an empty one where there is none. */
function packageOf(file: string): unknown {
  const directory = packageDirectory(file);
  return directory === null
    ? {}
    : JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
}

function packageDirectory(file: string): string | null {
  let directory = dirname(file);
  while (!existsSync(join(directory, "package.json"))) {
    if (dirname(directory) === directory) return null;
    directory = dirname(directory);
  }
  return directory;
}
