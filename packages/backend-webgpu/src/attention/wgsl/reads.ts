import type { Fragment } from "../../wgsl/emit.js";
import { fromFloat16Fragment } from "../../wgsl/float16.js";
import type { Binding, Storage } from "../../wgsl/kernel.js";
import type { ParamsLayout } from "../../wgsl/params.js";
import { type AnyParamName, attentionParams, gatheredParams, withPrograms } from "../params.js";
import {
  type KernelPrograms,
  programsBinding,
  programVariants,
  readsBuffer,
} from "../programs/kernel-programs.js";

/**
 * Element type of keys and values in their buffers. `f16-words` is float16 that is read as words of two,
 * where the device has no shader-f16; `i8` is int8 in words of four, with a scale for each row.
 */
export type KeyElement = Storage | "f16-words" | "i8";

/** How a kernel reads keys and values, and what is bound beside them. */
export interface Reads {
  readonly element: KeyElement;
  /** Whether rows start at multiples of four elements and have no gaps, so that words can be read. */
  readonly words: boolean;
  /**
   * Whether workgroups take their rows and keys from lists of the call: for keys in pages, ragged
   * batches and positions that are data, and where keys are not of the query's type. See
   * `gatheredRulesFragment`.
   */
  readonly gathered: boolean;
  /**
   * Whether mask and bias are bound. Beside scales, devices may have too few storage buffers for bindings
   * that nobody reads; other kernels always have both.
   */
  readonly mask: boolean;
  readonly bias: boolean;
  /**
   * Whether scales and mask are in one buffer, `beside`, for devices that bind no more than eight; beside
   * programs that read a buffer, the bias as well. Default false.
   */
  readonly joined?: boolean;
  /** Masks and scores as programs. Default none. */
  readonly programs?: KernelPrograms | null;
}

/** The part of it that grids and rows depend on. */
export type GridReads = Pick<Reads, "gathered" | "programs">;

/** Keys and values of the query's type, one batch entry after another. */
export function plainReads(element: Storage): Reads {
  return { element, words: false, gathered: false, mask: true, bias: true };
}

/** Elements in a word of a buffer that is read by words; 1 for others. */
export function elementsOfWord(element: KeyElement): 1 | 2 | 4 {
  return element === "i8" ? 4 : element === "f16-words" ? 2 : 1;
}

/** Variants of a kernel's name. @param storage element type of the query */
export function readVariants(
  { element, words, gathered, mask, bias, joined, programs = null }: Reads,
  storage: Storage,
): (string | false)[] {
  return [
    element !== storage && `keys-${element}`,
    words && "fours",
    gathered && "gathered",
    !mask && "maskless",
    !bias && "biasless",
    joined === true && "joined",
    ...programVariants(programs),
  ];
}

/** The parameters of a kernel that reads keys so. */
export function paramsFor({ gathered, programs }: Reads): ParamsLayout<AnyParamName> {
  const layouts = programs ? withPrograms : { numbered: attentionParams, gathered: gatheredParams };
  return layouts[gathered ? "gathered" : "numbered"] as ParamsLayout<AnyParamName>;
}

/** Whether the text needs the extension f16 for keys. */
export function keysInFloat16({ element }: Reads): boolean {
  return element === "f16";
}

type Operand = "key" | "value";

/** WGSL type of the elements of the binding of keys or values. */
export function boundElement({ element, words }: Reads): string {
  if (element === "i8") return "u32";
  if (element === "f16-words") return words ? "vec2<u32>" : "u32";
  return element;
}

/** Whether the bias is in the buffer `beside`, too. */
export function joinsBias({ joined, programs = null }: Reads): boolean {
  return joined === true && readsBuffer(programs);
}

/** The binding of what programs read. */
export function programBindings({ programs = null }: Reads): Binding[] {
  return readsBuffer(programs) ? [{ name: programsBinding, element: "u32", access: "read" }] : [];
}

/** Bindings of scales, one for each of the operands, or of what is in one buffer with them. */
export function besideBindings(reads: Reads, operands: readonly Operand[]): Binding[] {
  if (reads.joined) return [{ name: "beside", element: "u32", access: "read" }];
  if (reads.element !== "i8") return [];
  return operands.map(
    (name): Binding => ({ name: `${name}Scales`, element: "f32", access: "read" }),
  );
}

/** An element of keys or values as f32. */
export function loadElement(from: Operand, at: string, { element }: Reads): string {
  return elementsOfWord(element) === 1 ? `f32(${from}[${at}])` : `${from}_element(${at})`;
}

