/// <reference types="vite/client" />
import { type Declaration, providerIn, readManifest } from "@heed/conformance";
import { type AttentionProvider, reference } from "@heed/core";
import type { OnnxPlace } from "@heed/peers/onnx";

/** A backend that the page offers. */
export interface Offered {
  /** Name in addresses and reports, e.g. `"onnx:webgpu"`. */
  readonly name: string;
  /** Whether it is other people's attention, which is judged only if it is asked for. */
  readonly isPeer: boolean;
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

function lackingApi(api: keyof typeof apis | undefined): string | null {
  return api && !(api in navigator) ? `this browser has no ${apis[api]}` : null;
}

function offer(name: string, options: object): Offered {
  const [own = ""] = name.split(":");
  const api = needs[name.split(":").at(-1) as string];
  const directory = `../../../packages/backend-${own}`;
  return {
    name,
    isPeer: false,
    lacking: lackingApi(api),
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

/**
 * onnxruntime's own operators of attention, MultiHeadAttention and GroupQueryAttention, on its providers in pages: which
 * of them are right depends on the device.
 */
function operators(name: string, provider: OnnxPlace["provider"]): Offered {
  return {
    name,
    isPeer: true,
    lacking: lackingApi(provider === "webgpu" ? "gpu" : undefined),
    load: async () => {
      const { onnxPeer } = await import("@heed/peers/onnx");
      return onnxPeer({ package: "web", provider }, "fused")({ threads: 1 });
    },
    declaration: async () => undefined,
  };
}

const names = Object.keys(modules).map((path) => /backend-([^/]+)/.exec(path)?.[1] as string);

/** All that can run here, the reference that they are measured by, and peers. */
export const offered: readonly Offered[] = [
  ...names.flatMap(offers),
  {
    name: "reference",
    isPeer: false,
    lacking: null,
    load: async () => reference(),
    declaration: async () => undefined,
  },
  operators("ort-web/fused", "cpu"),
  operators("ort-web-webgpu/fused", "webgpu"),
];
