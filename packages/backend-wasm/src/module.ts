import { BackendUnavailableError } from "@heed/core";
import { applyDelta } from "./delta.js";
import { baseline, memoryFlagsAt, relaxedDelta, relaxedLength } from "./generated/modules.js";

/** The two builds of the kernels. */
export type SimdBuild = "baseline" | "relaxed";

/** Exports of a module: see assembly/index.ts. */
export interface Kernels {
  attend(descriptor: number, workspace: number, item: number): void;
  share(thread: number): void;
  merge(descriptor: number, workspace: number, unit: number): void;
  normalise(descriptor: number): void;
  rotate(descriptor: number): void;
  mergeParts(descriptor: number): void;
  project(descriptor: number, workspace: number, item: number): void;
  sampleBytes(keys: number): number;
  sampleWork(keys: number): number;
  sampleTile(variant: number, keys: number, work: number): void;
  evaluate(which: number, address: number, bytes: number): void;
  /** Number of elements of a tile's keys, or values, that the build works best with. */
  readonly tileElements: { readonly value: number };
}

/** A build and why it was chosen. */
export interface ChosenBuild {
  readonly build: SimdBuild;
  /** A sentence for `info.notes`. */
  readonly reason: string;
  /** Number of elements of a tile's keys, or values, that the engine works best with; null: that of the build. */
  readonly tileElements: number | null;
}

/**
 * Elements of a tile's keys, or values, where multiply-adds are not fused, as by JavaScriptCore on x64: tiles are spread
 * there and read from the second-level cache anyway. 210 keys at head size 64, so that the lengths of many models are one
 * tile, and take the way for short problems.
 */
const unfusedTileElements = 13_440;

/**
 * The build to use: relaxed SIMD where the engine validates it and fuses its multiply-adds. Without that, its kernels are no
 * faster, and its tiles are too long.
 *
 * @param asked a build that was asked for
 * @throws BackendUnavailableError where the engine does not validate it
 */
export function chooseBuild(asked: SimdBuild | undefined): ChosenBuild {
  if (typeof WebAssembly !== "object") {
    throw new BackendUnavailableError("this runtime has no WebAssembly");
  }
  if (asked !== undefined && !validates(asked)) {
    throw new BackendUnavailableError(
      `this engine does not validate ${featureOf[asked]}`,
      asked === "relaxed" ? 'simd: "baseline" needs less' : undefined,
    );
  }
  const relaxed = validates("relaxed");
  const fuses = relaxed && fusesMultiplyAdds();
  const tileElements = relaxed && !fuses && asked !== "relaxed" ? unfusedTileElements : null;
  if (asked !== undefined) {
    return { build: asked, reason: `${featureOf[asked]}: asked for`, tileElements };
  }
  if (fuses) {
    const reason = "relaxed SIMD (fused multiply-adds): the engine has it";
    return { build: "relaxed", reason, tileElements };
  }
  if (validates("baseline")) {
    const lacks = relaxed ? "does not fuse multiply-adds" : "has no relaxed SIMD";
    return { build: "baseline", reason: `baseline SIMD: the engine ${lacks}`, tileElements };
  }
  throw new BackendUnavailableError("this engine has no WebAssembly SIMD");
}

const featureOf: Readonly<Record<SimdBuild, string>> = {
  baseline: "128-bit SIMD",
  relaxed: "relaxed SIMD",
};

/**
 * A module for each build, with one instruction that needs what the build needs: validating these takes a
 * fraction of what validating a build takes.
 *
 *     (module (func (drop (i32x4.splat (i32.const 0)))))
 *     (module (func (drop (f32x4.relaxed_madd (i32x4.splat …) (i32x4.splat …) (i32x4.splat …)))))
 */