/** Four elements of the row that starts at an address, from an element that is a multiple of four on. */
export function loadFour(from: Operand, at: string, reads: Reads): string {
  return reads.words
    ? `four_of_${from}(${at})`
    : `vec4<f32>(${[0, 1, 2, 3].map((i) => loadElement(from, `${at} + ${i}u`, reads)).join(", ")})`;
}

/**
 * The address of a key's row.
 *
 * @param at address of the first key of the batch entry's head; of the head's where keys are gathered
 * @param j the key, a u32
 */
export function rowAddress(from: Operand, at: string, j: string, { gathered }: Reads): string {
  return gathered
    ? `${from}_row(${at}, place_of(batch, ${j}))`
    : `${at} + ${j} * params.${from}Row`;
}

/** Address of a head's first row; of its first page's or batch entry's where keys are gathered. */
export function headAddress(from: Operand, { gathered }: Reads): string {
  const entry = gathered ? "" : ` + b * params.${from}Batch`;
  return `params.${from}Base${entry} + kv_head * params.${from}Head`;
}

const halvesFragment: Fragment = {
  wgsl: `/** Four float16 numbers as f32, by integers: see \`to_float32\`. */
fn halves(words: vec2<u32>) -> vec4<f32> {
  let bits = (vec4<u32>(words.xx, words.yy) >> vec4<u32>(0u, 16u, 0u, 16u)) & vec4<u32>(0xffffu);
  let magnitude = bits & vec4<u32>(0x7fffu);
  let special = select(vec4<u32>(0x38000000u), vec4<u32>(0x70000000u), magnitude >= vec4<u32>(0x7c00u));
  let normal = (magnitude << vec4<u32>(13u)) + special;
  let small = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 0x1p-24);
  let whole = select(normal, small, magnitude < vec4<u32>(0x400u));
  return bitcast<vec4<f32>>(whole | ((bits & vec4<u32>(0x8000u)) << vec4<u32>(16u)));
}`,
};

const bytesFragment: Fragment = {
  wgsl: `/** Four int8 numbers as f32. */
fn bytes(word: u32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}`,
};

/** Functions that turn words of keys or values into f32, and scale them. */
export function readsFragments(reads: Reads, operands: readonly Operand[]): Fragment[] {
  const { element, words, joined } = reads;
  const fragments: Fragment[] = [];
  for (const from of operands) {
    if (element === "f16-words") {
      const word = words ? `${from}[at >> 2u][(at >> 1u) & 1u]` : `${from}[at >> 1u]`;
      fragments.push({
        needs: [fromFloat16Fragment, ...(words ? [halvesFragment] : [])],
        wgsl: `fn ${from}_element(at: u32) -> f32 {
  return bitcast<f32>(to_float32((${word} >> (16u * (at & 1u))) & 0xffffu));
}${
          words
            ? `
fn four_of_${from}(at: u32) -> vec4<f32> {
  return halves(${from}[at >> 2u]);
}
fn pair_of_${from}(at: u32) -> vec2<f32> {
  return halves(vec2<u32>(${word}, 0u)).xy;
}`
            : ""
        }`,
      });
    } else if (element === "i8") {
      fragments.push({
        needs: words ? [bytesFragment] : [],
        wgsl: `fn ${from}_element(at: u32) -> f32 {
  return f32(bitcast<i32>(${from}[at >> 2u] << (24u - 8u * (at & 3u))) >> 24u);
}${
          words
            ? `
fn four_of_${from}(at: u32) -> vec4<f32> {
  return bytes(${from}[at >> 2u]);
}
fn pair_of_${from}(at: u32) -> vec2<f32> {
  return bytes(${from}[at >> 2u] >> (8u * (at & 2u))).xy;
}`
            : ""
        }
/** The scale of a row: of a batch entry or page, and the row in it. */
fn ${from}_scale(place: vec2<u32>, kv_head: u32) -> f32 {
  let at = params.${from}ScalesBase + place.x * params.${from}ScalesBatch
    + kv_head * params.${from}ScalesHead + place.y * params.${from}ScalesRow;
  return ${joined ? "bitcast<f32>(beside[at])" : `${from}Scales[at]`};
}`,
      });
    }
    if (reads.gathered) {
      fragments.push({
        wgsl: `fn ${from}_row(at: u32, place: vec2<u32>) -> u32 {
  return at + place.x * params.${from}Batch + place.y * params.${from}Row;
}`,
      });
    }
  }
  return fragments;
}
