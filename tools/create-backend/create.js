import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const template = "templates/backend";
const leftBehind = new Set(["dist", "node_modules", "tsconfig.tsbuildinfo"]);

/**
 * Copies the template to `packages/backend-NAME`, puts the name where the template has its own, and
 * registers the package with TypeScript and with the root package.
 *
 * @param {string} root of the repository
 * @param {string} name lower-case words joined by hyphens
 * @returns {{ directory: string }} where the package is, from the root
 * @throws {Error} saying what is wrong with the name
 */
export function createBackend(root, name) {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new Error(`${JSON.stringify(name)}: a name is lower-case words joined by hyphens`);
  }
  const directory = `packages/backend-${name}`;
  if (existsSync(join(root, directory))) throw new Error(`${directory} exists already`);
  if (reserved.has(name)) throw new Error(`${JSON.stringify(name)} means something in JavaScript`);
  cpSync(join(root, template), join(root, directory), {
    recursive: true,
    filter: (source) => !leftBehind.has(basename(source)),
  });
  for (const file of files(join(root, directory))) {
    const text = readFileSync(file, "utf8");
    writeFileSync(file, rename(text, name));
  }
  register(root, name, directory);
  return { directory };
}

/** The function that the package exports has the name: these cannot be one. */
const reserved = new Set(
  "await break case catch class const continue default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield".split(
    " ",
  ),
);

function rename(text, name) {
  const identifier = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  return text
    .replaceAll("@heed/backend-template", `@heed/backend-${name}`)
    .replaceAll('"template"', `"${name}"`)
    .replaceAll(
      "The smallest useful backend: copy it and make it fast",
      `Heed's attention: ${name}`,
    )
    .replace(/\btemplate\b(?=\()/g, identifier)
    .replace(/\{ template \}/g, `{ ${identifier} }`);
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
