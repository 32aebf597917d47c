import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "@heed/backend-onnx/proto";
import { opsetOf } from "./read.js";

/** An operator of a graph. */
export class GraphNode {
  /** Place in an order in which every node comes after those that it reads. */
  order = 0;
  readonly proto: NodeProto;
  /** `MatMul`, or with a domain other than ONNX's own `com.microsoft.Attention`. */
  readonly operator: string;
  /** Values read by the bodies of If, Loop and Scan from around them. */
  readonly captured: readonly string[];

  constructor(proto: NodeProto) {
    this.proto = proto;
    const { domain, opType } = proto;
    this.operator = domain === "" || domain === "ai.onnx" ? opType : `${domain}.${opType}`;
    this.captured = bodiesOf(proto).flatMap((body) => [...capturedBy(body)]);
  }

  get name(): string {
    return this.proto.name;
  }

  /** Names of values, `""` where an optional one is left out. */
  get inputs(): readonly string[] {
    return this.proto.input;
  }

  get outputs(): readonly string[] {
    return this.proto.output;
  }

  /** Everything that it reads. */
  get reads(): string[] {
    return [...this.proto.input.filter((name) => name !== ""), ...this.captured];
  }

  attribute(name: string): AttributeProto | undefined {
    return this.proto.attribute.find((one) => one.name === name);
  }

  integer(name: string): number | undefined {
    const found = this.attribute(name);
    return found?.type === AttributeType.INT ? Number(found.i) : undefined;
  }

  integers(name: string): number[] | undefined {
    const found = this.attribute(name);
    return found?.type === AttributeType.INTS ? found.ints.map(Number) : undefined;
  }

  float(name: string): number | undefined {
    const found = this.attribute(name);
    return found?.type === AttributeType.FLOAT ? found.f : undefined;
  }

  string(name: string): string | undefined {
    const found = this.attribute(name);
    return found?.type === AttributeType.STRING ? String.fromCharCode(...found.s) : undefined;
  }
}

/** Bodies of control flow: the graphs among a node's attributes. */
export function bodiesOf(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => [...(g ? [g] : []), ...graphs]);
}

/** Values that a body reads and does not make. */
function capturedBy(body: GraphProto): Set<string> {
  const own = new Set<string>();
  for (const { name } of body.input) own.add(name);
  for (const { name } of body.initializer) own.add(name);
  for (const { values } of body.sparseInitializer) if (values) own.add(values.name);
  for (const node of body.node) for (const name of node.output) own.add(name);
  const read = new Set<string>();
  for (const node of body.node) {
    for (const name of node.input) if (name !== "") read.add(name);
    for (const inner of bodiesOf(node)) for (const name of capturedBy(inner)) read.add(name);
  }
  for (const { name } of body.output) read.add(name);
  for (const name of own) read.delete(name);
  return read;
}

/** A model's graph by its values: which node makes each, which read it. */
export class ModelGraph {
  readonly model: ModelProto;
  readonly proto: GraphProto;
  readonly opset: number;
  /** Every node after those that it reads. */
  readonly nodes: readonly GraphNode[];
  /** Inputs that a caller has to give. */
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly string[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
  readonly #producers = new Map<string, GraphNode>();
  readonly #readers = new Map<string, GraphNode[]>();
  readonly #sparse: ReadonlySet<string>;

  constructor(model: ModelProto) {
    this.model = model;
    this.proto = model.graph as GraphProto;
    this.opset = opsetOf(model);
    this.initializers = new Map(this.proto.initializer.map((one) => [one.name, one]));
    this.#sparse = new Set(this.proto.sparseInitializer.map(({ values }) => values?.name ?? ""));
    // Models of format versions below 4 list their weights among the inputs, too.
    this.inputs = this.proto.input.filter(({ name }) => !this.isWeight(name));
    this.outputs = this.proto.output.map(({ name }) => name);
    const nodes = this.proto.node.map((node) => new GraphNode(node));
    for (const node of nodes) {
      for (const name of node.outputs) if (name !== "") this.#producers.set(name, node);
      for (const name of new Set(node.reads)) {
        const readers = this.#readers.get(name);
        if (readers) readers.push(node);
        else this.#readers.set(name, [node]);
      }
    }
    this.nodes = this.#sorted(nodes);
  }

  /** Whether a value is stored in the model. */
  isWeight(name: string): boolean {
    return this.initializers.has(name) || this.#sparse.has(name);
  }

  producer(name: string): GraphNode | undefined {
    return this.#producers.get(name);
  }

  readers(name: string): readonly GraphNode[] {
    return this.#readers.get(name) ?? [];
  }

  /** The node that makes a value, if it has one of these operators. */
  made(name: string | undefined, ...operators: readonly string[]): GraphNode | undefined {
    const node = name ? this.#producers.get(name) : undefined;
    return node && operators.includes(node.operator) ? node : undefined;
  }

  /** Depth first, without recursion: graphs are deep. */
  #sorted(nodes: readonly GraphNode[]): GraphNode[] {
    const sorted: GraphNode[] = [];
    const begun = new Set<GraphNode>();
    for (const root of nodes) {
      const stack = [{ node: root, reads: root.reads, next: 0 }];
      if (begun.has(root)) continue;
      begun.add(root);
      for (let top = stack.at(-1); top; top = stack.at(-1)) {
        const name = top.reads[top.next++];
        if (name === undefined) {
          top.node.order = sorted.length;
          sorted.push(top.node);
          stack.pop();
          continue;
        }
        const node = this.#producers.get(name);
        if (!node || begun.has(node)) continue;
        begun.add(node);
        stack.push({ node, reads: node.reads, next: 0 });
      }
    }
    return sorted;
  }
}
