// Packages whose TypeScript is mutated, with the tests that have to notice, the quickest first.
import { readdirSync } from "node:fs";
import { filesUnder } from "./languages.js";

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
  // Core's semantics are what the suite asks of the backend that is written closest to them.
  const suite = name === "core" ? ["packages/backend-js/test/conformance.test.ts"] : [];
  const tests = [
    ...own.filter((file) => !late.test(file)),
    ...own.filter((file) => late.test(file)),
  ];
  return { sources, tests: [...tests, ...suite] };
}

/** Names of the packages. */
export const packageNames = () => readdirSync("packages");
