const threads = 256;
/** `GPUBufferUsage.STORAGE`. */
const storage = 0x80;

const chains = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** Multiply-adds in registers, eight chains of four, so that none waits for the one before it. */
const multiplyAdds = `
@group(0) @binding(0) var<storage, read> told: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let rounds = u32(told[0]);
  let factor = vec4<f32>(told[1]);
  let term = vec4<f32>(told[2]);
${chains.map((name, i) => `  var ${name} = vec4<f32>(f32(id.x) + ${i}.0);`).join("\n")}
  for (var i = 0u; i < rounds; i++) {
${chains.map((name) => `    ${name} = fma(${name}, factor, term);`).join("\n")}
  }
  sums[id.x] = ${chains.join(" + ")};
}`;

/** Every element once, and next to nothing done with it. */
const reads = `
@group(0) @binding(0) var<storage, read> told: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@compute @workgroup_size(${threads})
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  var sum = vec4<f32>();
  for (var i = id.x; i < arrayLength(&told); i += workgroups.x * ${threads}u) {
    sum += told[i];
  }
  sums[id.x] = sum;
}`;

/**
 * Operations a second of float32 multiply-adds, each counting as two.
 *
 * @param leastMs that a run must take to count
 */
export async function measureFloat32Peak(device, clock, leastMs) {
  const workgroups = 1024;
  const told = buffer(device, 16, 0x8);
  const run = await prepare(device, clock, multiplyAdds, told, workgroups);
  for (let rounds = 16; ; rounds *= 2) {
    device.queue.writeBuffer(told, 0, Float32Array.of(rounds, 0.5, 1));
    const ms = await run();
    if (ms < leastMs) continue;
    return (workgroups * threads * rounds * chains.length * 4 * 2 * 1e3) / ms;
  }
}

/**
 * A function that keeps the GPU busy for so many ms. A GPU that had nothing to do runs at a fraction of its clock, an
 * H200 at a fifth, and takes some 100 ms of work to come back: times of the first calls after a pause say nothing.
 */
export async function prepareWarmUp(device, clock, forMs) {
  const told = buffer(device, 16, 0x8);
  const run = await prepare(device, clock, multiplyAdds, told, 1024, 1);
  // Rounds of one run, which takes some ms: the pauses between shorter ones let the clock fall again.
  let rounds = 16;
  return async () => {
    const end = performance.now() + forMs;
    while (performance.now() < end) {
      device.queue.writeBuffer(told, 0, Float32Array.of(rounds, 0.5, 1));
      if ((await run()) < 5) rounds *= 2;
    }
    await clock.read();
  };
}

/** Bytes read a second. */
export async function measureBandwidth(device, clock, bytes) {
  const size = Math.min(
    bytes,
    device.limits.maxBufferSize,
    device.limits.maxStorageBufferBindingSize,
  );
  const whole = Math.floor(size / 16) * 16;
  const run = await prepare(device, clock, reads, buffer(device, whole), 4096);
  return (whole * 1e3) / (await run());
}

function buffer(device, size, usage = 0) {
  return device.createBuffer({ size, usage: storage | usage });
}

/** Gives the fastest of a few runs, in ms. */
async function prepare(device, clock, code, told, workgroups, runs = 5) {
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const buffers = [told, buffer(device, workgroups * threads * 16)];
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((resource, binding) => ({ binding, resource: { buffer: resource } })),
  });
  return async () => {
    const times = [];
    for (let i = 0; i < runs; i++) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups);
      pass.end();
      device.queue.submit([encoder.finish()]);
      times.push(await clock.read());
    }
    return Math.min(...times);
  };
}
