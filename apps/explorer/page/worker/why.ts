import type { Attention, Explanation } from "heed";

/** Why a backend runs a call, and what that backend runs on. */
export function whyOf(attention: Attention, { backend, text }: Explanation): string {
  const found = attention.backends.find(({ name }) => name === backend);
  if (found?.status !== "ready") return text;
  const { runtime, device, features, threads, notes = [] } = found.info;
  const parts = [...features, ...(threads > 1 ? [`${threads} threads`] : [])];
  const on = [`${runtime} on ${device}`, ...(parts.length > 0 ? [parts.join(", ")] : []), ...notes];
  return `${text}\n\n${backend} here: ${on.join("; ")}`;
}
