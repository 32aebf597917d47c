import { type AttentionBackend, createAttention, HeedError } from "@heed/core";
import { borrow } from "../../../run/borrow.js";
import type { HostileCall } from "./calls.js";

/**
 * Makes wrong calls through `createAttention` and looks whether each is refused with a typed error
 * before the backend is asked anything.
 *
 * @returns what went wrong, a sentence each
 */
export async function checkHostileCalls(
  backend: AttentionBackend,
  calls: Iterable<HostileCall>,
): Promise<string[]> {
  let seen = "";
  const watched: AttentionBackend = {
    ...borrow(backend),
    supports: (problem) => {
      seen = "supports()";
      return backend.supports(problem);
    },
    plan: (problem) => {
      seen = "plan()";
      return backend.plan(problem);
    },
  };
  const attention = await createAttention({
    backends: [{ name: backend.name, load: async () => watched }],
    selfTest: false,
    fallback: "silent",
  });
  const failures: string[] = [];
  try {
    for (const { name, inputs } of calls) {
      seen = "";
      const error: unknown = await attention.run(inputs as never).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) failures.push(`${name}: accepted`);
      else if (!(error instanceof HeedError)) {
        failures.push(`${name}: throws ${error instanceof Error ? error.stack : String(error)}`);
      }
      if (seen !== "") failures.push(`${name}: the backend's ${seen} was called`);
    }
  } finally {
    await attention.dispose();
  }
  return [...new Set(failures)];
}
