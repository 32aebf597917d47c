/** Runtimes with and without each optional package, and with and without a Vulkan driver. */
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { vulkanEnvironment } from "../../../tools/vulkan.js";
import { built, install, type Runtime, run, runtimes } from "./installed.js";

/** Prints which backend runs a call, and what is said of each; with a GPU in software, too. */
const script = `
  import { createAttention, tensor, webgpu } from "heed";
  const t = tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
  const call = { query: t, key: t, value: t };
  const report = async (options) => {
    const attention = await createAttention({ store: null, ...options });
    const { backend, output } = await attention.run(call);
    const { text } = attention.explain(call);
    await attention.dispose();
    return { backend, values: [...output.data], text };
  };
  const byDefault = await report();
  const asked = await report({
    fallback: "silent",
    backends: [webgpu({ allowFallbackAdapter: true }), "js"],
  });
  console.log(JSON.stringify({ byDefault, asked }));
`;

interface Report {
  readonly backend: string;
  readonly values: readonly number[];
  readonly text: string;
}

const drivers = {
  "without a driver": { VK_DRIVER_FILES: "/nonexistent/driver.json", VK_ICD_FILENAMES: undefined },
  "with a driver in software": vulkanEnvironment(),
};
/** SwiftShader of chromium, unless the environment names another driver. */
const inSoftware =
  /swiftshader|lvp/i.test(process.env.VK_DRIVER_FILES ?? "") ||
  "VK_DRIVER_FILES" in drivers["with a driver in software"];

const packageSets = {
  "webgpu and onnxruntime-node": ["webgpu", "onnxruntime-node"],
  "webgpu alone": ["webgpu"],
  "onnxruntime-node alone": ["onnxruntime-node"],
};
type PackageSet = keyof typeof packageSets;

const withPackages = runtimes.filter(({ name }) => name.startsWith("Node") || name === "Bun");
const deno = runtimes.filter(({ name }) => name === "Deno");

const rows: readonly (readonly [Runtime, PackageSet, keyof typeof drivers])[] = [
  ...withPackages.flatMap((runtime) => [
    [runtime, "webgpu and onnxruntime-node", "without a driver"] as const,
    [runtime, "webgpu and onnxruntime-node", "with a driver in software"] as const,
    [runtime, "webgpu alone", "without a driver"] as const,
    [runtime, "onnxruntime-node alone", "without a driver"] as const,
  ]),
  // WebGPU is Deno's own, and finds an adapter of OpenGL where there is no Vulkan driver.
  ...deno.map(({ name, path, args }) => {
    const runtime = { name, path, args: [...args, "--unstable-webgpu"] };
    return [runtime, "onnxruntime-node alone", "with a driver in software"] as const;
  }),
];

describe.skipIf(!built)("installed", () => {
  const targets = new Map<string, string>();
  beforeAll(async () => {
    for (const [name, packages] of Object.entries(packageSets)) {
      targets.set(name, await install(packages, script));
    }
  }, 240_000);
  afterAll(async () => {
    await Promise.all([...targets.values()].map((target) => rm(target, { recursive: true })));
  });

  test.each(rows.map(([runtime, packages, driver]) => ({ runtime, packages, driver })))(
    "$runtime.name with $packages, $driver",
    async ({ runtime, packages, driver }) => {
      if (driver === "with a driver in software" && !inSoftware) return;
      const target = targets.get(packages) as string;
      const reports = await run(runtime, target, drivers[driver]);
      const { byDefault, asked } = reports as { byDefault: Report; asked: Report };
      for (const { values } of [byDefault, asked]) expect(values).toEqual(Array(8).fill(1));

      const node = runtime.name.startsWith("Node");
      const onnx = node && packages !== "webgpu alone";
      expect(byDefault.backend, byDefault.text).toBe(onnx ? "onnx" : "wasm");
      const [first, ...others] = byDefault.text.split("\n") as [string, ...string[]];
      expect(first).toMatch(
        onnx ? /^onnx runs it: onnxruntime-node computes/ : /^wasm runs it: WebAssembly with SIMD/,
      );
      const said = Object.fromEntries(
        others.map((line) =>
          line
            .trim()
            .split(/: (.*)/s)
            .slice(0, 2),
        ),
      );
      const gpu = runtime.name === "Deno" || packages !== "onnxruntime-node alone";
      if (!gpu) expect(said.webgpu).toMatch(/the package webgpu, which is not installed/);
      else if (driver === "without a driver") expect(said.webgpu).toMatch(/no adapter.*Vulkan/);
      else expect(said.webgpu).toMatch(/imitates a GPU on the CPU: .*allowFallbackAdapter/);
      if (node && !onnx) expect(said.onnx).toMatch(/onnxruntime-node is not installed/);
      expect(said.js).toMatch(/^not loaded/);

      const onGpu = gpu && driver === "with a driver in software";
      expect(asked.backend, asked.text).toBe(onGpu ? "webgpu" : "js");
    },
  );
});
