import type { AttentionProblem } from "@heed/core";
import type { ProviderTraits } from "../../runtime/traits.js";

/** Notes of a plan: what is gathered, converted and put together at each run, and where. */
export function storageNotes(
  { dtype, kvDtype, pages, ragged }: AttentionProblem,
  { provider, readsInPlace, movesInt8 }: ProviderTraits,
  hasMemory: boolean,
): string[] {
  const notes: string[] = [];
  const where = readsInPlace
    ? "by the graph"
    : "by the host, or by the graph if they are on the device";
  const place = readsInPlace || hasMemory ? where : "by the host";
  if (pages) notes.push(`the pages that rows see are gathered at each run, ${place}`);
  if (ragged) {
    notes.push(
      "sequences of similar lengths are computed together, each group by a run of its own, with rows and keys repeated up to its longest",
    );
  }
  if (ragged?.keys)
    notes.push(`the keys and values of each group are gathered at each run, ${place}`);
  if (kvDtype !== dtype) {
    notes.push(
      `${kvDtype} keys and values that rows see are converted to float32 at each run, ${place}`,
    );
  }
  if (kvDtype === "int8" && hasMemory && !movesInt8) {
    notes.push(
      `int8 keys and values on the device are converted as a whole: provider ${provider} gathers and slices no int8`,
    );
  }
  return notes;
}
