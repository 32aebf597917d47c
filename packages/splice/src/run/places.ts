import { TensorProto_DataType as DataType } from "@heed/backend-onnx/proto";
import type { ModelGraph } from "../graph/graph.js";
import { ElementTypes } from "../graph/types.js";
import type { FoundSite, OperatorForm } from "../match/form.js";

/** Memory that onnxruntime leaves an output in. */
export type Place = "cpu" | "gpu-buffer";

/** The memory for each value that leaves a piece, when pieces run on onnxruntime-web's provider webgpu. */
export class Places {
  readonly #types: ElementTypes;
  readonly #outputs: ReadonlySet<string>;
  readonly #preferred: unknown;
  /** Values that sites read where they are, and those that they read in another way. */
  readonly #operands: ReadonlySet<string>;
  readonly #others: ReadonlySet<string>;
  /** Values that something inside the model reads. */
  readonly #read: (value: string) => boolean;

  /**
   * @param shared whether sites read their operands on the GPU
   * @param preferred the session option `preferredOutputLocation`, for the model's outputs
   */
  constructor(
    graph: ModelGraph,
    sites: readonly FoundSite[],
    { shared, preferred }: { readonly shared: boolean; readonly preferred: unknown },
  ) {
    this.#types = new ElementTypes(graph);
    this.#outputs = new Set(graph.outputs);
    this.#preferred = preferred;
    const operands = sites.flatMap((site) => (shared ? operandsOf(site) : []));
    this.#operands = new Set(operands);
    this.#others = new Set(
      sites.flatMap((site) => {
        const own = new Set(shared ? operandsOf(site) : []);
        return site.inputs.filter((name) => !own.has(name));
      }),
    );
    this.#read = (value) => graph.readers(value).length > 0;
  }

  /** Integers and conditions stay on the CPU, which shapes and masks are computed from. */
  of(value: string): Place {
    if (this.#others.has(value) && !this.#operands.has(value)) return "cpu";
    if (this.#outputs.has(value) && !this.#read(value)) return this.wanted(value);
    const type = this.#types.of(value);
    return type === DataType.FLOAT || type === DataType.FLOAT16 ? "gpu-buffer" : "cpu";
  }

  /** The memory in which the caller wants an output of the model. */
  wanted(output: string): Place {
    const preferred =
      typeof this.#preferred === "object" && this.#preferred !== null
        ? (this.#preferred as Readonly<Record<string, unknown>>)[output]
        : this.#preferred;
    return preferred === "gpu-buffer" ? "gpu-buffer" : "cpu";
  }
}

/** Places of an operator's inputs that it reads where they are: everything but masks, lengths and biases. */
const operandPlaces: Readonly<Record<OperatorForm["operator"], readonly number[]>> = {
  Attention: [0, 1, 2, 4, 5],
  MultiHeadAttention: [0, 1, 2, 6, 7],
  GroupQueryAttention: [0, 1, 2, 3, 4, 7, 8, 14, 15],
  PackedAttention: [0, 1, 2, 4],
};

/** Values that a site reads on the GPU if they are there. */
export function operandsOf({ form }: FoundSite): string[] {
  if (form.kind === "written-out") return [form.query.value, form.key.value, form.value.value];
  return operandPlaces[form.operator].flatMap((at) => form.node.inputs[at] || []);
}
