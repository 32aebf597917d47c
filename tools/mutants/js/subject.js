// The JavaScript backend: each mutant is a copy of what was built, with one file made of a changed source.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { transformWithOxc } from "vite";
import { Probes } from "../suite/probes.js";

const home = "packages/backend-js";
const built = `${home}/dist`;
/** Within the package, so that its dependencies are found. */
const copies = `${home}/node_modules/.cache/heed-mutants`;

/** A text with what lies between two places, lines and columns from 0, replaced. */
function replaced(text, { start, end }, replacement) {
  const lines = text.split("\n");
  const before = [...lines.slice(0, start.line), lines[start.line].slice(0, start.column)];
  const after = [lines[end.line].slice(end.column), ...lines.slice(end.line + 1)];
  return `${before.join("\n")}${replacement}${after.join("\n")}`;
}

export async function subject() {
  let module = built;
  let count = 0;
  rmSync(copies, { recursive: true, force: true });
  const open = async () => {
    const { js } = await import(pathToFileURL(resolve(module, "index.js")).href);
    return js().load();
  };
  const probes = await Probes.run([{ name: "js", open }]);
  return {
    probes,
    /** @param {import("../typescript/instrument.js").TypeScriptMutant} mutant */
    plant: async ({ file, location, replacement }) => {
      const text = replaced(readFileSync(file, "utf8"), location, replacement);
      const { code } = await transformWithOxc(text, resolve(file));
      // Modules stay loaded: each copy has a name of its own.
      const copy = join(copies, `${process.pid}-${count++}`);
      mkdirSync(copy, { recursive: true });
      cpSync(built, copy, { recursive: true });
      writeFileSync(join(copy, relative(`${home}/src`, file).replace(/\.ts$/, ".js")), code);
      module = copy;
      return () => {
        module = built;
        rmSync(copy, { recursive: true });
      };
    },
  };
}
