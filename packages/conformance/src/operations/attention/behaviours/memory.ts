import { fromFloat64, HeedError, type HostTensor, toFloat64 } from "@heed/core";
import { bitsOf, sameBits } from "../../../calls/bits.js";
import { layOut } from "../../../calls/layout.js";
import { Random } from "../../../calls/random.js";
import { spoilTensor } from "../../../calls/spoiled-tensors.js";
import type { ProgramCase } from "../../../run/case.js";
import { named } from "./context.js";

/** How often each way to spoil a tensor is tried; some of them put in random values. */
const draws = 6;

/** Behaviour of uploads into a backend's own memory. Backends without memory of their own pass. */
export const memoryBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/uploads-are-checked",
    profile: "behaviour",
    statement:
      "upload() refuses what is no tensor with a typed error, copies any layout, and leaves nothing of other tensors in what it allocates.",
    run: async ({ backend, seed }) => {
      if (!backend.upload) return { failures: [] };
      const upload = backend.upload.bind(backend);
      const random = new Random(seed);
      const failures: string[] = [];
      const good = random.tensor([2, 3, 4, 5], "float32");
      for (const [what, spoil] of Object.entries(spoilTensor)) {
        // A tensor may have any rank and any dtype to be uploaded.
        if (/^has (no axes|five axes|a dtype that)/.test(what)) continue;
        for (let i = 0; i < draws; i++) {
          const spoilt = spoil(good, random);
          const outcome = await Promise.resolve()
            .then(() => upload(spoilt as HostTensor))
            .then(
              (t) => ({ t }),
              (error: unknown) => ({ error }),
            );
          if ("t" in outcome) {
            failures.push(`a tensor that ${what} is accepted`);
            outcome.t.dispose();
          } else if (!(outcome.error instanceof HeedError)) {
            failures.push(`a tensor that ${what}: ${named(outcome.error)}`);
          }
        }
      }
      for (const layout of ["bhld", "blhd", "bhdl", "offset", "odd-start", "odd-heads"] as const) {
        const laid = layOut(good, layout);
        const t = await upload(laid);
        if (!sameBits(bitsOf(await t.read()), bitsOf(laid))) {
          failures.push(`a tensor of the layout ${layout} reads back otherwise`);
        }
        t.dispose();
      }
      if (backend.memory) {
        const ones = await upload(fromFloat64(new Float64Array(4096).fill(1), [4096], "float32"));
        ones.dispose();
        const fresh = backend.memory.allocate("float32", [4096]);
        if (toFloat64(await fresh.read()).some((x) => x !== 0)) {
          failures.push("allocated memory holds what another tensor left there");
        }
        fresh.dispose();
      }
      return { failures: [...new Set(failures)] };
    },
  },
];
