import { expect, test } from "vitest";
import {
  attention,
  createAttention,
  defineBackend,
  deviceTensor,
  type HostTensor,
  implement,
  isDeviceTensor,
  type Provider,
  reference,
  type Tensor,
  tensor,
  UnsupportedError,
} from "../src/index.js";

const reason = { code: "host-memory", message: "keys are in host memory" };

/**
 * A backend that computes on keys in its own memory alone.
 *
 * @param held gets an entry for each tensor in that memory
 */
function residentOnly(held: Set<unknown> = new Set()): Provider {
  const stored = new WeakMap<Tensor, HostTensor>();
  const upload = async (t: HostTensor): Promise<Tensor> => {
    const release = (): void => {
      held.delete(storage);
    };
    const storage = { backend: "resident", read: async () => t, release };
    held.add(storage);
    const made = deviceTensor(storage, { dtype: t.dtype, shape: [...t.shape] });
    stored.set(made, t);
    return made;
  };
  const host = (t: Tensor): HostTensor => stored.get(t) ?? (t as HostTensor);
  return defineBackend({
    name: "resident",
    load: () => null,
    info: () => ({ runtime: "test", device: "CPU", features: [], threads: 1 }),
    memory: () => ({ upload: upload as never, allocate: () => expect.fail("nothing allocates") }),
    operations: {
      attention: implement(attention, {
        plan: (problem) => ({
          description: { kernel: "attention-test", tiles: {}, workspaceBytes: 0, dispatches: 1 },
          run: async (bound) => {
            if (!isDeviceTensor(bound.key)) {
              throw new UnsupportedError([{ backend: "resident", reasons: [reason] }]);
            }
            const query = host(bound.query);
            const inputs = {
              ...bound.inputs,
              query,
              key: host(bound.key),
              value: host(bound.value),
            };
            const backend = await reference().load();
            const plan = await backend.plan(problem);
            const outputs = (await plan.run(inputs)) as unknown as Record<string, HostTensor>;
            const entries = Object.entries(outputs).map(async ([name, t]) => [
              name,
              await upload(t),
            ]);
            return Object.fromEntries(await Promise.all(entries));
          },
        }),
      }),
    },
  });
}

const row = tensor(Float32Array.from([1, 2, 3, 4]), [1, 1, 1, 4]);
const call = { query: row, key: row, value: row };

test("a backend that refuses a run for where its tensors are passes its self-test, and the next one runs", async () => {
  const held = new Set();
  const attention = await createAttention({
    backends: [residentOnly(held), reference()],
    fallback: "silent",
  });
  // The self-test gives back what it uploaded, and what it got.
  expect(held.size).toBe(0);
  const fallbacks: unknown[] = [];
  attention.on("fallback", ({ from, to, reasons }) => fallbacks.push([from, to, reasons]));
  expect(attention.backends[0]).toMatchObject({ status: "ready" });
  expect((await attention.run(call)).backend).toBe("reference");
  expect(fallbacks).toEqual([["resident", "reference", [reason]]]);
  const [key, value] = [await attention.upload(row), await attention.upload(row)];
  expect((await attention.run({ query: row, key, value })).backend).toBe("resident");
  // A refusal is no failure: the backend is not given up.
  for (let i = 0; i < 4; i++) await attention.run(call);
  expect(attention.backends[0]).toMatchObject({ status: "ready" });
  await attention.dispose();
});

test("the refusal goes to the caller where no other backend may run", async () => {
  for (const options of [
    { backends: [residentOnly()] },
    { backends: [residentOnly(), reference()], fallback: "error" as const },
  ]) {
    const attention = await createAttention(options);
    await expect(attention.run(call)).rejects.toMatchObject({
      code: "unsupported",
      backends: [{ backend: "resident", reasons: [reason] }],
    });
    await attention.dispose();
  }
});
