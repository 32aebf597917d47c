// Stryker's mutators over TypeScript, by its instrumenter alone: our own runner tries the mutants. Installed beside
// the repository's own packages when it is first used, since it is needed rarely.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const version = "10.1.1";

/**
 * @typedef {object} TypeScriptMutant
 * @property {string} file
 * @property {number} row of its first line, from 0
 * @property {string} line the text of that line
 * @property {string} kind Stryker's name of the mutator
 * @property {object} location
 * @property {string} original
 * @property {string} replacement
 */

/** @param {string} root the repository */
async function createInstrumenter(root) {
  const home = join(root, "node_modules/.cache/heed-stryker");
  const installed = join(home, "node_modules/@stryker-mutator/instrumenter");
  if (!existsSync(installed)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), JSON.stringify({ private: true }));
    const flags = ["--no-save", "--silent"];
    const wanted = `@stryker-mutator/instrumenter@${version}`;
    execFileSync("npm", ["install", ...flags, wanted], { cwd: home, stdio: "inherit" });
  }
  const { Instrumenter } = await import(pathToFileURL(join(installed, "dist/src/index.js")).href);
  const silent = { debug() {}, info() {}, warn() {}, isDebugEnabled: () => false };
  return new Instrumenter(silent);
}

const options = {
  ignorers: [],
  plugins: null,
  // The wording of messages is not tested, so strings are not mutated.
  excludedMutations: ["StringLiteral"],
};

/** Every mutant of files. @returns {Promise<TypeScriptMutant[]>} */
export async function listMutants(root, files) {
  const contents = files.map((name) => ({
    name: join(root, name),
    mutate: true,
    content: readFileSync(join(root, name), "utf8"),
  }));
  const { mutants } = await (await createInstrumenter(root)).instrument(contents, options);
  const linesOf = new Map(contents.map(({ name, content }) => [name, content.split("\n")]));
  // Mutants of excluded kinds are in the list, too, with a reason.
  const wanted = mutants.filter(({ statusReason }) => statusReason === undefined);
  return wanted.map(({ fileName, location, mutatorName, replacement }) => ({
    file: fileName.slice(root.length + 1),
    row: location.start.line,
    line: linesOf.get(fileName)[location.start.line].trim(),
    kind: mutatorName,
    location,
    original: textAt(linesOf.get(fileName), location),
    replacement,
  }));
}

function textAt(lines, { start, end }) {
  const own = lines.slice(start.line, end.line + 1);
  own[own.length - 1] = own.at(-1).slice(0, end.column);
  own[0] = own[0].slice(start.column);
  return own.join("\n");
}

const textOf = ({ file, kind, location: { start, end }, replacement }) =>
  JSON.stringify([file, kind, start.line, start.column, end.line, end.column, replacement]);

/**
 * Sources with drawn mutants in them, each of which the global `__stryker__.activeMutant` switches on.
 *
 * @param {string} root
 * @param {readonly TypeScriptMutant[]} drawn
 * @returns {Promise<{ files: Record<string, string>, ids: Record<string, number> }>} by path; and the index in `drawn`
 *   of each identifier that the code uses
 */
export async function instrument(root, drawn) {
  const indexOf = new Map(drawn.map((mutant, index) => [textOf(mutant), index]));
  const ranges = new Map();
  for (const { file, location } of drawn) {
    if (!ranges.has(file)) ranges.set(file, []);
    ranges.get(file).push(location);
  }
  const contents = [...ranges].map(([file, mutate]) => ({
    name: join(root, file),
    mutate,
    content: readFileSync(join(root, file), "utf8"),
  }));
  const { files, mutants } = await (await createInstrumenter(root)).instrument(contents, options);
  const ids = {};
  for (const { id, fileName, mutatorName: kind, location, replacement } of mutants) {
    const file = fileName.slice(root.length + 1);
    const index = indexOf.get(textOf({ file, kind, location, replacement }));
    if (index !== undefined) ids[id] = index;
  }
  return { files: Object.fromEntries(files.map(({ name, content }) => [name, content])), ids };
}
