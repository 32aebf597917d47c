// Mutants of the code that builds ONNX graphs: each changes what one place of the sources adds to the graphs, in
// every graph that the place adds to. Needs a build of @heed/backend-onnx.
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { GraphBuilder } from "../../../packages/backend-onnx/dist/model/builder.js";
import { Sessions } from "../../../packages/backend-onnx/dist/runtime/sessions.js";

/**
 * @typedef {object} SiteMutant
 * @property {string} site file, line and column
 * @property {string} kind
 * @property {string} [replacement] another operator
 * @property {string} [attribute] the attribute that is one more
 * @property {number} [input] the constant input whose first element is another
 */

/** Operators in whose place another one can stand, with the same inputs and types. */
const others = {
  Less: "LessOrEqual",
  LessOrEqual: "Less",
  Greater: "GreaterOrEqual",
  GreaterOrEqual: "Greater",
  Add: "Sub",
  Sub: "Add",
  Mul: "Add",
  Div: "Mul",
  And: "Or",
  Or: "And",
  Max: "Min",
  Min: "Max",
  ReduceMax: "ReduceMin",
  ReduceMin: "ReduceMax",
  ReduceSum: "ReduceMax",
  Exp: "Abs",
  Tanh: "Abs",
  Floor: "Ceil",
  Sin: "Cos",
  Cos: "Sin",
};

const ordered = new Set("Sub Div Less LessOrEqual Greater GreaterOrEqual Pow Mod".split(" "));

/** Operators whose first input has the output's type, and mostly its shape: the node can be left out. */
const transparent = new Set(
  "Add Sub Mul Div Max Min And Or Not Tanh Exp Log Where Softmax Clip Floor Abs Neg Sqrt Expand Reshape Transpose Slice Pow Mod".split(
    " ",
  ),
);

/** Attributes that say what a node computes with, not a type. */
const isChangeable = (name, value) => name !== "to" && typeof value === "number";

