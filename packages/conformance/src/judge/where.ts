/**
 * Describes the positions of wrong rows: `"wrong in 8 of 24 rows: heads 1–2 of 4"`. An axis is not
 * named if all its indices have wrong rows.
 *
 * @param rows flat indices of wrong rows
 * @param sizes of `[batch, heads, queries]`
 */
export function describeRows(rows: readonly number[], sizes: readonly number[]): string {
  const [batch = 0, heads = 0, queries = 0] = sizes;
  const axes = [
    ["batch", batch, (row: number) => Math.floor(row / (heads * queries))],
    ["head", heads, (row: number) => Math.floor(row / queries) % heads],
    ["query row", queries, (row: number) => row % queries],
  ] as const;
  const parts = axes.flatMap(([name, size, of]) => {
    const indices = [...new Set(rows.map(of))].sort((a, b) => a - b);
    if (indices.length === size) return [];
    return [
      `${name}${indices.length > 1 ? (name === "batch" ? "es" : "s") : ""} ${ranges(indices)} of ${size}`,
    ];
  });
  const total = batch * heads * queries;
  const where = parts.length > 0 ? `: ${parts.join(", ")}` : "";
  return `wrong in ${rows.length} of ${total} rows${where}`;
}

/** `0–3, 7, 9–10`; long lists are cut. */
function ranges(indices: readonly number[]): string {
  const found: [number, number][] = [];
  for (const index of indices) {
    const last = found.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  }
  const words = found.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`));
  return words.length > 6 ? `${words.slice(0, 6).join(", ")}, …` : words.join(", ");
}
