import {
  type AttentionBackend,
  type Backend,
  createAttention,
  type DeviceTensor,
  type DType,
  describeProblem,
  HeedError,
  type HostTensor,
  type Plan,
  type Problem,
  toFloat64,
  UnsupportedError,
} from "@heed/core";
import { differing, type OutputBits } from "../../../calls/bits.js";
import { junk } from "../../../calls/junk.js";
import { borrow } from "../../../run/borrow.js";
import type { ProgramCase } from "../../../run/case.js";
import { untypedErrors } from "../../../run/wrong-calls.js";
import { buildInputs } from "../build/inputs.js";
import { hostileCalls, hostileKinds } from "../hostile/calls.js";
import type { CaseSpec } from "../spec.js";
import { acceptedCalls, bitsOnce, named, planOf, rejection } from "./context.js";
import { variations } from "./variations.js";

/** A sentence on an act that is not refused with a typed error; `null` if it is. */
async function notRefused(what: string, act: () => unknown): Promise<string | null> {
  let made: unknown;
  const error = await rejection(async () => {
    made = await act();
  });
  if (error instanceof HeedError) return null;
  if (error !== null) return `${what}: throws ${named(error)}`;
  (made as Partial<DeviceTensor> | undefined)?.dispose?.();
  return `${what}: accepted`;
}

/** How a value of junk is told in a failure. */
function told(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

const wrongShapes: readonly unknown[] = [
  ...junk.filter((value) => !(Array.isArray(value) && value.length === 0)),
  undefined,
  [-1],
  [0.5],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
  ["3"],
  [2, null],
  [2 ** 31],
  [65_536, 65_536],
  [0, 2 ** 31],
];

const dtypes: readonly DType[] = ["float64", "float32", "float16", "int32", "uint8", "bool"];

/** The wrong arguments of `upload` and `allocate` of an attention, beside those of the backend's memory. */
const wrongOptions: readonly unknown[] = [
  ...junk.filter((value) => typeof value !== "object" || value === null),
  { backend: "nobody" },
  { backend: 7 },
  { bakend: "js" },
];

async function wrongAllocations(backend: AttentionBackend): Promise<string[]> {
  const { memory } = backend;
  if (!memory) return [];
  const failures: (string | null)[] = [];
  for (const shape of wrongShapes) {
    failures.push(
      await notRefused(`allocate of shape ${told(shape)}`, () =>
        memory.allocate("float32", shape as number[]),
      ),
    );
  }
  for (const dtype of [...junk, undefined, "float", "Float32Array"]) {
    failures.push(
      await notRefused(`allocate of dtype ${told(dtype)}`, () =>
        memory.allocate(dtype as DType, [2]),
      ),
    );
  }
  for (const dtype of dtypes) {
    let made: DeviceTensor | null = null;
    const error = await rejection(async () => {
      made = memory.allocate(dtype, [2, 3]);
      const read = await (made as DeviceTensor).read();
      if (read.dtype !== dtype || read.shape.join() !== "2,3" || toFloat64(read).some(Boolean)) {
        failures.push(`${dtype} [2, 3] reads as ${read.dtype} [${read.shape}], or not as zeros`);
      }
    });
    (made as DeviceTensor | null)?.dispose();
    if (error !== null && !(error instanceof HeedError)) {
      failures.push(`allocate of ${dtype}: throws ${named(error)}`);
    }
  }
  return failures.filter((failure) => failure !== null);
}

async function wrongFrontDoor(backend: AttentionBackend, tensor: HostTensor): Promise<string[]> {
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
  const failures: (string | null)[] = [];
  try {
    for (const options of wrongOptions) {
      const at = `with options ${told(options)}`;
      failures.push(
        await notRefused(`upload ${at}`, () => attention.upload(tensor, options as never)),
        await notRefused(`allocate ${at}`, () =>
          attention.allocate("float32", [2], options as never),
        ),
      );
    }
    for (const value of junk) {
      failures.push(
        await notRefused(`upload of ${told(value)}`, () => attention.upload(value as HostTensor)),
        await notRefused(`apply of ${told(value)}`, () =>
          attention.apply(value as never, {} as never),
        ),
      );
    }
  } finally {
    await attention.dispose();
  }
  return failures.filter((failure) => failure !== null);
}

/** A problem of an operation that nobody computes. */
const unheardOf = { operation: "an operation that does not exist", key: "nothing" } as Problem;

async function wrongPlans(backend: Backend): Promise<string[]> {
  const failures: (string | null)[] = [];
  for (const value of [...junk, undefined, { operation: "attention" }, { key: "attention" }]) {
    failures.push(
      await notRefused(`supports() of ${told(value)}`, () => backend.supports(value as Problem)),
      await notRefused(`plan() of ${told(value)}`, () => backend.plan(value as Problem)),
    );
  }
  const support = backend.supports(unheardOf);
  if (support.ok || !support.reasons.some(({ code }) => code === "operation")) {
    failures.push("an operation that does not exist is not refused with the code operation");
  }
  const error = await rejection(() => backend.plan(unheardOf));
  if (!(error instanceof UnsupportedError)) {
    failures.push(`plan() of an operation that does not exist throws ${named(error)}`);
  }
  return failures.filter((failure) => failure !== null);
}

/** Wrong calls of everything that a backend offers beside `run`. */
export const misuseBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/wrong-allocations",
    profile: "behaviour",
    statement:
      "allocate() and upload() refuse wrong shapes, dtypes and options with a typed error, and a right call gives the same bits afterwards.",
    run: ({ backend, arithmetic }) =>
      harmless(backend, buildInputs({ queryLength: 9 }, "right", arithmetic), async (inputs) => [
        ...(await wrongAllocations(backend)),
        ...(await wrongFrontDoor(backend, inputs.query as HostTensor)),
      ]),
  },
  {
    id: "behaviour/wrong-plans",
    profile: "behaviour",
    statement:
      "supports() and plan() refuse what is no problem, and problems of unknown operations, with a typed error.",
    run: ({ backend, arithmetic }) =>
      harmless(backend, buildInputs({ queryLength: 9 }, "right", arithmetic), () =>
        wrongPlans(backend as unknown as Backend),
      ),
  },
  {
    id: "behaviour/wrong-planned-runs",
    profile: "behaviour",
    statement:
      "run() of a plan, given another call than it was planned for, works or throws a typed error, and the plan still computes its own call.",
    run: ({ backend, arithmetic, seed }) =>
      harmless(
        backend,
        buildInputs(variations["lengths of the keys"] as CaseSpec, "right", arithmetic),
        async (inputs) => {
          const plan = await planOf(backend, inputs);
          const others = acceptedCalls(backend, variations, arithmetic).slice(0, 12);
          try {
            return await untypedErrors(plan as Plan, [
              ...hostileCalls(hostileKinds, seed),
              ...others,
              { name: "no inputs", inputs: undefined },
            ]);
          } finally {
            plan.dispose();
          }
        },
      ),
  },
];

/** Runs what should do no harm between two runs of a right call, which must give the same bits. */
async function harmless(
  backend: AttentionBackend,
  inputs: ReturnType<typeof buildInputs>,
  act: (inputs: ReturnType<typeof buildInputs>) => Promise<readonly string[]>,
): Promise<{ failures: string[] }> {
  if (!backend.supports(describeProblem(inputs)).ok) return { failures: [] };
  const before: OutputBits = await bitsOnce(backend, inputs);
  const failures = [...new Set(await act(inputs))];
  if (differing(before, await bitsOnce(backend, inputs)).length > 0) {
    failures.push("afterwards, a right call gives other bits");
  }
  return { failures };
}
