// Run by Deno: compiles the kernels in a JSON file, an array of { name, code, pipeline }, with naga, and prints
// what it says to each as JSON: { name: error or null }. Needs a Vulkan driver.
const kernels = JSON.parse(await Deno.readTextFile(Deno.args[0]));
const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) {
  console.error("no adapter: --unstable-webgpu and a Vulkan driver are needed");
  Deno.exit(2);
}
const requiredFeatures = ["shader-f16", "subgroups"].filter((name) => adapter.features.has(name));
// Scales beside keys and values take two more buffers than every device has, and programs another one.
const maxStorageBuffersPerShaderStage = Math.min(
  11,
  adapter.limits.maxStorageBuffersPerShaderStage,
);
const device = await adapter.requestDevice({
  requiredFeatures,
  requiredLimits: { maxStorageBuffersPerShaderStage },
});
const errors = {};
for (const { name, code, pipeline } of kernels) {
  const needed = [...code.matchAll(/^enable (\w+);$/gm)].map(([, extension]) => extension);
  const missing = needed.filter(
    (extension) => !device.features.has(extension === "f16" ? "shader-f16" : extension),
  );
  if (missing.length > 0) {
    errors[name] = `skipped: the device has no ${missing.join(", ")}`;
    continue;
  }
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const refused = await device.popErrorScope();
  device.pushErrorScope("validation");
  if (!refused && pipeline) {
    device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  }
  const unusable = await device.popErrorScope();
  errors[name] = refused?.message ?? unusable?.message ?? null;
}
console.log(JSON.stringify(errors));
