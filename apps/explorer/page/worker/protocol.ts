import type { Site, UnsplicedNode } from "@heed/splice";
import type { BackendName } from "../state/state.js";

/** One layer of a sentence. All arrays are `[heads, length, …]`, row-major. */
export interface LayerData {
  readonly headDim: number;
  readonly scale: number;
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** Scaled, before any mask. */
  readonly scores: Float32Array;
  readonly weights: Float32Array;
  readonly output: Float32Array;
}

/** A sentence that was run. */
export interface Sentence {
  readonly pieces: readonly string[];
  /** Pieces of the text that the encoder has no place for. */
  readonly left: number;
  readonly layers: readonly LayerData[];
  readonly backend: string;
  /** Why that backend, and why not others; a line a reason. */
  readonly why: string;
  readonly milliseconds: number;
}

/** A long text whose first layer's query, key and value the worker holds. */
export interface LongText {
  readonly pieces: readonly string[];
  readonly backend: string;
  readonly why: string;
}

/** Weights of one layer on two backends, of the same query, key and value. */
export interface Difference {
  /** `[heads, length, length]`: this backend's weights minus the other's. */
  readonly weights: Float32Array;
  readonly backend: string;
  readonly other: string;
  /** Largest error of a row by the conformance suite's measure; at most 1 passes. */
  readonly budgets: readonly [number, number];
}

/** The attention in an ONNX model. */
export interface FoundModel {
  readonly sites: readonly Site[];
  readonly notUnderstood: readonly UnsplicedNode[];
  /** Whether an input of it is a picture. */
  readonly picture: boolean;
}

/** The inputs of a model: arrays of a file, or random numbers, and a picture of words where it takes one. */
export interface Feeding {
  /** Address of a file of `numpy.savez`; empty for none. */
  readonly feeds: string;
  readonly sizes: string;
  readonly words: string;
}

/** Pixels of a picture. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** Weights of one head of a site, `[rows, columns]`. */
export interface SiteWeights {
  readonly site: number;
  readonly head: number;
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  readonly weights: Float32Array;
  /** Backend that computed them, or onnxruntime. */
  readonly backend: string;
  /** Why the runtime ran the site, where it did. */
  readonly reason?: string | undefined;
  readonly why: string;
  readonly picture: Picture | null;
  /** Words that the text recogniser reads; null for other models. */
  readonly read: string | null;
  readonly milliseconds: number;
}

/** A model: its address, and those of opened files in which its weights are, by their names. */
export interface ModelSource {
  readonly address: string;
  readonly data: Readonly<Record<string, string>>;
}

/** Computations that the worker offers. */
export interface Computation {
  sentence(backend: BackendName, text: string, causal: boolean): Sentence;
  difference(
    backend: BackendName,
    other: BackendName,
    text: string,
    causal: boolean,
    layer: number,
  ): Difference;
  long(backend: BackendName, length: number): LongText;
  /** Finds the attention in a model. */
  model(source: ModelSource): FoundModel;
  site(
    backend: BackendName,
    source: ModelSource,
    feeding: Feeding,
    chosen: { readonly site: number; readonly head: number },
  ): SiteWeights;
  /** Weights of some queries of the long text, `[rows, length]`. */
  rows(backend: BackendName, length: number, head: number, first: number): Float32Array;
}

export type Call = {
  [Name in keyof Computation]: readonly [name: Name, ...Parameters<Computation[Name]>];
}[keyof Computation];

/** The worker's answer to one call; or how much of the model is there. */
export type Message =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly problem: string }
  | { readonly loaded: number; readonly all: number };
