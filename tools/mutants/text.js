// Small changes of a program's text that change what it computes, for languages that Stryker cannot read:
// AssemblyScript and WGSL. Both are formatted with spaces around binary operators, which tells them from type
// arguments and signs.

/**
 * @typedef {object} TextMutant
 * @property {string} kind what kind of change it is
 * @property {string} line the line that it changes, as it was
 * @property {string} changed the same line, changed; empty if the statement is dropped
 */

/** Replacements by pattern. Each match is one mutant for each replacement. */
const rules = [
  ["comparison", / (<=|>=|<|>|==|!=) /g, (operator) => comparisons[operator]],
  ["arithmetic", / ([+\-*/%]) (?!=)/g, (operator) => arithmetic[operator]],
  ["arithmetic", / ([+\-*/])= /g, (operator) => [operator === "+" ? "-=" : "+="], true],
  ["logic", / (&&|\|\|) /g, (operator) => [operator === "&&" ? "||" : "&&"]],
  ["bounds", /\b(min|max)(?=[(<])/g, (name) => [name === "min" ? "max" : "min"]],
  ["vectors", /\.(add|sub|mul|lt|le|gt|ge|eq|ne|min|max)(?=\()/g, (name) => vectors[name]],
  ["constant", /(?<![\w.$"'])(\d+)(?![\w.'"])/g, (digits) => [String(Number(digits) + 1)]],
  // WGSL's unsigned ones.
  ["constant", /(?<![\w.])(\d+)(?=u\b)/g, (digits) => [String(Number(digits) + 1)]],
  ["constant", /(?<![\w.])(\d+\.\d+)(?!\w*")/g, (digits) => [String(Number(digits) * 2 || 1.5)]],
];

const comparisons = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "==": ["!="],
  "!=": ["=="],
};
const arithmetic = { "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["/"] };
const vectors = {
  ...{ add: ["sub"], sub: ["add"], mul: ["add"], min: ["max"], max: ["min"] },
  ...{ lt: ["le"], le: ["lt"], gt: ["ge"], ge: ["gt"], eq: ["ne"], ne: ["eq"] },
};

/** A statement that can go: an assignment or a call, whole on its line. */
const statement =
  /^\s*(?=\S)(?!(?:let|const|var|return|import|export|fn|override|@|for|while|if|else)\b)[\w.[\]() +*]+(?:[+\-*/|&]?= .*|\(.*\));$/;

/** Lines in which nothing is computed: comments, imports, declarations of interfaces and bindings. */
const inert = /^\s*(?:\/\/|\/?\*|import\b|export \{|enable\b|@group|@compute|struct\b|\}|$)/;

/**
 * Every mutant of one line.
 *
 * @param {string} line
 * @returns {TextMutant[]}
 */
export function lineMutants(line) {
  if (inert.test(line)) return [];
  const [code] = line.split(/\s\/\/ /);
  const mutants = [];
  for (const [kind, pattern, replacements, compound] of rules) {
    for (const match of code.matchAll(pattern)) {
      const at = match.index + match[0].indexOf(match[1]);
      for (const text of replacements(match[1]) ?? []) {
        const end = at + match[1].length + (compound ? 1 : 0);
        mutants.push({ kind, line, changed: line.slice(0, at) + text + line.slice(end) });
      }
    }
  }
  if (statement.test(code.trimEnd()))
    mutants.push({ kind: "dropped statement", line, changed: "" });
  return mutants;
}
