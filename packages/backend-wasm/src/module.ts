import { BackendUnavailableError } from "@heed/core";
import { baseline, type EmbeddedModule, relaxed } from "./generated/modules.js";

/** The two builds of the kernels. */
export type SimdBuild = "baseline" | "relaxed";

/** Exports of a module: see assembly/index.ts. */
export interface Kernels {
  attend(descriptor: number, workspace: number, item: number): void;
  share(thread: number): void;
  merge(descriptor: number, workspace: number, unit: number): void;
  rotate(descriptor: number): void;
  exp2All(address: number, count: number): void;
  tanhAll(address: number, count: number): void;
  /** Number of elements of a tile's keys, or values, that the build works best with. */
  readonly tileElements: { readonly value: number };
}

/** A build and why it was chosen. */
export interface ChosenBuild {
  readonly build: SimdBuild;
  /** A sentence for `info.notes`. */
  readonly reason: string;
}

const builds: Readonly<Record<SimdBuild, EmbeddedModule>> = { baseline, relaxed };

/**
 * The build to use: relaxed SIMD, whose multiply-adds are fused, where the engine validates it.
 *
 * @param asked a build that was asked for
 * @throws BackendUnavailableError where the engine does not validate it
 */
export function chooseBuild(asked: SimdBuild | undefined): ChosenBuild {
  if (typeof WebAssembly !== "object") {
    throw new BackendUnavailableError("this runtime has no WebAssembly");
  }
  if (asked !== undefined) {
    if (!validates(asked)) {
      throw new BackendUnavailableError(
        `this engine does not validate ${featureOf[asked]}`,
        asked === "relaxed" ? 'simd: "baseline" needs less' : undefined,
      );
    }
    return { build: asked, reason: `${featureOf[asked]}: asked for` };
  }
  if (validates("relaxed")) {
    return { build: "relaxed", reason: "relaxed SIMD (fused multiply-adds): the engine has it" };
  }
  if (validates("baseline")) {
    return { build: "baseline", reason: "baseline SIMD: the engine has no relaxed SIMD" };
  }
  throw new BackendUnavailableError("this engine has no WebAssembly SIMD");
}

const featureOf: Readonly<Record<SimdBuild, string>> = {
  baseline: "128-bit SIMD",
  relaxed: "relaxed SIMD",
};

const validity = new Map<SimdBuild, boolean>();

function validates(build: SimdBuild): boolean {
  let valid = validity.get(build);
  if (valid === undefined) {
    valid = WebAssembly.validate(decode(builds[build], false));
    validity.set(build, valid);
  }
  return valid;
}

/**
 * Compiles a build.
 *
 * @param shared whether for shared memory: a flag in the module, which has to match the memory
 * @throws BackendUnavailableError where a content policy forbids it
 */
export async function compileBuild(build: SimdBuild, shared: boolean): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(decode(builds[build], shared));
  } catch (cause) {
    throw new BackendUnavailableError(
      `WebAssembly does not compile here: ${cause instanceof Error ? cause.message : String(cause)}`,
      "a content policy has to allow it with the source script-src 'wasm-unsafe-eval'; where a runtime compiles modules itself and forbids to compile bytes, give it one of its own: wasm({ module })",
      { cause },
    );
  }
}

const sharedFlag = 0x02;

function decode(
  { base64, memoryFlagsAt }: EmbeddedModule,
  shared: boolean,
): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  if (shared) (bytes[memoryFlagsAt] as number) |= sharedFlag;
  return bytes;
}
