/// <reference types="vite/client" />
import { type Declaration, providerIn, readManifest } from "@heed/conformance";
import { type AttentionProvider, reference } from "@heed/core";

/** A backend that the page offers. */
export interface Offered {
  /** Name in addresses and reports, e.g. `"onnx:webgpu"`. */
  readonly name: string;
  /** A sentence about the API it needs that this browser lacks; `null` if none is known to be missing. */
  readonly lacking: string | null;
  readonly load: () => Promise<AttentionProvider>;
  /** Loads the declaration that its package ships, conformance.json, if it has one. */
  readonly declaration: () => Promise<Declaration | undefined>;
}

/** Every backend package of the repository, imported when it is asked for: new ones are offered too. */
const modules = import.meta.glob<Record<string, unknown>>(
  "../../../packages/backend-*/src/index.ts",
);
const packages = import.meta.glob<unknown>("../../../packages/backend-*/package.json", {
  eager: true,
  import: "default",
});
const declarations = import.meta.glob<Declaration>("../../../packages/backend-*/conformance.json", {
  import: "default",
});

/** API that a browser must have, by the last part of a backend's name. */
const needs: Readonly<Record<string, keyof typeof apis>> = { webgpu: "gpu", webnn: "ml" };
const apis = { gpu: "WebGPU", ml: "WebNN" } as const;

function offer(name: string, options: object): Offered {
  const [own = ""] = name.split(":");
  const api = needs[name.split(":").at(-1) as string];
  const directory = `../../../packages/backend-${own}`;
  return {
    name,
    lacking: api && !(api in navigator) ? `this browser has no ${apis[api]}` : null,
    load: async () => {
      const exports = await (modules[`${directory}/src/index.ts`] as (typeof modules)[string])();
      const provider = providerIn(exports, own, options);
      if (!provider) throw new Error(`@heed/backend-${own} exports no provider`);
      return provider;
    },
    declaration: async () => declarations[`${directory}/conformance.json`]?.(),
  };
}

/** Entries for a backend: one for each execution provider that its package names for pages, or a single one. */
function offers(name: string): readonly Offered[] {
  const manifest = readManifest(packages[`../../../packages/backend-${name}/package.json`]);
  const { choice, options } = manifest;
  if (!choice || choice.inPages.length === 0) return [offer(name, options)];
  return choice.inPages.map((value) =>
    offer(`${name}:${value}`, { ...options, [choice.option]: value }),
  );
}

const names = Object.keys(modules).map((path) => /backend-([^/]+)/.exec(path)?.[1] as string);

/** All that can run here, and the reference that they are measured by. */
export const offered: readonly Offered[] = [
  ...names.flatMap(offers),
  {
    name: "reference",
    lacking: null,
    load: async () => reference(),
    declaration: async () => undefined,
  },
];
