// Packages whose TypeScript is mutated, with the tests that have to notice, the quickest first.
import { filesUnder } from "./files.js";

/** Tests that take long: they see the mutants that others have left. */
const late = /conformance|fuzz|propert|random|divided|growth|leak/;
/** Tests of other places, and of what is not computed. */
const elsewhere = /\.(browser|places|all|alone)\.|types\.test/;

/** @returns {{ sources: string[], tests: string[] }} */
export function typeScriptOf(name) {
  const folder = `packages/${name}`;
  const sources = filesUnder(`${folder}/src`, ".ts").filter(
    (file) => !file.includes("/generated/"),
  );
  const own = filesUnder(`${folder}/test`, ".test.ts").filter((file) => !elsewhere.test(file));
  const tests = [
    ...own.filter((file) => !late.test(file)),
    ...own.filter((file) => late.test(file)),
  ];
  return { sources, tests };
}
