import type { AttentionProvider } from "@heed/core";

/**
 * The field `heed` of a backend's package.json: facts about the backend for programs that offer
 * backends by name. Each member may be left out.
 */
export interface BackendManifest {
  /** Whether its function takes `{ threads }`; default false. */
  readonly threads: boolean;
  /** Whether its function takes `{ device }`, a GPUDevice; default false. */
  readonly device: boolean;
  /** An option that users choose by name, such as an execution provider or a build; default null. */
  readonly choice: BackendChoice | null;
  /**
   * Options that its function is given by programs that check or measure it, which want it on any device:
   * `{ "allowFallbackAdapter": true }`; default none.
   */
  readonly options: Readonly<Record<string, unknown>>;
}

/** An option of a backend's function that has a few values. */
export interface BackendChoice {
  /** The option's name, e.g. `"provider"`. */
  readonly option: string;
  readonly values: readonly string[];
  /** Values that a web page offers as separate backends; default none. */
  readonly inPages: readonly string[];
}

/** Packages whose name begins with this are backends; what follows is the backend's name. */
export const backendPrefix = "@heed/backend-";

/** The function that a backend's package exports, e.g. `wasm()` of `@heed/backend-wasm`. */
export type ProviderFactory = (options?: object) => AttentionProvider;

/**
 * Reads the field `heed` of a package.json.
 *
 * @param packageJson its parsed content
 * @throws TypeError that names the member at fault
 */
export function readManifest(packageJson: unknown): BackendManifest {
  const { name, heed = {} } = packageJson as { name?: string; heed?: Record<string, unknown> };
  const wrong = (member: string, expected: string): never => {
    throw new TypeError(
      `package.json of ${name ?? "a backend"}: heed.${member} is not ${expected}`,
    );
  };
  const flag = (member: "threads" | "device"): boolean => {
    const value = heed[member] ?? false;
    return typeof value === "boolean" ? value : wrong(member, "a boolean");
  };
  const texts = (member: string, value: unknown): readonly string[] =>
    Array.isArray(value) && value.every((one) => typeof one === "string")
      ? value
      : wrong(member, "an array of strings");
  const given = heed.choice as Partial<BackendChoice> | undefined;
  const choice = given
    ? {
        option:
          typeof given.option === "string" ? given.option : wrong("choice.option", "a string"),
        values: texts("choice.values", given.values),
        inPages: texts("choice.inPages", given.inPages ?? []),
      }
    : null;
  const options = heed.options ?? {};
  if (typeof options !== "object" || Array.isArray(options)) wrong("options", "an object");
  return {
    threads: flag("threads"),
    device: flag("device"),
    choice,
    options: options as BackendManifest["options"],
  };
}

/** The name of the function that the package of a backend exports: `web-nn` is `webNn()`. */
export function functionName(backend: string): string {
  return backend.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * The provider that a module exports: its function of the backend's name, its default export, or else the
 * first export that is one; as `{ name, load }`, or as a function that returns that.
 *
 * @param backend the backend's name, where it has one
 * @returns null where no export is a provider
 */
export function providerIn(
  exports: Readonly<Record<string, unknown>>,
  backend: string,
  options?: object,
): AttentionProvider | null {
  const named = exports[functionName(backend)];
  for (const candidate of [named, exports.default, ...Object.values(exports)]) {
    const provider = typeof candidate === "function" ? tryCall(candidate, options) : candidate;
    if (isProvider(provider)) return provider;
  }
  return null;
}

/** A class, or a function that wants arguments, is not a provider's function. */
function tryCall(candidate: unknown, options: object | undefined): unknown {
  try {
    return (candidate as (options?: object) => unknown)(options);
  } catch {
    return undefined;
  }
}

function isProvider(value: unknown): value is AttentionProvider {
  const { name, load } = (value ?? {}) as Partial<AttentionProvider>;
  return typeof name === "string" && typeof load === "function";
}
