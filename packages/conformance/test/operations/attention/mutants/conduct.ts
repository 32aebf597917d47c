import type { Profile } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionPlan,
  type AttentionProblem,
  type AttentionProvider,
  float16BitsToNumber,
  fromFloat64,
  type HostTensor,
  isDeviceTensor,
  numberToFloat16Bits,
  referenceAttention,
  type TypedArray,
  toFloat64,
  UnsupportedError,
} from "@heed/core";
import type { PublishedName } from "../../../../src/operations/attention/mistakes/published.js";
import { attend } from "../../../../src/operations/attention/mistakes/steps.js";
import { borrow } from "../../../../src/run/borrow.js";
import { backendOf } from "./backend.js";

/** A bug in how a backend behaves around numbers that are right. */
export interface ConductMutant {
  readonly name: string;
  readonly published?: PublishedName;
  readonly profile: Profile;
  readonly provider: () => AttentionProvider;
}

type Run = Parameters<typeof backendOf>[0];

const right: Run = async (problem, inputs) => attend(problem, inputs, {});
const over = (run: Run) => (): AttentionProvider => backendOf(run);

/** Outputs changed on their way out. */
const returning =
  (change: (outputs: AttentionOutputs<HostTensor>, problem: AttentionProblem) => object): Run =>
  async (problem, inputs) =>
    change(attend(problem, inputs, {}), problem) as AttentionOutputs<HostTensor>;

/** A backend whose members are replaced. */
function altered(
  change: (backend: Awaited<ReturnType<AttentionProvider["load"]>>) => object,
): () => AttentionProvider {
  return () => {
    const inner = backendOf(right);
    return {
      ...inner,
      load: async () => {
        const backend = await inner.load();
        return { ...borrow(backend), dispose: () => backend.dispose(), ...change(backend) };
      },
    };
  };
}

/** A plan's members, which may be those of a class. */
function membersOf(plan: AttentionPlan): AttentionPlan {
  return {
    description: plan.description,
    run: (inputs) => plan.run(inputs),
    dispose: () => plan.dispose(),
  };
}

/** Numbers of batches that are kept from call to call, told apart by those of batch 0. */
function keeping(name: "kvLengths" | "queryOffset"): AttentionProvider {
  let kept: Int32Array | null = null;
  return backendOf(async (problem, inputs) => {
    const own = inputs[name];
    if (typeof own !== "object") return attend(problem, inputs, {});
    const given = Int32Array.from(own);
    if (kept === null || kept.length !== given.length || kept[0] !== given[0]) kept = given;
    return attend(problem, { ...inputs, [name]: kept }, {});
  });
}

/**
 * A backend whose float16 results are the nearest numbers but for some steps away from 0.
 *
 * @param steps between neighbouring float16, from what a result is and what is nearest to it
 */
function rounding(steps: (exact: number, near: number) => number): Run {
  return async (problem, inputs) => {
    const right = attend(problem, inputs, {});
    if (problem.dtype !== "float16") return right;
    const exact = toFloat64(referenceAttention({ ...inputs, returns: {} }).output);
    const near = toFloat64(right.output);
    const bits = near.map((x, at) => {
      const size = numberToFloat16Bits(Math.abs(x)) + steps(exact[at] as number, x);
      return float16BitsToNumber(size) * (x < 0 ? -1 : 1);
    });
    return { ...right, output: fromFloat64(bits, right.output.shape, "float16") };
  };
}

/** Whether a number is as far from its neighbour away from 0 as from the float16 nearest to it. */
function isTie(x: number, near: number): boolean {
  const other = float16BitsToNumber(numberToFloat16Bits(Math.abs(near)) + 1);
  return Math.abs(x) - Math.abs(near) === other - Math.abs(x);
}

/** Output memory that later runs use again. */
function pooled(): AttentionProvider {
  const pool = new Map<number, TypedArray>();
  return backendOf(async (problem, inputs) => {
    const { output, ...rest } = attend(problem, inputs, {});
    const data = pool.get(output.data.byteLength) ?? output.data;
    pool.set(output.data.byteLength, data);
    if (data.constructor !== output.data.constructor) return { output, ...rest };
    data.set(output.data as never);
    return { output: { ...output, data }, ...rest };
  });
}

/** Rows without keys keep what the last run left in the workspace. */
function stale(): AttentionProvider {
  let last = 0;
  return backendOf(async (problem, inputs) => {
    const outputs = attend(problem, inputs, {
      empty: { output: last, logSumExp: Number.NEGATIVE_INFINITY },
    });
    last = Number(outputs.output.data[0] ?? 0);
    return outputs;
  });
}

