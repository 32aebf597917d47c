import {
  type AttentionInputs,
  broadcastTo,
  type DeviceTensor,
  DisposedError,
  fromFloat64,
  HeedError,
  type HostTensor,
  mergeHeads,
  reshape,
  slice,
  splitHeads,
  type Tensor,
  transpose,
} from "@heed/core";
import { bitsOf, differing, outputBits, sameBits, takeToHost } from "../../../calls/bits.js";
import { layOut } from "../../../calls/layout.js";
import { Random } from "../../../calls/random.js";
import type { CheckContext, ProgramCase } from "../../../run/case.js";
import type { CaseSpec } from "../spec.js";
import { acceptedCalls, bitsOnce, named, planOf, rejection } from "./context.js";

type View = (t: Tensor) => Tensor;

/** Views of a tensor [2, 3, 4, 6], each of the one before it. */
const views: Readonly<Record<string, readonly View[]>> = {
  "transposed heads and length": [(t) => transpose(t, [0, 2, 1, 3])],
  "all axes turned around": [(t) => transpose(t, [3, 2, 1, 0])],
  "a slice of the last axis": [(t) => slice(t, 3, 1, 4)],
  "a slice of a slice": [(t) => slice(t, 2, 1), (t) => slice(t, 0, 1, 2)],
  "an empty slice": [(t) => slice(t, 1, 2, 2)],
  "split heads that are merged again": [
    (t) => reshape(t, [2, 12, 6]),
    (t) => splitHeads(t, 2),
    (t) => mergeHeads(t),
  ],
  "a repeated row": [(t) => slice(t, 2, 3, 4), (t) => broadcastTo(t, [2, 3, 5, 6])],
};

/** Layouts that no view of a tensor of 144 elements may have. */
const wrongLayouts: readonly unknown[] = [
  undefined,
  null,
  7,
  {},
  { shape: [145], strides: [1], offset: 0 },
  { shape: [2], strides: [1], offset: 143 },
  { shape: [1], strides: [1], offset: 144 },
  { shape: [1], strides: [1], offset: -1 },
  { shape: [2], strides: [-1], offset: 3 },
  { shape: [73], strides: [2], offset: 0 },
  { shape: [0.5], strides: [1], offset: 0 },
  { shape: [2], strides: [0.5], offset: 0 },
  { shape: [2], strides: [1], offset: 0.5 },
  { shape: [2], strides: [1], offset: Number.NaN },
  { shape: [2, 2], strides: [1], offset: 0 },
  { shape: [2], strides: [1, 1], offset: 0 },
  { shape: [2], strides: [1] },
  { shape: [1e9], strides: [1], offset: 0 },
  { shape: [2], strides: [2 ** 40], offset: 0 },
  { shape: "2", strides: "1", offset: 0 },
];

const wrongViews: Readonly<Record<string, View>> = {
  "axes that are no permutation": (t) => transpose(t, [0, 1, 1, 3]),
  "too few axes": (t) => transpose(t, [0, 1]),
  "a slice past the end": (t) => slice(t, 2, 0, 5),
  "a slice before the start": (t) => slice(t, 2, -1),
  "a slice of no axis": (t) => slice(t, 4, 0),
  "another number of elements": (t) => reshape(t, [2, 3, 4, 5]),
  "heads to split of four axes": (t) => splitHeads(t, 2),
  "a shape that does not broadcast": (t) => broadcastTo(t, [2, 3, 5, 6]),
};

type Upload = (t: HostTensor) => Promise<DeviceTensor>;

/** Calls upload for tests, and disposes everything at the end. */
async function withMemory(
  { backend }: CheckContext,
  act: (upload: Upload, keep: <T>(t: T) => T) => Promise<string[]>,
): Promise<{ failures: string[] }> {
  if (!backend.upload) return { failures: [] };
  const upload = backend.upload.bind(backend);
  const held = new Set<DeviceTensor>();
  const keep = <T>(t: T): T => {
    held.add(t as unknown as DeviceTensor);
    return t;
  };
  try {
    return { failures: await act(async (t) => keep(await upload(t)), keep) };
  } finally {
    for (const t of held) t?.dispose?.();
  }
}

/** A call whose tensors lie as a layer's projections leave them. */
const call: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 5,
  keyLength: 9,
  headDim: 8,
  mask: { shape: [2, 1, 5, 9] },
  returns: { logSumExp: true },
};

