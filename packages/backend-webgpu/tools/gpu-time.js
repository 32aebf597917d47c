// GPU time of the kernels by timestamp queries, as a part of what the GPU can do. Run after a build:
//
//   node packages/backend-webgpu/tools/gpu-time.js [--tflops 67] [--gbytes 3350] [--shape …]
//
// --tflops and --gbytes are the GPU's float32 peak (10^12/s) and memory bandwidth (10^9 bytes/s);
// --shape "B,Hq,Hkv,Lq,Lk,D,dtype" replaces the shapes below and may be repeated. Correctness first:
//
//   HEED_ALL_VARIATIONS=1 HEED_REQUIRE=webgpu npx vitest run --project node packages/backend-webgpu
//   node apps/bench/bin/heed-bench.js --backends webgpu --peers ort-node-webgpu/matmul,ort-node-webgpu/fused
//
// (On Linux with an NVIDIA GPU: VK_DRIVER_FILES names the driver's nvidia_icd.json.)
import { parseArgs } from "node:util";
import { webgpu } from "@heed/backend-webgpu";
import { describeProblem, referenceAttention, slice, tensor, toFloat64 } from "@heed/core";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);

const { values } = parseArgs({
  options: {
    tflops: { type: "string" },
    gbytes: { type: "string" },
    shape: { type: "string", multiple: true },
    runs: { type: "string", default: "20" },
  },
});
const shapes = values.shape ?? [
  "1,32,32,2048,2048,64,float32",
  "1,32,32,2048,2048,128,float32",
  "1,32,32,4096,4096,64,float32",
  "1,32,32,2048,2048,128,float16",
  "1,32,8,1,32768,128,float32",
  "1,32,8,1,32768,128,float16",
];

// Timestamps are rounded to 100 µs otherwise. Kept: what `create` gives must not be collected.
const gpu = create(["disable-dawn-features=timestamp_quantization"]);
const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
if (!adapter?.features.has("timestamp-query")) {
  throw new Error("no adapter with timestamp queries");
}
const { limits } = adapter;
const device = await adapter.requestDevice({
  requiredFeatures: ["timestamp-query", "shader-f16", "subgroups"].filter((feature) =>
    adapter.features.has(feature),
  ),
  requiredLimits: {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
  },
});
const backend = await webgpu({ device }).load();
const { info } = backend;
console.log(`${info.device}\n${info.features.join(", ")}; ${info.notes?.join("; ")}\n`);

const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
const resolved = device.createBuffer({
  size: 16,
  usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
});
const readable = device.createBuffer({
  size: 16,
  usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
});

/** Normal enough for timing and for an error: a quasi-random sequence in (−1, 1). */
function filled(shape, dtype, seed) {
  const count = shape.reduce((a, b) => a * b, 1);
  const value = (i) => 2 * (((i + seed) * 0.6180339887498949) % 1) - 1;
  if (dtype === "float32")
    return tensor(
      Float32Array.from({ length: count }, (_, i) => value(i)),
      shape,
    );
  // Multiples of 2^-10 are exact in float16: sign, exponent and fraction by hand.
  const bits = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const x = Math.round(value(i) * 1024);
    const magnitude = Math.abs(x);
    if (magnitude === 0) continue;
    const exponent = Math.floor(Math.log2(magnitude));
    bits[i] =
      (x < 0 ? 0x8000 : 0) |
      ((exponent + 5) << 10) |
      ((magnitude - 2 ** exponent) << (10 - exponent));
  }
  return tensor(bits, shape, { dtype: "float16" });
}

for (const text of shapes) {
  const [b, hq, hkv, lq, lk, d, dtype = "float32"] = text
    .split(",")
    .map((part, i) => (i < 6 ? Number(part) : part));
  const call = {
    query: filled([b, hq, lq, d], dtype, 1),
    key: filled([b, hkv, lk, d], dtype, 2),
    value: filled([b, hkv, lk, d], dtype, 3),
  };
  const plan = await backend.plan(describeProblem(call));
  const inputs = {
    query: await backend.upload(call.query),
    key: await backend.upload(call.key),
    value: await backend.upload(call.value),
  };
  const { output } = await plan.run(inputs);
  // The last row of the last head of the first batch, against float64.
  const part = (t, heads, head, from) => slice(slice(slice(t, 0, 0, 1), 1, head, heads), 2, from);
  const expected = toFloat64(
    referenceAttention({
      query: part(call.query, hq, hq - 1, lq - 1),
      key: part(call.key, hkv, hkv - 1, 0),
      value: part(call.value, hkv, hkv - 1, 0),
    }).output,
  );
  const got = toFloat64(part(await output.read(), hq, hq - 1, lq - 1));
  const error = Math.max(...expected.map((x, i) => Math.abs(x - got[i])));

  const times = [];
  for (let run = 0; run < Number(values.runs); run++) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass({
      timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    });
    plan.encode(pass, inputs, { output });
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, 16);
    device.queue.submit([encoder.finish()]);
    await readable.mapAsync(GPUMapMode.READ);
    const [start, end] = new BigUint64Array(readable.getMappedRange());
    times.push(Number(end - start) / 1e9);
    readable.unmap();
  }
  times.sort((x, y) => x - y);
  const seconds = times[times.length >> 1];
  const flops = 2 * b * hq * lq * lk * 2 * d;
  const bytes = (dtype === "float16" ? 2 : 4) * b * d * (2 * hkv * lk + 2 * hq * lq);
  const of = (rate, peak) => (peak ? ` (${((100 * rate) / Number(peak)).toFixed(0)} %)` : "");
  const { kernel, tiles } = plan.description;
  console.log(
    `${text}: ${kernel} ${JSON.stringify(tiles)}, ${(seconds * 1e3).toFixed(3)} ms, ` +
      `${(flops / seconds / 1e12).toFixed(3)} TFLOP/s${of(flops / seconds / 1e12, values.tflops)}, ` +
      `${(bytes / seconds / 1e9).toFixed(0)} GB/s${of(bytes / seconds / 1e9, values.gbytes)}, ` +
      `error ${error.toExponential(1)}`,
  );
  for (const t of [...Object.values(inputs), output]) t.dispose();
  plan.dispose();
}
backend.dispose();
device.destroy();
