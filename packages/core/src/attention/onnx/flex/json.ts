/** An element type of ONNX's TensorProto: 1 float, 6 int32, 7 int64, 9 bool, 10 float16, 11 double, 16 bfloat16 … */
export type OnnxElementType = number;

/** A number of a graph in JSON, which has no infinities. */
export type OnnxNumber = number | bigint | boolean | "Infinity" | "-Infinity" | "NaN";

/** A tensor of a graph as JSON. */
export interface OnnxTensorJson {
  readonly name?: string | undefined;
  readonly data_type: OnnxElementType;
  /** Sizes of its axes; left out or empty for a single number. */
  readonly dims?: readonly number[] | undefined;
  /**
   * Its elements, row-major. An Int32Array of int32, a Float32Array of float and a Uint8Array of bool are read where they
   * lie.
   */
  readonly values: ArrayLike<OnnxNumber>;
}

/** A node of a graph as JSON. */
export interface OnnxNodeJson {
  readonly op_type: string;
  readonly name?: string | undefined;
  /** ONNX's own operators only: `""` or `"ai.onnx"`. */
  readonly domain?: string | undefined;
  /** Names of values; `""` where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Integers, numbers, text and lists of them; the tensor of `Constant` as JSON. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
}

/** An input or output of a graph. */
export interface OnnxValueJson {
  readonly name: string;
  readonly elem_type?: OnnxElementType | undefined;
}

/** An ONNX GraphProto as JSON, with protobuf's field names where these are lists of their own. */
export interface OnnxGraphJson {
  readonly name?: string | undefined;
  readonly inputs: readonly OnnxValueJson[];
  readonly outputs: readonly OnnxValueJson[];
  readonly initializers?: readonly OnnxTensorJson[] | undefined;
  /** In an order in which values are made before they are used. */
  readonly nodes: readonly OnnxNodeJson[];
}
