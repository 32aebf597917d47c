/// <reference types="vite/client" />
import type { Declaration } from "@heed/conformance";
import { type AttentionProvider, reference } from "@heed/core";

/** A backend that the page offers. */
export interface Offered {
  /** As addresses and reports have it, e.g. `"onnx:webgpu"`. */
  readonly name: string;
  /** What it needs and this browser lacks; `null` for nothing that is known beforehand. */
  readonly lacking: string | null;
  readonly load: () => Promise<AttentionProvider>;
  /** What its package says about itself. */
  readonly declaration: () => Promise<Declaration | undefined>;
}

type Factory = (options?: object) => AttentionProvider;

/** Every backend package of the repository, imported when it is asked for: new ones are offered too. */
const modules = import.meta.glob<Record<string, Factory>>(
  "../../../packages/backend-*/src/index.ts",
);
const declarations = import.meta.glob<Declaration>("../../../packages/backend-*/conformance.json", {
  import: "default",
});

/** Where a backend runs on one of several things, each is offered by itself. */
const choices: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  onnx: {
    wasm: { provider: "wasm" },
    webgpu: { provider: "webgpu" },
    webnn: { provider: "webnn" },
  },
};

/** Options of the others: the page also checks the GPU that a browser imitates, and says so. */
const defaults: Readonly<Record<string, object>> = { webgpu: { allowFallbackAdapter: true } };

/** What a browser must have, by the last part of a backend's name. */
const needs: Readonly<Record<string, keyof typeof apis>> = { webgpu: "gpu", webnn: "ml" };
const apis = { gpu: "WebGPU", ml: "WebNN" } as const;

function offer(name: string, options: object | undefined): Offered {
  const [own = ""] = name.split(":");
  const api = needs[name.split(":").at(-1) as string];
  const directory = `../../../packages/backend-${own}`;
  return {
    name,
    lacking: api && !(api in navigator) ? `this browser has no ${apis[api]}` : null,
    load: async () => {
      const exported = await (modules[`${directory}/src/index.ts`] as (typeof modules)[string])();
      const camelCased = own.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      return (exported[camelCased] as Factory)(options);
    },
    declaration: async () => declarations[`${directory}/conformance.json`]?.(),
  };
}

const names = Object.keys(modules).map((path) => /backend-([^/]+)/.exec(path)?.[1] as string);

/** All that can run here, and the reference that they are measured by. */
export const offered: readonly Offered[] = [
  ...names.flatMap((name) =>
    choices[name]
      ? Object.entries(choices[name]).map(([choice, options]) =>
          offer(`${name}:${choice}`, options),
        )
      : [offer(name, defaults[name])],
  ),
  {
    name: "reference",
    lacking: null,
    load: async () => reference(),
    declaration: async () => undefined,
  },
];