/** Device tensors: views of them, and what happens to them when they, or others, are disposed. */
export const deviceTensorBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/device-views",
    profile: "behaviour",
    statement:
      "Views of device tensors read what views of host tensors hold, of any dtype; views past the end are refused.",
    run: (context) =>
      withMemory(context, async (upload, keep) => {
        const failures: string[] = [];
        const random = new Random(context.seed);
        for (const dtype of ["float32", "float16", "int32", "bool"] as const) {
          const host = fromFloat64(
            random.normals(144).map((x) => Math.round(4 * x)),
            [2, 3, 4, 6],
            dtype,
          );
          const t = await upload(host).catch((error: unknown) => {
            // A backend may have no memory for a dtype that it does not compute with.
            if (error instanceof HeedError) return null;
            throw error;
          });
          if (!t?.view) continue;
          for (const [what, steps] of Object.entries(views)) {
            const seen = steps.reduce<Tensor>((view, step) => keep(step(view)), t);
            const read = await (seen as DeviceTensor).read();
            const wanted = steps.reduce<Tensor>((view, step) => step(view), host) as HostTensor;
            if (
              read.shape.join() !== wanted.shape.join() ||
              !sameBits(bitsOf(read), bitsOf(wanted))
            ) {
              failures.push(`${dtype}, ${what}: reads otherwise than on the host`);
            }
          }
          const acts = [
            ...Object.entries(wrongViews).map(([what, view]) => [what, () => view(t)]),
            ...wrongLayouts.map((layout) => [
              `the layout ${JSON.stringify(layout)}`,
              () => t.view?.(layout as never),
            ]),
          ] as [string, () => unknown][];
          for (const [what, act] of acts) {
            const error = await rejection(() => keep(act()));
            if (!(error instanceof HeedError)) failures.push(`${dtype}, ${what}: ${named(error)}`);
          }
        }
        return failures;
      }),
  },
  {
    id: "behaviour/device-views-as-inputs",
    profile: "behaviour",
    statement:
      "Views of device tensors as inputs give the bits that the same views give on the host.",
    run: (context) =>
      withMemory(context, async (upload, keep) => {
        const { backend, arithmetic } = context;
        const [accepted] = acceptedCalls(backend, { call }, arithmetic);
        if (accepted === undefined) return [];
        const { inputs } = accepted;
        const expected = await bitsOnce(backend, inputs);
        const plan = await planOf(backend, inputs);
        const failures: string[] = [];
        try {
          for (const swap of [
            [0, 2, 1, 3],
            [0, 1, 3, 2],
          ]) {
            const viewed: Record<string, DeviceTensor> = {};
            for (const name of ["query", "key", "value", "mask"] as const) {
              const laid = layOut(inputs[name] as HostTensor, swap[1] === 2 ? "blhd" : "bhdl");
              // As it lies in memory, row-major, and then the view that undoes it.
              const own = await upload(transpose(laid, swap));
              if (!own.view) return failures;
              viewed[name] = keep(transpose(own, swap));
            }
            const outputs = await plan.run({ ...inputs, ...viewed } as AttentionInputs);
            if (differing(expected, outputBits(await takeToHost(outputs))).length > 0) {
              failures.push(`axes ${swap}: other bits than on the host`);
            }
          }
        } finally {
          plan.dispose();
        }
        return failures;
      }),
  },
  {
    id: "behaviour/device-lifetime",
    profile: "behaviour",
    statement:
      "Memory lives as long as a view of it; reading does not change it; a disposed tensor is refused, and disposing it while it is read or used gives what is right or a typed error.",
    run: (context) =>
      withMemory(context, async (upload, keep) => {
        const { backend, arithmetic, provider, seed } = context;
        const failures: string[] = [];
        const random = new Random(seed);
        const host = random.tensor([2, 3, 4, 6], "float32");
        const other = random.tensor([2, 3, 4, 6], "float32");
        const is = (read: HostTensor, wanted: HostTensor): boolean =>
          sameBits(bitsOf(read), bitsOf(wanted));

        const t = await upload(host);
        const reads = await Promise.all([t.read(), t.read()]);
        if (!reads.every((read) => is(read, host))) failures.push("two reads at once differ");
        for (const { data } of reads) data.fill(0);
        if (!is(await t.read(), host))
          failures.push("writing into what was read changes the tensor");
        if (t.view) {
          const view = keep(transpose(t, [3, 2, 1, 0]));
          t.dispose();
          for (let i = 0; i < 3; i++) await upload(other);
          if (!is(await view.read(), transpose(host, [3, 2, 1, 0]))) {
            failures.push("a view of a disposed tensor lost its elements");
          }
        }
        t.dispose();
        for (const [what, act] of [
          ["read()", () => t.read()],
          ["view()", () => t.view?.({ shape: [1], strides: [1], offset: 0 })],
          ["transpose()", () => transpose(t, [0, 2, 1, 3])],
        ] as const) {
          if (what === "view()" && !t.view) continue;
          const error = await rejection(act);
          if (!(error instanceof DisposedError)) {
            failures.push(`${what} of a disposed tensor: ${named(error)}`);
          }
        }

        const short = await upload(host);
        const pending = short.read();
        short.dispose();
        const outcome = await pending.catch((error: unknown) => error);
        if (!(outcome instanceof HeedError) && !is(outcome as HostTensor, host)) {
          failures.push(`read() of a tensor that is disposed meanwhile: ${named(outcome)}`);
        }

        const [accepted] = acceptedCalls(backend, { call }, arithmetic);
        if (accepted) failures.push(...(await disposedMeanwhile(accepted.inputs, context, upload)));

        const second = await provider.load();
        if (second.upload) {
          const kept = keep(await second.upload(host));
          second.dispose();
          if (!is(await kept.read(), host)) {
            failures.push("a tensor lost its elements when its backend was disposed");
          }
          for (const [what, act] of [
            ["upload()", () => second.upload?.(host)],
            ["allocate()", () => second.memory?.allocate("float32", [2])],
          ] as const) {
            if (what === "allocate()" && !second.memory) continue;
            const error = await rejection(act);
            if (!(error instanceof DisposedError)) {
              failures.push(`${what} of a disposed backend: ${named(error)}`);
            }
          }
        } else second.dispose();
        return failures;
      }),
  },
];

/** A run whose inputs are disposed before it is done. */
async function disposedMeanwhile(
  inputs: AttentionInputs<HostTensor>,
  { backend }: CheckContext,
  upload: Upload,
): Promise<string[]> {
  const expected = await bitsOnce(backend, inputs);
  const plan = await planOf(backend, inputs);
  try {
    const query = await upload(inputs.query);
    const pending = plan.run({ ...inputs, query });
    query.dispose();
    const outcome = await pending.then(takeToHost).catch((error: unknown) => error);
    if (outcome instanceof HeedError) return [];
    if (outcome instanceof Error) return [`a run on a disposed query: ${named(outcome)}`];
    const bits = outputBits(outcome as never);
    return differing(expected, bits).length > 0
      ? ["a run whose query is disposed meanwhile gives other bits"]
      : [];
  } finally {
    plan.dispose();
  }
}
