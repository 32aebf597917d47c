import { webgpuTensor } from "@heed/backend-webgpu";
import { createAttention, tensor, webgpu } from "heed";

/**
 * A function, and no `await` at the top of the module: this module imports a backend by name, so that the backend's
 * later files import this one, and would wait for it while it waits for them.
 */
async function main() {
  // The device is the application's: it renders or computes with it already.
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();

  // Queries that a shader of the application writes, and no copy of them anywhere else.
  const shape = [1, 2, 8, 16]; // [batch, heads, length, headDim]
  const count = shape.reduce((a, b) => a * b);
  const buffer = device.createBuffer({
    size: 4 * count,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: {
      module: device.createShaderModule({
        code: `
          @group(0) @binding(0) var<storage, read_write> query: array<f32>;
          @compute @workgroup_size(64) fn write(@builtin(global_invocation_id) id: vec3u) {
            query[id.x] = sin(f32(id.x));
          }`,
      }),
    },
  });
  const bindings = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(count / 64);
  pass.end();
  device.queue.submit([encoder.finish()]);

  const attention = await createAttention({ backends: [webgpu({ device })] });
  const query = webgpuTensor(buffer, shape, { dtype: "float32" });
  const key = await attention.upload(tensor(new Float32Array(count).fill(1), shape));
  const value = await attention.upload(
    tensor(
      Float32Array.from({ length: count }, (_, i) => Math.floor(i / 16) % 8),
      shape,
    ),
  );

  // The output is on the device as well: `output.buffer` goes into the application's next pass, and only
  // `read` copies it back.
  const { output } = await attention.run({ query, key, value });
  const { data } = await output.read();
  document.querySelector("output").textContent =
    `${output.buffer.constructor.name}: ${Array.from(data.subarray(0, 4), (x) => x.toFixed(2)).join(" ")}`;

  for (const one of [query, key, value, output]) one.dispose();
  await attention.dispose();
}

main();
