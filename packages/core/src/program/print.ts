import type { ProgramForm, ProgramNode } from "./form.js";

const infix: Readonly<Record<string, readonly [symbol: string, precedence: number]>> = {
  or: ["or", 1],
  and: ["and", 2],
  equal: ["==", 4],
  notEqual: ["!=", 4],
  less: ["<", 4],
  lessEqual: ["<=", 4],
  greater: [">", 4],
  greaterEqual: [">=", 4],
  add: ["+", 5],
  subtract: ["-", 5],
  multiply: ["*", 6],
  divide: ["/", 6],
  floorDivide: ["//", 6],
  remainder: ["%", 6],
};

const associative: ReadonlySet<string> = new Set(["or", "and", "add", "multiply"]);
const highest = 9;

/**
 * A program as text in Python's notation: `key <= query and table0[batch, query] == table0[batch, key]`.
 * A subexpression that is used more than once has a line and a name of its own.
 */
export function printProgram(form: ProgramForm): string {
  const uses = new Array<number>(form.nodes.length).fill(0);
  for (const { args } of form.nodes) for (const arg of args) uses[arg] = (uses[arg] as number) + 1;
  const lines: string[] = [];
  const texts: { readonly text: string; readonly precedence: number }[] = [];
  form.nodes.forEach((node, index) => {
    const printed = printNode(node, (arg, least) => {
      const { text, precedence } = texts[arg] as { text: string; precedence: number };
      return precedence < least ? `(${text})` : text;
    });
    if (node.args.length > 0 && (uses[index] as number) > 1) {
      const name = `v${lines.length}`;
      lines.push(`${name} = ${printed.text}`);
      texts.push({ text: name, precedence: highest });
    } else {
      texts.push(printed);
    }
  });
  return [...lines, texts.at(-1)?.text ?? ""].join("\n");
}

function printNode(
  node: ProgramNode,
  operand: (index: number, leastPrecedence: number) => string,
): { readonly text: string; readonly precedence: number } {
  const args = () => node.args.map((arg) => operand(arg, 0)).join(", ");
  switch (node.op) {
    case "constant":
      return {
        text: printConstant(node.type, node.value),
        precedence: node.value < 0 ? 6 : highest,
      };
    case "variable":
      return { text: node.name, precedence: highest };
    case "scalar":
      return { text: `scalar${node.slot}`, precedence: highest };
    case "table":
      return { text: `table${node.slot}[${args()}]`, precedence: highest };
    case "not":
      return { text: `not ${operand(node.args[0] as number, 3)}`, precedence: 3 };
    case "negative":
      return { text: `-${operand(node.args[0] as number, 7)}`, precedence: 7 };
    case "astype":
      return { text: `${node.type}(${args()})`, precedence: highest };
  }
  const found = infix[node.op];
  if (!found) return { text: `${node.op}(${args()})`, precedence: highest };
  const [symbol, precedence] = found;
  const [a, b] = node.args as readonly [number, number];
  const right = associative.has(node.op) ? precedence : precedence + 1;
  const left = precedence === 4 ? 5 : precedence;
  return { text: `${operand(a, left)} ${symbol} ${operand(b, right)}`, precedence };
}

function printConstant(type: string, value: number): string {
  if (type === "bool") return value === 0 ? "False" : "True";
  const text = Object.is(value, -0) ? "-0" : `${value}`;
  return type === "float32" && /^-?\d+$/.test(text) ? `${text}.0` : text;
}
