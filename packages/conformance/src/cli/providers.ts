import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type AttentionProvider, reference } from "@heed/core";
import { InvalidArgumentError } from "commander";
import type { Declaration } from "../run/declaration.js";

/** A backend to check, and what its package says about it. */
export interface Found {
  readonly provider: AttentionProvider;
  readonly declaration: Declaration | undefined;
}

/** The backends of this project, tried where none is named. */
const known = ["reference", "js", "wasm", "webgpu", "onnx"] as const;

/**
 * Options that known backends are made with: an imitated GPU computes what a real one does, and its
 * notes say that it is one.
 */
const options: Readonly<Record<string, object>> = { webgpu: { allowFallbackAdapter: true } };

/** Providers by name or file; without names, every backend that can be resolved from here. */
export async function findProviders(names: readonly string[]): Promise<Found[]> {
  if (names.length > 0) return Promise.all(names.map(find));
  const installed = known.filter(
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
  const candidates = [exports[name], exports.default, ...Object.values(exports)];
  for (const candidate of candidates) {
    const provider =
      typeof candidate === "function" ? tryCall(candidate, options[name]) : candidate;
    if (isProvider(provider)) return { provider, declaration: await declarationOf(file) };
  }
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
  const prefix = "@heed/backend-";
  return Object.keys({ ...dependencies, ...devDependencies })
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .filter((name) => !(known as readonly string[]).includes(name));
}

/** `conformance.json` beside the package.json that a module belongs to. */
async function declarationOf(file: string): Promise<Declaration | undefined> {
  let directory = dirname(file);
  while (!existsSync(join(directory, "package.json"))) {
    if (dirname(directory) === directory) return undefined;
    directory = dirname(directory);
  }
  const declared = join(directory, "conformance.json");
  if (!existsSync(declared)) return undefined;
  return JSON.parse(await readFile(declared, "utf8"));
}

/** A class, or a function that wants arguments, is not a provider's function. */
function tryCall(candidate: unknown, options?: object): unknown {
  try {
    return (candidate as (options?: object) => unknown)(options);
  } catch {
    return undefined;
  }
}

function isProvider(value: unknown): value is AttentionProvider {
  const { name, load } = (value ?? {}) as Partial<AttentionProvider>;
  return typeof name === "string" && typeof load === "function";
}