/** Mutants of a call of the builder. */
function mutantsOf(operator, inputs, attributes, isConstant) {
  const mutants = [];
  if (operator in others) mutants.push({ kind: "other operator", replacement: others[operator] });
  if (ordered.has(operator)) mutants.push({ kind: "inputs exchanged" });
  if (operator === "Where") mutants.push({ kind: "branches exchanged" });
  if (transparent.has(operator)) mutants.push({ kind: "node dropped" });
  for (const [input, value] of inputs.entries()) {
    if (isConstant(value)) mutants.push({ kind: "constant", input });
  }
  for (const [attribute, value] of Object.entries(attributes)) {
    if (isChangeable(attribute, value)) mutants.push({ kind: "attribute", attribute });
  }
  return mutants.map((mutant) => ({ operator, ...mutant }));
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const builderFile = /backend-onnx\/dist\/model\/builder\.js|tools\/mutants\/onnx\/sites\.js/;

/** The place outside the builder from which it is called. */
function callerOfBuilder() {
  const frames = new Error().stack.split("\n");
  // After the frames of the builder at the top: this file has others below them.
  const first = frames.findIndex((frame, at) => at > 0 && !builderFile.test(frame));
  // Frames without a file are those of `Array.map` and its kin.
  for (const frame of frames.slice(first)) {
    const place = /(\/[^\s()]+:\d+:\d+)/.exec(frame)?.[1];
    if (place !== undefined) return relative(root, place.replace(/^\/+/, "/"));
  }
  throw new Error("the builder was called by nothing that has a file");
}

/** The line of a place. */
export function lineOf(site) {
  const [file, line] = site.split(":");
  return readFileSync(`${root}/${file}`, "utf8").split("\n")[line - 1].trim();
}

/** Watches the builder and plants mutants in what it is asked for. */
export class Sites {
  /** Every mutant of the places seen so far, by its text. @type {Map<string, SiteMutant>} */
  mutants = new Map();
  /** @type {SiteMutant | null} */
  planted = null;
  #reached = new Set();

  constructor() {
    this.#watchSessions();
    Error.stackTraceLimit = 12;
    const constants = new WeakMap();
    const { constant, op, node } = GraphBuilder.prototype;
    const constantsOf = (g) => {
      if (!constants.has(g)) constants.set(g, new Map());
      return constants.get(g);
    };
    GraphBuilder.prototype.constant = function (dtype, dims, values) {
      const name = constant.call(this, dtype, dims, values);
      constantsOf(this).set(name, { dtype, dims, values: Array.from(values) });
      return name;
    };
    /** The call with the mutant, if it is this place's; `null` for a node that is dropped. */
    const changed = (g, operator, inputs, attributes) => {
      const site = callerOfBuilder();
      const own = constantsOf(g);
      for (const mutant of mutantsOf(operator, inputs, attributes, (value) => own.has(value))) {
        const key = keyOf({ site, ...mutant });
        if (!this.mutants.has(key)) this.mutants.set(key, { site, ...mutant });
        this.#reached.add(key);
      }
      const { planted } = this;
      if (planted?.site !== site || planted.operator !== operator)
        return [operator, inputs, attributes];
      const list = [...inputs];
      if (planted.kind === "other operator") return [planted.replacement, list, attributes];
      if (planted.kind === "inputs exchanged") list.splice(0, 2, list[1], list[0]);
      if (planted.kind === "branches exchanged") list.splice(1, 2, list[2], list[1]);
      if (planted.kind === "node dropped") return null;
      if (planted.kind === "attribute" && planted.attribute in attributes) {
        const more = attributes[planted.attribute] + 1;
        return [operator, list, { ...attributes, [planted.attribute]: more }];
      }
      if (planted.kind === "constant" && own.has(list[planted.input])) {
        const { dtype, dims, values } = own.get(list[planted.input]);
        list[planted.input] = g.constant(dtype, dims, otherFirst(values, dtype));
      }
      return [operator, list, attributes];
    };
    GraphBuilder.prototype.op = function (operator, inputs, attributes = {}, domain = "") {
      const call = changed(this, operator, inputs, attributes);
      if (call === null) return inputs[operator === "Where" ? 1 : 0];
      return op.call(this, ...call, domain);
    };
    GraphBuilder.prototype.node = function (
      operator,
      inputs,
      results,
      attributes = {},
      domain = "",
    ) {
      const call = changed(this, operator, inputs, attributes) ?? [operator, inputs, attributes];
      const [other, list, more] = call;
      return node.call(this, other, list, results, more, domain);
    };
  }

  /** Notes what a graph is built of, and that it was reached whenever it runs. */
  #watchSessions() {
    const builtOf = new Map();
    const { prepare, run } = Sessions.prototype;
    const sites = this;
    const noticing = (graph) => ({
      key: graph.key,
      model: () => {
        const before = sites.#reached;
        sites.#reached = new Set();
        const model = graph.model();
        builtOf.set(graph.key, sites.#reached);
        sites.#reached = before;
        return model;
      },
    });
    Sessions.prototype.prepare = function (graph) {
      return prepare.call(this, sites.planted === null ? noticing(graph) : graph);
    };
    Sessions.prototype.run = async function (graph, feeds, fetches) {
      if (sites.planted !== null) return run.call(this, graph, feeds, fetches);
      const results = await run.call(this, noticing(graph), feeds, fetches);
      for (const key of builtOf.get(graph.key) ?? []) sites.#reached.add(key);
      return results;
    };
  }

  start() {
    this.#reached = new Set();
  }

  read() {
    return this.#reached;
  }
}

/** Names a mutant. */
export function keyOf({ site, operator, kind, replacement = "", attribute = "", input = "" }) {
  return [site, operator, kind, replacement, attribute, input].join("|");
}

/** One more; of a boolean, the other. Fractions change by a half, so that none rounds to what it was. */
function otherFirst([first, ...rest], dtype) {
  if (dtype === "bool") return [1 - first, ...rest];
  if (!Number.isFinite(first)) return [0, ...rest];
  return [dtype.startsWith("float") && first !== 0 ? first * 1.5 : first + 1, ...rest];
}