const splat = [0x41, 0x00, 0xfd, 0x11] as const;
const probes: Readonly<Record<SimdBuild, readonly number[]>> = {
  baseline: [...splat, 0x1a, 0x0b],
  relaxed: [...splat, ...splat, ...splat, 0xfd, 0x85, 0x02, 0x1a, 0x0b],
};

/** Whether the engine has the instructions of a build. */
function validates(build: SimdBuild): boolean {
  return WebAssembly.validate(probe([0x01, 0x04, 0x01, 0x60, 0x00, 0x00], [], probes[build]));
}

/** A module with one function of a given type, without locals. */
function probe(
  types: readonly number[],
  exports: readonly number[],
  instructions: readonly number[],
): Uint8Array<ArrayBuffer> {
  const body = [0x00, ...instructions];
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const functions = [0x03, 0x02, 0x01, 0x00];
  const code = [0x0a, body.length + 2, 0x01, body.length, ...body];
  return Uint8Array.from([...header, ...types, ...functions, ...exports, ...code]);
}

/**
 * Whether `f32x4.relaxed_madd` rounds once. JavaScriptCore on x64 multiplies and adds (Bun 1.4.5), and so does every engine on a
 * processor that cannot fuse them. (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴, or 0 if the square is rounded.
 *
 *     (module (func (export "f") (param f32 f32) (result f32)
 *       (f32x4.extract_lane 0 (f32x4.relaxed_madd
 *         (f32x4.splat (local.get 0)) (f32x4.splat (local.get 0)) (f32x4.splat (local.get 1))))))
 *
 * True where nothing may be compiled: then no build is, either, and its error says why.
 */
function fusesMultiplyAdds(): boolean {
  const types = [0x01, 0x07, 0x01, 0x60, 0x02, 0x7d, 0x7d, 0x01, 0x7d];
  const exports = [0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00];
  const [a, b] = [0, 1].map((local) => [0x20, local, 0xfd, 0x13]) as [number[], number[]];
  const multiplyAdd = [...a, ...a, ...b, 0xfd, 0x85, 0x02, 0xfd, 0x1f, 0x00, 0x0b];
  let f: unknown;
  try {
    const module = new WebAssembly.Module(probe(types, exports, multiplyAdd));
    f = new WebAssembly.Instance(module).exports.f;
  } catch {
    return true;
  }
  return (f as (a: number, b: number) => number)(1 + 2 ** -12, -(1 + 2 ** -11)) !== 0;
}

/**
 * Compiles a build.
 *
 * @param shared whether for shared memory: a flag in the module, which has to match the memory
 * @throws BackendUnavailableError where a content policy forbids it
 */
export async function compileBuild(build: SimdBuild, shared: boolean): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(moduleBytes(build, shared));
  } catch (cause) {
    throw new BackendUnavailableError(
      `WebAssembly does not compile here: ${cause instanceof Error ? cause.message : String(cause)}`,
      "a content policy has to allow it with the source script-src 'wasm-unsafe-eval'; where a runtime compiles modules itself and forbids to compile bytes, give it one of its own: wasm({ module })",
      { cause },
    );
  }
}

const sharedFlag = 0x02;

/** The bytes of a build. */
export function moduleBytes(build: SimdBuild, shared: boolean): Uint8Array<ArrayBuffer> {
  let bytes = decode(baseline);
  if (build === "relaxed") bytes = applyDelta(bytes, decode(relaxedDelta), relaxedLength);
  if (shared) (bytes[memoryFlagsAt[build]] as number) |= sharedFlag;
  return bytes;
}

/** Built-in decoders, where the runtime has one: a loop over the characters takes milliseconds when it is new. */
interface Decoders {
  readonly Buffer?: { from(text: string, encoding: "base64"): Uint8Array };
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const { Buffer: decoder } = globalThis as Decoders;
  const { fromBase64 } = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (typeof fromBase64 === "function") return fromBase64.call(Uint8Array, base64);
  if (typeof decoder?.from === "function") return new Uint8Array(decoder.from(base64, "base64"));
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
