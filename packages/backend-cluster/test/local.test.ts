import { js } from "@heed/backend-js";
import {
  type Backend,
  type DeviceTensor,
  type HostTensor,
  type Plan,
  type Provider,
  projection,
  tensor,
} from "@heed/core";
import { afterEach, expect, test } from "vitest";
import { distance, numbers, randomTensor } from "./calls.js";
import { type Group, startGroup } from "./group.js";

let group: Group | undefined;
const backends: Backend[] = [];
afterEach(async () => {
  for (const backend of backends.splice(0)) backend.dispose();
  await group?.close();
  group = undefined;
});

async function connect(local?: Provider): Promise<Backend> {
  group ??= await startGroup(2);
  const backend = await group.provider({ local }).load();
  backends.push(backend);
  return backend;
}

async function project(backend: Backend, input: HostTensor | DeviceTensor) {
  const weight = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
  const inputs = { input, weight };
  const plan = (await backend.plan(projection.describe(inputs as never))) as Plan;
  const outputs = (await plan.run(inputs as never)) as unknown as { output: DeviceTensor };
  return { kernel: plan.description.kernel, output: outputs.output, plan };
}

test("what workers do not compute is left to the local backend, on host tensors and on the cluster's own", async () => {
  const input = randomTensor(numbers(1), [1, 4, 2]);
  const reference = await connect();
  const expected = await project(reference, input);
  expect(expected.kernel).toBe("projection-reference");

  const backend = await connect(js());
  expect(backend.info.notes).toContain("in this process: js");
  const onHost = await project(backend, input);
  expect(onHost.kernel).not.toContain("reference");
  expect(distance(onHost.output as never, expected.output as never)).toBeLessThan(1e-6);

  const held = await backend.memory?.upload(input);
  const here = await project(backend, held as DeviceTensor);
  expect(here.output.backend).toBe("cluster");
  expect(distance(await here.output.read(), expected.output as never)).toBeLessThan(1e-6);
  held?.dispose();
  here.output.dispose();
});

test("the local backend is disposed with the cluster's", async () => {
  let disposed = 0;
  const provider = js();
  const counted: Provider = {
    name: "counted",
    load: async () => {
      const own = await provider.load();
      const dispose = own.dispose.bind(own);
      own.dispose = () => {
        disposed += 1;
        dispose();
      };
      return own;
    },
  };
  const backend = await connect(counted);
  expect(disposed).toBe(0);
  backend.dispose();
  expect(disposed).toBe(1);
});

test("a local backend has to be a provider", async () => {
  await expect(async () => connect("js" as never)).rejects.toThrow(/local.*a provider/);
});