/** Kernels kept by a key that lacks part of the problem. */
function forgetful(forgotten: readonly (keyof AttentionProblem)[]): AttentionProvider {
  const kept = new Map<string, AttentionProblem>();
  return backendOf(async (problem, inputs) => {
    const key = JSON.stringify({
      ...problem,
      key: "",
      ...Object.fromEntries(forgotten.map((name) => [name, 0])),
    });
    const first = kept.get(key) ?? problem;
    kept.set(key, first);
    const own = Object.fromEntries(forgotten.map((name) => [name, first[name]]));
    return attend({ ...problem, ...own }, inputs, {});
  });
}

/** A workspace that overlapping runs share. */
function racing(): AttentionProvider {
  let current: Parameters<Run>;
  return backendOf(async (problem, inputs) => {
    current = [problem, inputs];
    await new Promise((resolve) => setTimeout(resolve, 1));
    return attend(...current, {});
  });
}

let flip = 0;

export const conductMutants: readonly ConductMutant[] = [
  { name: "outputs are memory that later runs use again", profile: "core", provider: pooled },
  { name: "empty rows keep what the last run left", profile: "masks", provider: stale },
  {
    name: "the kernel cache's key lacks the softcap",
    profile: "behaviour",
    provider: () => forgetful(["softcap"]),
  },
  {
    name: "the kernel cache's key lacks the window",
    profile: "behaviour",
    provider: () => forgetful(["window"]),
  },
  {
    name: "the kernel cache's key lacks scale and causal",
    profile: "behaviour",
    provider: () => forgetful(["scale", "causal"]),
  },
  { name: "overlapping runs share a workspace", profile: "behaviour", provider: racing },
  {
    name: "every other run differs in the last bit",
    profile: "core",
    provider: over(
      returning((outputs) => {
        const { output } = outputs;
        flip += 1;
        if (flip % 2 === 0 && output.data.length > 0) {
          new Uint8Array(output.data.buffer)[0] = (new Uint8Array(output.data.buffer)[0] ?? 0) ^ 1;
        }
        return outputs;
      }),
    ),
  },
  {
    name: "keys are scaled in place",
    profile: "core",
    provider: over(async (problem, inputs) => {
      const outputs = attend(problem, inputs, {});
      const { data } = inputs.key as HostTensor;
      for (let i = 0; i < data.length; i++) data[i] = Number(data[i]) * 0.5;
      return outputs;
    }),
  },
  {
    name: "heads of a cache lie as far apart as what is used of it is long",
    published: "onnxruntime#26064",
    profile: "decode",
    provider: over(async (problem, inputs) => {
      const used = Number(Array.from(inputs.kvLengths ?? [])[0] ?? problem.keyLength);
      const packed = (t: HostTensor): HostTensor => {
        const [, heads, , size] = t.shape as [number, number, number, number];
        return { ...t, strides: [heads * used * size, used * size, size, 1] };
      };
      const key = packed(inputs.key as HostTensor);
      const value = packed(inputs.value as HostTensor);
      return attend(problem, { ...inputs, key, value }, {});
    }),
  },
  {
    name: "the start of a typed array in its buffer is ignored",
    profile: "core",
    provider: over(async (problem, inputs) => {
      const moved = (t: HostTensor): HostTensor => {
        const kind = t.data.constructor as new (b: ArrayBufferLike) => TypedArray;
        return { ...t, data: new kind(t.data.buffer) };
      };
      return attend(problem, { ...inputs, value: moved(inputs.value as HostTensor) }, {});
    }),
  },
  {
    name: "a refused problem is planned all the same",
    profile: "core",
    provider: altered(() => ({
      supports: ({ causal }: AttentionProblem) =>
        causal ? { ok: false, reasons: [{ code: "causal", message: "no" }] } : { ok: true },
    })),
  },
  {
    name: "plan refuses for other reasons than supports",
    profile: "core",
    provider: altered((inner) => ({
      supports: ({ causal }: AttentionProblem) =>
        causal ? { ok: false, reasons: [{ code: "causal", message: "no" }] } : { ok: true },
      plan: (problem: AttentionProblem) => {
        if (!problem.causal) return inner.plan(problem);
        const reasons = [{ code: "tired", message: "not today" }];
        throw new UnsupportedError([{ backend: "mutant", reasons }]);
      },
    })),
  },
  {
    name: "supports() and plan() take anything for a problem",
    profile: "behaviour",
    provider: altered((inner) => ({
      supports: (problem: AttentionProblem) =>
        problem?.operation === "attention" ? inner.supports(problem) : { ok: true },
    })),
  },
  {
    name: "what is not asked for is returned",
    profile: "core",
    provider: over(returning((outputs) => ({ ...outputs, logSumExp: outputs.output }))),
  },
  {
    name: "the output is float32 whatever was asked",
    profile: "numerics",
    provider: over(
      returning((outputs) => ({
        ...outputs,
        output: {
          ...outputs.output,
          dtype: "float32",
          data: Float32Array.from({ length: outputs.output.data.length }),
        },
      })),
    ),
  },
  {
    name: "log-sum-exp has a trailing axis",
    profile: "core",
    provider: over(
      returning((outputs) => ({
        ...outputs,
        ...(outputs.logSumExp && {
          logSumExp: {
            ...outputs.logSumExp,
            shape: [...outputs.logSumExp.shape, 1],
            strides: [...outputs.logSumExp.strides, 1],
          },
        }),
      })),
    ),
  },
  {
    name: "rows past 65,535 are not computed",
    profile: "numerics",
    provider: over(
      returning((outputs, { valueDim }) => {
        const { output } = outputs;
        output.data.fill(0, 65_535 * valueDim);
        return outputs;
      }),
    ),
  },
  {
    name: "arrays of a call are read when its turn comes",
    profile: "behaviour",
    provider: altered((inner) => ({
      plan: async (problem: AttentionProblem) => {
        const plan = await inner.plan(problem);
        return {
          ...membersOf(plan),
          run: async (inputs: AttentionInputs) => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            return plan.run(inputs);
          },
        };
      },
    })),
  },
  {
    name: "lengths of the last call serve again where those of batch 0 are the same",
    profile: "behaviour",
    provider: () => keeping("kvLengths"),
  },
  {
    name: "offsets of the last call serve again where those of batch 0 are the same",
    profile: "behaviour",
    provider: () => keeping("queryOffset"),
  },
  {
    name: "the layout of a plan's first call serves all calls",
    profile: "behaviour",
    provider: altered((inner) => ({
      plan: async (problem: AttentionProblem) => {
        const plan = await inner.plan(problem);
        let first: HostTensor | null = null;
        return {
          ...membersOf(plan),
          run: (inputs: AttentionInputs) => {
            const { key } = inputs;
            if (isDeviceTensor(key)) return plan.run(inputs);
            first ??= key;
            const { strides } = first;
            const fits = key.data.length >= first.data.length;
            return plan.run(fits ? { ...inputs, key: { ...key, strides } } : inputs);
          },
        };
      },
    })),
  },
  {
    name: "uploads are not checked",
    profile: "behaviour",
    provider: altered(() => ({
      upload: async (t: HostTensor) => ({
        backend: "mutant",
        dtype: t?.dtype,
        shape: t?.shape,
        read: async () => t,
        dispose: () => {},
      }),
    })),
  },
  {
    name: "float16 results are rounded toward 0",
    profile: "behaviour",
    provider: over(rounding((x, near) => (Math.abs(near) > Math.abs(x) ? -1 : 0))),
  },
  {
    name: "float16 results that are ties are rounded away from 0",
    profile: "behaviour",
    provider: over(rounding((x, near) => (isTie(x, near) && Math.abs(near) < Math.abs(x) ? 1 : 0))),
  },
  {
    name: "a row's last bit depends on how many stand beside it, though the backend promises otherwise",
    profile: "laws",
    provider: () => {
      const inner = backendOf(
        returning((outputs, { queryLength }) => {
          const { data } = outputs.output;
          const factor = queryLength % 2 === 0 ? 1.5 : 1;
          for (let at = 0; at < data.length; at++) data[at] = Number(data[at]) * factor;
          return outputs;
        }),
      );
      return {
        ...inner,
        load: async () => {
          const backend = await inner.load();
          const info = { ...backend.info, features: ["batch-invariant"] };
          return { ...borrow(backend), info };
        },
      };
    },
  },
  {
    name: "a disposed plan runs on",
    profile: "behaviour",
    provider: altered((inner) => ({
      plan: async (problem: AttentionProblem) => ({
        ...membersOf(await inner.plan(problem)),
        dispose: () => {},
      }),
    })),
  },
  {
    name: "a disposed backend plans on",
    profile: "behaviour",
    provider: altered(() => ({ dispose: () => {} })),
  },
  {
    name: "device tensors of others are taken for its own",
    profile: "behaviour",
    provider: altered((inner) => ({
      plan: async (problem: AttentionProblem) => {
        const plan = await inner.plan(problem);
        return {
          ...membersOf(plan),
          run: async (inputs: AttentionInputs) => {
            const [query, key, value] = await Promise.all(
              [inputs.query, inputs.key, inputs.value].map((t) => ("read" in t ? t.read() : t)),
            );
            return plan.run({ ...inputs, query, key, value } as AttentionInputs);
          },
        };
      },
    })),
  },
];
