import { describeProblem } from "@heed/core";
import { median } from "simple-statistics";

/**
 * GPU time of a call with everything on the device, recorded into one pass.
 *
 * @param warmUp brings the GPU's clock up
 */
export async function timeHeed(backend, device, clock, inputs, judge, runs, warmUp) {
  const plan = await backend.plan(describeProblem(inputs));
  const tensors = {};
  for (const name of ["query", "key", "value", "bias"]) {
    if (inputs[name]) tensors[name] = await backend.upload(inputs[name]);
  }
  const call = { ...inputs, ...tensors };
  const { output } = await plan.run(call);
  const { wrong } = judge(await output.read());
  await warmUp();
  const times = [];
  for (let i = 0; i < runs; i++) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    plan.encode(pass, call, { output });
    pass.end();
    device.queue.submit([encoder.finish()]);
    times.push(await clock.read());
  }
  const { kernel, tiles } = plan.description;
  for (const t of [...Object.values(tensors), output]) t.dispose();
  plan.dispose();
  return { ms: median(times), kernel: `${kernel} ${JSON.stringify(tiles)}`, wrong };
}
