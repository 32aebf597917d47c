import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";

const template = "templates/backend";
const repositoryTemplate = "templates/repository";
const leftBehind = new Set(["dist", "node_modules", "tsconfig.tsbuildinfo"]);

/**
 * Copies the template to `packages/backend-NAME`, puts the name where the template has its own, and
 * registers the package with TypeScript and with the root package. Everything else finds it by itself.
 *
 * @param {string} root of the repository
 * @param {string} name lower-case words joined by hyphens
 * @returns {{ directory: string }} where the package is, from the root
 * @throws {Error} saying what is wrong with the name
 */
export function createBackend(root, name) {
  checkName(name);
  const directory = `packages/backend-${name}`;
  if (existsSync(join(root, directory))) throw new Error(`${directory} exists already`);
  copy(join(root, template), join(root, directory));
  renameIn(join(root, directory), name, `@heed/backend-${name}`);
  register(root, name, directory);
  return { directory };
}

/**
 * Makes a package with a repository of its own: the same backend, with a package.json that depends on
 * what is published.
 *
 * @param {string} root of this repository
 * @param {string} name lower-case words joined by hyphens
 * @param {string} target a folder that is empty or not there yet
 * @returns {{ directory: string }} where the package is, absolute
 * @throws {Error} saying what is wrong with the name or the folder
 */
export function createRepository(root, name, target) {
  checkName(name);
  const directory = resolve(target);
  if (existsSync(directory) && readdirSync(directory).length > 0) {
    throw new Error(`${directory} is not empty`);
  }
  mkdirSync(directory, { recursive: true });
  copy(join(root, repositoryTemplate), directory);
  for (const part of ["conformance.json", "src", "test"])
    copy(join(root, template, part), join(directory, part));
  // A file of that name would hide files of the template from this repository.
  renameSync(join(directory, "gitignore"), join(directory, ".gitignore"));
  renameIn(directory, name, `heed-backend-${name}`);
  return { directory };
}

function checkName(name) {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new Error(`${JSON.stringify(name)}: a name is lower-case words joined by hyphens`);
  }
  if (reserved.has(name)) throw new Error(`${JSON.stringify(name)} means something in JavaScript`);
}

function copy(from, to) {
  cpSync(from, to, {
    recursive: true,
    filter: (source) => !leftBehind.has(basename(source)),
  });
}

/** The function that the package exports has the name: these cannot be one. */
const reserved = new Set(
  "await break case catch class const continue default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield".split(
    " ",
  ),
);

function renameIn(directory, name, packageName) {
  const identifier = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  for (const file of files(directory)) {
    const text = readFileSync(file, "utf8");
    const renamed = text
      .replaceAll("@heed/backend-template", packageName)
      .replaceAll("heed-backend-template", packageName)
      .replaceAll('"template"', `"${name}"`)
      .replaceAll(
        "The smallest useful backend: copy it and make it fast",
        `Heed's attention: ${name}`,
      )
      .replace(/\btemplate\b(?=\()/g, identifier)
      .replace(/\{ template \}/g, `{ ${identifier} }`);
    writeFileSync(file, renamed);
  }
}

function* files(directory) {
  for (const entry of readdirSync(directory)) {
    const path = join(directory, entry);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

/** In the order of the names, so that the change is one line. */
function register(root, name, directory) {
  const packageFile = join(root, "package.json");
  const manifest = JSON.parse(readFileSync(packageFile, "utf8"));
  const all = { ...manifest.devDependencies, [`@heed/backend-${name}`]: "workspace:^" };
  manifest.devDependencies = Object.fromEntries(
    Object.keys(all)
      .sort()
      .map((key) => [key, all[key]]),
  );
  writeFileSync(packageFile, `${JSON.stringify(manifest, null, 2)}\n`);

  const projectFile = join(root, "tsconfig.json");
  const project = JSON.parse(readFileSync(projectFile, "utf8"));
  const before = project.references.findIndex(({ path }) => path === "packages/conformance");
  project.references.splice(before, 0, { path: directory });
  const references = project.references.map(({ path }) => `    { "path": "${path}" }`);
  const rest = Object.entries(project).filter(([key]) => key !== "references");
  const members = rest.map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  writeFileSync(
    projectFile,
    `{\n${[...members, `  "references": [\n${references.join(",\n")}\n  ]`].join(",\n")}\n}\n`,
  );
}
